// A RAM with a port to write and one to read a cycle later, as block RAM or as look-up tables; a word has a part for
// each of TOKENS tokens, which are written on their own.

`default_nettype none

module pot_linear_memory #(
    parameter WIDTH = 8,
    parameter TOKENS = 1,
    parameter WORDS = 192,
    parameter ADDRESS_WIDTH = 8,
    parameter BLOCK_RAM = 1
) (
    input wire clk,
    input wire [TOKENS-1:0] write,
    input wire [ADDRESS_WIDTH-1:0] write_address,
    input wire [WIDTH-1:0] write_data,
    input wire [ADDRESS_WIDTH-1:0] read_address,
    output reg [TOKENS*WIDTH-1:0] read_data
);
    generate
        if (BLOCK_RAM != 0) begin : block_ram
            (* ram_style = "block" *) reg [TOKENS*WIDTH-1:0] words[0:WORDS-1];
            integer part;
            always @(posedge clk) begin
                for (part = 0; part < TOKENS; part = part + 1)
                    if (write[part]) words[write_address][part*WIDTH +: WIDTH] <= write_data;
                read_data <= words[read_address];
            end
        end else begin : distributed_ram
            genvar i;
            for (i = 0; i < TOKENS; i = i + 1) begin : rams
                (* ram_style = "distributed" *) reg [WIDTH-1:0] words[0:WORDS-1];
                always @(posedge clk) begin
                    if (write[i]) words[write_address] <= write_data;
                    read_data[i*WIDTH +: WIDTH] <= words[read_address];
                end
            end
        end
    endgenerate
endmodule

`default_nettype wire

// A RAM with one port to write and one to read; a word that is read stays until the next one is.
//
// No word may be read in the clock in which it is written.

`default_nettype none

module block_ram #(
    parameter WIDTH = 8,
    parameter WORDS = 256,
    parameter ADDRESS = $clog2(WORDS),
    // 1 for block RAM, 0 for distributed RAM.
    parameter BLOCK = 0
) (
    input wire clk,
    input wire write,
    input wire [ADDRESS-1:0] write_address,
    input wire [WIDTH-1:0] write_data,
    input wire read,
    input wire [ADDRESS-1:0] read_address,
    output reg [WIDTH-1:0] read_data
);
    generate
        if (BLOCK != 0) begin : block
            (* ram_style = "block" *) reg [WIDTH-1:0] words[0:WORDS-1];
            always @(posedge clk) begin
                if (write) words[write_address] <= write_data;
                if (read) read_data <= words[read_address];
            end
        end else begin : distributed
            (* ram_style = "distributed" *) reg [WIDTH-1:0] words[0:WORDS-1];
            always @(posedge clk) begin
                if (write) words[write_address] <= write_data;
                if (read) read_data <= words[read_address];
            end
        end
    endgenerate
endmodule

`default_nettype wire

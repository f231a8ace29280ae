// A RAM with a port to write and one to read a clock later, as block RAM or as look-up tables.

module pot_linear_memory #(
    parameter WIDTH = 8,
    parameter ADDRESS_WIDTH = 8,
    parameter BLOCK_RAM = 1
) (
    input wire clk,
    input wire write,
    input wire [ADDRESS_WIDTH-1:0] write_address,
    input wire [WIDTH-1:0] write_data,
    input wire [ADDRESS_WIDTH-1:0] read_address,
    output reg [WIDTH-1:0] read_data
);
    generate
        if (BLOCK_RAM != 0) begin : block_ram
            (* ram_style = "block" *) reg [WIDTH-1:0] words[0:(1<<ADDRESS_WIDTH)-1];
            always @(posedge clk) begin
                if (write) words[write_address] <= write_data;
                read_data <= words[read_address];
            end
        end else begin : distributed_ram
            (* ram_style = "distributed" *) reg [WIDTH-1:0] words[0:(1<<ADDRESS_WIDTH)-1];
            always @(posedge clk) begin
                if (write) words[write_address] <= write_data;
                read_data <= words[read_address];
            end
        end
    endgenerate
endmodule

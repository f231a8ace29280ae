// A FIFO for DEPTH words, at least two, and one more in its output register.
//
// A word comes out two clocks after it went in, or later; one a clock. Up to 32 words
// lie in shift registers, up to 512 in distributed RAM, more in block RAM.

module fifo #(
    parameter WIDTH = 8,
    parameter DEPTH = 32
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    output reg out_valid,
    input wire out_ready,
    output wire [WIDTH-1:0] out_data
);
    wire empty;
    wire push = in_valid && in_ready;
    wire pop = !empty && (!out_valid || out_ready);
    always @(posedge clk) begin
        if (rst) out_valid <= 0;
        else if (pop) out_valid <= 1;
        else if (out_ready) out_valid <= 0;
    end

    generate
        if (DEPTH <= 32) begin : short
            fifo_lines #(.WIDTH(WIDTH), .DEPTH(DEPTH)) words (
                .clk(clk), .rst(rst), .push(push), .pop(pop), .in_data(in_data),
                .empty(empty), .not_full(in_ready), .out_data(out_data)
            );
        end else begin : long
            fifo_ring #(.WIDTH(WIDTH), .DEPTH(DEPTH)) words (
                .clk(clk), .rst(rst), .push(push), .pop(pop), .in_data(in_data),
                .empty(empty), .not_full(in_ready), .out_data(out_data)
            );
        end
    endgenerate
endmodule

// A FIFO for DEPTH words, at least two, and one more in its output register. With DEPTH 1 it is nothing: the word
// lies in the register that its writer has at its output.
//
// A word comes out two cycles after it went in, or later; one a cycle. Up to 32 words lie in shift registers, up
// to 256 in distributed RAM, more in block RAM.

`default_nettype none

module fifo #(
    parameter WIDTH = 8,
    parameter DEPTH = 32
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    output wire out_valid,
    input wire out_ready,
    output wire [WIDTH-1:0] out_data
);
    generate
        if (DEPTH == 1) begin : none
            wire unused = &{1'b0, clk, rst};
            assign out_valid = in_valid;
            assign in_ready = out_ready;
            assign out_data = in_data;
        end else begin : several
            wire empty;
            wire push = in_valid && in_ready;
            reg valid;
            wire pop = !empty && (!valid || out_ready);
            assign out_valid = valid;
            always @(posedge clk) begin
                if (rst) valid <= 0;
                else if (pop) valid <= 1;
                else if (out_ready) valid <= 0;
            end

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
        end
    endgenerate
endmodule

`default_nettype wire

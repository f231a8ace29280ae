// A FIFO for DEPTH words, and one more in its output register.
//
// A word comes out two clocks after it went in, or later; one a clock. One word lies in a register, up to 32
// words in shift registers, up to 512 in distributed RAM, more in block RAM.

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
        if (DEPTH == 1) begin : single
            fifo_pair #(.WIDTH(WIDTH)) words (
                .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data),
                .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data)
            );
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

// A FIFO between two streams. It stores DEPTH words, and one more in its output register.
//
// Throughput: one word a cycle; latency: two cycles. Storage: a FIFO of DEPTH 1 is wires, for the output register of
// its writer stores the word; up to 32 words lie in shift registers, up to 256 in distributed RAM, more in block RAM.

`default_nettype none

module fifo #(
    // Bits of a word, at least 1.
    parameter WIDTH = 8,
    // Number of words, at least 1.
    parameter DEPTH = 32
) (
    input wire clk,
    input wire rst,
    // The stream that is written.
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    // The stream that is read.
    output wire out_valid,
    input wire out_ready,
    output wire [WIDTH-1:0] out_data
);
`ifndef __ICARUS__
    generate
        if (WIDTH < 1) $error("fifo: WIDTH must be at least 1");
        if (DEPTH < 1) $error("fifo: DEPTH must be at least 1");
    endgenerate
`endif

    generate
        if (DEPTH == 1) begin : none
            wire unused = &{1'b0, clk, rst};
            assign out_valid = in_valid;
            assign in_ready = out_ready;
            assign out_data = in_data;
        end else begin : several
            wire empty;
            wire push = in_valid && in_ready;
            // Output stage: the storage has a registered output, so that a word is popped in the cycle before it is
            // offered. `out_valid_q` says whether that register holds a word that nobody has read yet.
            reg out_valid_q;
            wire pop = !empty && (!out_valid_q || out_ready);
            assign out_valid = out_valid_q;
            always @(posedge clk) begin
                if (rst) out_valid_q <= 0;
                else if (pop) out_valid_q <= 1;
                else if (out_ready) out_valid_q <= 0;
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

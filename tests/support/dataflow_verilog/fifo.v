// The handshake of a FIFO that holds `depth` words, without the words; `id` is its number in the output.
//
// A word that goes in takes a slot from this clock edge on, or is in one of `latency` - 1 registers, and can come out
// `latency` clocks later, at most 8; one that goes out frees its slot with the edge, or
// before it if `together`.

module fifo (
    input wire clock,
    input wire [31:0] id,
    input wire [31:0] depth,
    input wire [31:0] latency,
    input wire together,
    input wire [31:0] cycle,
    input wire in_valid,
    output wire in_ready,
    output wire out_valid,
    input wire out_ready
);
    /* verilator no_inline_module */
    reg [31:0] used = 0;
    reg [31:0] there = 0;
    reg [7:0] coming = 0;
    wire in = in_valid && in_ready;
    wire out = out_valid && out_ready;
    assign in_ready = used != depth + latency - 1 || (together && out);
    assign out_valid = there != 0;
    wire [7:0] all = {coming[6:0], in};
    wire arrives = all[latency-1];

    always @(posedge clock) begin
        used <= used + {31'd0, in} - {31'd0, out};
        there <= there + {31'd0, arrives} - {31'd0, out};
        coming <= all;
        if (in) $display("%0d w %0d", id, cycle);
        if (out) $display("%0d r %0d", id, cycle);
    end
endmodule

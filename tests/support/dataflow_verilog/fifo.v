// The handshake of a FIFO of `depth` words, without data; it prints every word that moves, with its number `id`.
//
// A word that is written takes a slot from the clock edge on, or one of `latency` - 1 registers, and can be read
// `latency` cycles later, at most 8. A word that is read frees its slot at the edge, or before it if `together`.

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
    reg [31:0] available = 0;
    reg [7:0] coming = 0;
    wire in = in_valid && in_ready;
    wire out = out_valid && out_ready;
    assign in_ready = used != depth + latency - 1 || (together && out);
    assign out_valid = available != 0;
    wire [7:0] all = {coming[6:0], in};
    wire arrives = all[latency-1];

    always @(posedge clock) begin
        used <= used + {31'd0, in} - {31'd0, out};
        available <= available + {31'd0, arrives} - {31'd0, out};
        coming <= all;
        if (in) $display("%0d w %0d", id, cycle);
        if (out) $display("%0d r %0d", id, cycle);
    end
endmodule

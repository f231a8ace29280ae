// Copies a stream to COPIES streams, each of which takes every word once, when it is ready.
//
// Throughput: one word a cycle; latency: one cycle. The next word is taken in the cycle in which the last copy of the
// present one leaves, or later.

`default_nettype none

module stream_fork #(
    // Bits of a word, at least 1.
    parameter WIDTH = 8,
    // Number of copies, at least 1.
    parameter COPIES = 2
) (
    input wire clk,
    input wire rst,
    // The stream that is copied.
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    // Copy n is valid with bit n, ready with bit n; all have the same data.
    output reg [COPIES-1:0] out_valid,
    input wire [COPIES-1:0] out_ready,
    output reg [WIDTH-1:0] out_data
);
`ifndef __ICARUS__
    generate
        if (WIDTH < 1) $error("stream_fork: WIDTH must be at least 1");
        if (COPIES < 1) $error("stream_fork: COPIES must be at least 1");
    endgenerate
`endif

    assign in_ready = (out_valid & ~out_ready) == 0;
    wire take = in_valid && in_ready;

    // Output stage: the word, and for each copy whether it is still to be taken. Without the register a copy that is
    // ready would have to take a word before the others can.
    always @(posedge clk) begin
        if (rst) out_valid <= 0;
        else if (take) out_valid <= {COPIES{1'b1}};
        else out_valid <= out_valid & ~out_ready;
        if (take) out_data <= in_data;
    end
endmodule

`default_nettype wire

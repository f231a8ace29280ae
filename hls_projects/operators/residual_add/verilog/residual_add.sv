// The sum of two streams of codes with scales of their own.
//
// out = requantize((in0 << IN0_SHIFT) + (in1 << IN1_SHIFT), OUT_SHIFT)
//
// Throughput: one word a cycle; latency: one cycle.

`default_nettype none

module residual_add #(
    // Codes of the first input: bits, at least 1; 1 if they are signed, else 0; left shift to the common grid, at
    // least 0.
    parameter IN0_WIDTH = 8,
    parameter IN0_SIGNED = 1,
    parameter IN0_SHIFT = 0,
    // Codes of the second input, likewise.
    parameter IN1_WIDTH = 8,
    parameter IN1_SIGNED = 1,
    parameter IN1_SHIFT = 0,
    // Bits of the signed sum, at least those of both shifted inputs; no sum may overflow.
    parameter SUM_WIDTH = 10,
    // Codes of the output: bits, at least 1, or 2 if they are signed; 1 if they are signed, else 0; right shift from
    // the common grid, at least 0.
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    parameter OUT_SHIFT = 0
) (
    input wire clk,
    input wire rst,
    // First summands.
    input wire in0_valid,
    output wire in0_ready,
    input wire [IN0_WIDTH-1:0] in0_data,
    // Second summands.
    input wire in1_valid,
    output wire in1_ready,
    input wire [IN1_WIDTH-1:0] in1_data,
    // Sums.
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
`ifndef __ICARUS__
    generate
        if (IN0_WIDTH < 1 || IN1_WIDTH < 1) $error("residual_add: IN0_WIDTH and IN1_WIDTH must be at least 1");
        if (IN0_SIGNED != 0 && IN0_SIGNED != 1) $error("residual_add: IN0_SIGNED must be 0 or 1");
        if (IN1_SIGNED != 0 && IN1_SIGNED != 1) $error("residual_add: IN1_SIGNED must be 0 or 1");
        if (IN0_SHIFT < 0 || IN1_SHIFT < 0) $error("residual_add: IN0_SHIFT and IN1_SHIFT must be at least 0");
        if (SUM_WIDTH < IN0_WIDTH + IN0_SHIFT || SUM_WIDTH < IN1_WIDTH + IN1_SHIFT)
            $error("residual_add: SUM_WIDTH must hold both shifted inputs");
    endgenerate
`endif

    // A word is taken from both streams in the same cycle: each waits for the other one.
    wire free = !out_valid || out_ready;
    assign in0_ready = free && in1_valid;
    assign in1_ready = free && in0_valid;

    wire sign0 = IN0_SIGNED != 0 && in0_data[IN0_WIDTH-1];
    wire sign1 = IN1_SIGNED != 0 && in1_data[IN1_WIDTH-1];
    wire [SUM_WIDTH-1:0] wide0 = {{(SUM_WIDTH - IN0_WIDTH) {sign0}}, in0_data};
    wire [SUM_WIDTH-1:0] wide1 = {{(SUM_WIDTH - IN1_WIDTH) {sign1}}, in1_data};
    wire [SUM_WIDTH-1:0] sum = (wide0 << IN0_SHIFT) + (wide1 << IN1_SHIFT);
    wire [OUT_WIDTH-1:0] result;
    requantize #(
        .WIDTH(SUM_WIDTH), .SHIFT(OUT_SHIFT), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED)
    ) rounding (
        .value(sum), .result(result)
    );

    // Output stage: cuts the path through the adders of the sum and of the rounding.
    always @(posedge clk) begin
        if (free) begin
            out_valid <= in0_valid && in1_valid;
            out_data <= result;
        end
        if (rst) out_valid <= 0;
    end
endmodule

`default_nettype wire

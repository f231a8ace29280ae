// Sum of two streams with scales of their own, one word a cycle.
//
// out = requantize((in0 << IN0_SHIFT) + (in1 << IN1_SHIFT), OUT_SHIFT)

`default_nettype none

module residual_add #(
    parameter IN0_WIDTH = 8,
    parameter IN0_SIGNED = 1,
    parameter IN0_SHIFT = 0,
    parameter IN1_WIDTH = 8,
    parameter IN1_SIGNED = 1,
    parameter IN1_SHIFT = 0,
    parameter SUM_WIDTH = 10,
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    parameter OUT_SHIFT = 0
) (
    input wire clk,
    input wire rst,
    input wire in0_valid,
    output wire in0_ready,
    input wire [IN0_WIDTH-1:0] in0_data,
    input wire in1_valid,
    output wire in1_ready,
    input wire [IN1_WIDTH-1:0] in1_data,
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
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

    always @(posedge clk) begin
        if (free) begin
            out_valid <= in0_valid && in1_valid;
            out_data <= result;
        end
        if (rst) out_valid <= 0;
    end
endmodule

`default_nettype wire

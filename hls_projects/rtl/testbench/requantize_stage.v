// A register after requantize, or after requantize_by with the left shift in the low bits of a word.

/* verilator lint_off UNUSEDSIGNAL */
module requantize_stage #(
    parameter WIDTH = 16,
    parameter SHIFT = 4,
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    parameter HAS_HALF = 0,
    parameter MOST_LEFT = 0,
    parameter LEFT_WIDTH = 2
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH+LEFT_WIDTH-1:0] in_data,
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
    wire [OUT_WIDTH-1:0] result;
    generate
        if (MOST_LEFT != 0) begin : by
            requantize_by #(
                .WIDTH(WIDTH), .HIGHEST(SHIFT), .MOST_LEFT(MOST_LEFT), .LEFT_WIDTH(LEFT_WIDTH),
                .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED)
            ) rounding (
                .value(in_data[WIDTH+LEFT_WIDTH-1:LEFT_WIDTH]), .left(in_data[LEFT_WIDTH-1:0]), .result(result)
            );
        end else begin : plain
            requantize #(
                .WIDTH(WIDTH), .SHIFT(SHIFT), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED), .HAS_HALF(HAS_HALF)
            ) rounding (
                .value(in_data[WIDTH+LEFT_WIDTH-1:LEFT_WIDTH]), .result(result)
            );
        end
    endgenerate

    assign in_ready = !out_valid || out_ready;
    always @(posedge clk) begin
        if (in_ready) begin
            out_valid <= in_valid;
            out_data <= result;
        end
        if (rst) out_valid <= 0;
    end
endmodule

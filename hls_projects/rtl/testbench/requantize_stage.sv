// requantize, which is combinational, between two streams: with a register at its output.

`default_nettype none

module requantize_stage #(
    // As of requantize.
    parameter WIDTH = 16,
    parameter SHIFT = 4,
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    parameter HAS_HALF = 0
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
    wire [OUT_WIDTH-1:0] result;
    requantize #(
        .WIDTH(WIDTH), .SHIFT(SHIFT), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED), .HAS_HALF(HAS_HALF)
    ) rounding (
        .value(in_data), .result(result)
    );

    assign in_ready = !out_valid || out_ready;
    always @(posedge clk) begin
        if (in_ready) begin
            out_valid <= in_valid;
            out_data <= result;
        end
        if (rst) out_valid <= 0;
    end
endmodule

`default_nettype wire

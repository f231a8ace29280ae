// requantize with a shift that varies: by HIGHEST - left.
//
// Combinational. The value moves left, by as much as the shift falls short of the largest one, so that
// the rounding and its place are constant; no bit is lost.

module requantize_by #(
    parameter WIDTH = 16,
    parameter HIGHEST = 11,
    // Largest value of left, and its bits.
    parameter MOST_LEFT = 3,
    parameter LEFT_WIDTH = 2,
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1
) (
    input wire signed [WIDTH-1:0] value,
    input wire [LEFT_WIDTH-1:0] left,
    output wire [OUT_WIDTH-1:0] result
);
    wire signed [WIDTH+MOST_LEFT-1:0] moved = {{MOST_LEFT{value[WIDTH-1]}}, value} << left;
    requantize #(
        .WIDTH(WIDTH + MOST_LEFT), .SHIFT(HIGHEST), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED)
    ) rounding (
        .value(moved), .result(result)
    );
endmodule

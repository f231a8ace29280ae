// Rounds value / 2^SHIFT half to even and saturates it to the codes of the output: QONNX Quant on integers.
//
// Combinational. It adds half a unit of the result and drops the SHIFT lowest bits, which rounds half up. That differs
// from half to even only in a tie, where all dropped bits of the sum are zero: then the result's lowest bit is cleared.

`default_nettype none

module requantize #(
    // Bits of the value, at least 1.
    parameter WIDTH = 16,
    // Bits that are dropped, at least 0.
    parameter SHIFT = 4,
    // Bits of the result, at least 2 if it is signed, else 1.
    parameter OUT_WIDTH = 8,
    // 1 for a signed result, 0 for an unsigned one.
    parameter OUT_SIGNED = 1,
    // 1 where the value already contains 2^(SHIFT-1), half a unit of the result.
    parameter HAS_HALF = 0
) (
    input wire signed [WIDTH-1:0] value,
    output wire [OUT_WIDTH-1:0] result
);
`ifndef __ICARUS__
    generate
        if (WIDTH < 1) $error("requantize: WIDTH must be at least 1");
        if (SHIFT < 0) $error("requantize: SHIFT must be at least 0");
        if (OUT_WIDTH < 1 + OUT_SIGNED) $error("requantize: OUT_WIDTH must be at least 1, or 2 with OUT_SIGNED");
        if (OUT_SIGNED != 0 && OUT_SIGNED != 1) $error("requantize: OUT_SIGNED must be 0 or 1");
        if (HAS_HALF != 0 && HAS_HALF != 1) $error("requantize: HAS_HALF must be 0 or 1");
    endgenerate
`endif

    // Wide enough for the carry of the addition and for all bits of the result.
    localparam LEAST = SHIFT + OUT_WIDTH + 1;
    localparam FULL = WIDTH + 1 > LEAST ? WIDTH + 1 : LEAST;
    wire signed [FULL-1:0] wide = {{(FULL - WIDTH) {value[WIDTH-1]}}, value};
    wire signed [FULL-1:0] half_up;
    wire tie;
    generate
        if (SHIFT == 0) begin : exact
            assign half_up = wide;
            assign tie = 1'b0;
        end else begin : rounded
            localparam [FULL-1:0] HALF = HAS_HALF != 0 ? {FULL{1'b0}} : {{(FULL - 1) {1'b0}}, 1'b1} << (SHIFT - 1);
            assign half_up = wide + HALF;
            assign tie = half_up[SHIFT-1:0] == 0;
        end
    endgenerate

    // The rounded value fits if all bits above those of the result equal its sign: zeros, or ones if it is signed.
    wire below = half_up[FULL-1];
    wire [FULL-SHIFT-1:OUT_WIDTH-(OUT_SIGNED!=0?1:0)] upper = half_up[FULL-1:SHIFT+OUT_WIDTH-(OUT_SIGNED!=0?1:0)];
    wire fits = upper == 0 || (OUT_SIGNED != 0 && &upper);
    localparam [OUT_WIDTH-1:0] ONE = 1;
    // The lowest code; its complement is the highest one.
    localparam [OUT_WIDTH-1:0] SIGN = OUT_SIGNED != 0 ? ONE << (OUT_WIDTH - 1) : 0;
    wire [OUT_WIDTH-1:0] even = half_up[SHIFT+OUT_WIDTH-1:SHIFT] & ~(tie ? ONE : {OUT_WIDTH{1'b0}});
    assign result = fits ? even : below ? SIGN : ~SIGN;
endmodule

`default_nettype wire

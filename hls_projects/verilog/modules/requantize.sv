// QONNX Quant on integers: value / 2^SHIFT rounded half to even, saturated to the codes of the result.
//
// Combinational. With 2^(SHIFT-1) added, what is left of the value is the one rounded half up; it is
// odd by mistake exactly where nothing lies right of the point, and then its last bit goes.

`default_nettype none

module requantize #(
    parameter WIDTH = 16,
    parameter SHIFT = 4,
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    // 1 where 2^(SHIFT-1) is in the value already.
    parameter HAS_HALF = 0
) (
    input wire signed [WIDTH-1:0] value,
    output wire [OUT_WIDTH-1:0] result
);
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

    wire below = half_up[FULL-1];
    wire [FULL-SHIFT-1:OUT_WIDTH-(OUT_SIGNED!=0?1:0)] upper = half_up[FULL-1:SHIFT+OUT_WIDTH-(OUT_SIGNED!=0?1:0)];
    wire fits = upper == 0 || (OUT_SIGNED != 0 && &upper);
    localparam [OUT_WIDTH-1:0] ONE = 1;
    localparam [OUT_WIDTH-1:0] SIGN = OUT_SIGNED != 0 ? ONE << (OUT_WIDTH - 1) : 0;
    wire [OUT_WIDTH-1:0] even = half_up[SHIFT+OUT_WIDTH-1:SHIFT] & ~(tie ? ONE : {OUT_WIDTH{1'b0}});
    assign result = fits ? even : below ? SIGN : ~SIGN;
endmodule

`default_nettype wire

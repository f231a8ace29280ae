// An activation times an odd factor of 1, 3, 5 or -7: one addition of 2x, 4x or -8x to x. Combinational.
//
// The sign of -7 is turned in the weight's code, so that every weight of two mantissa bits needs one LUT a bit.

`default_nettype none

module pot_odd_factor #(
    // Bits of an activation, signed.
    parameter integer X_WIDTH = 8,
    // Bits of the factor's field, 1 or 2.
    parameter integer FACTOR_WIDTH = 2
) (
    input wire signed [X_WIDTH-1:0] x,
    // 0: 1, 1: 3, 2: 5, 3: -7.
    input wire [FACTOR_WIDTH-1:0] factor,
    output wire [X_WIDTH+FACTOR_WIDTH:0] product
);
    localparam integer WIDTH = X_WIDTH + FACTOR_WIDTH + 1;

    generate
        if (FACTOR_WIDTH != 1 && FACTOR_WIDTH != 2) $error("pot_odd_factor: FACTOR_WIDTH must be 1 or 2");
    endgenerate

    wire [1:0] select = {FACTOR_WIDTH > 1 ? factor[FACTOR_WIDTH-1] : 1'b0, factor[0]};
    wire signed [WIDTH-1:0] once = {{WIDTH - X_WIDTH{x[X_WIDTH-1]}}, x};
    // i0 ^ (0, i1, i2 or ~i3), by i5 and i4.
    carry_lut #(.WIDTH(WIDTH), .RAW(1), .INIT(64'haa55_5a5a_6666_aaaa)) adder(
        .i0(once), .i1(once << 1), .i2(once << 2), .i3(once << 3),
        .i4({WIDTH{select[0]}}), .i5({WIDTH{select[1]}}), .carry_in(&select), .sum(product)
    );
endmodule

`default_nettype wire

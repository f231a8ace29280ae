// Element with a shifter: shifts an activation by the power of two of its weight and adds it up.
//
// Code, from the high bit: zero weight | sign | odd factor: 1, 3, 5, -7 | power.
//
//   product_q  the activation times the odd factor, with the code beside it; only with FACTOR_WIDTH > 0
//   shifted    shifted by all bits of the power except the highest, zero for a zero weight
//   sum        the addition; its LUTs also shift by the power's highest bit and turn the sign
//   result     the last sum, until it has been read out

`default_nettype none

module pot_element_shift #(
    // Bits of an activation, signed.
    parameter integer X_WIDTH = 8,
    // Bits of the sum, more than those of a shifted activation.
    parameter integer SUM_WIDTH = 20,
    // Bits of a power, at least 1.
    parameter integer POWER_WIDTH = 3,
    // Powers of two, 1 to 2^POWER_WIDTH.
    parameter integer POWERS = 7,
    // Bits of the odd factor's field, 0 to 2.
    parameter integer FACTOR_WIDTH = 0,
    // Bits of a code, 2 + FACTOR_WIDTH + POWER_WIDTH.
    parameter integer CODE_WIDTH = 5
) (
    input wire clk,
    // A cycle, or two with FACTOR_WIDTH > 0, after the code: its activation is added.
    input wire run,
    // As `run`, without a code: the sum becomes the result and starts again at zero.
    input wire finish,
    input wire [CODE_WIDTH-1:0] code,
    input wire signed [X_WIDTH-1:0] x,
    output reg [SUM_WIDTH-1:0] result
);
    localparam integer ADDEND_WIDTH = X_WIDTH + (FACTOR_WIDTH > 0 ? FACTOR_WIDTH + 1 : 0);
    // The shift by the power's highest bit, and the largest one by the others.
    localparam integer HALF = POWER_WIDTH > 1 ? 1 << (POWER_WIDTH - 1) : 1;
    localparam integer LOW_SHIFT = POWERS - 1 < HALF - 1 ? POWERS - 1 : HALF - 1;
    localparam integer SHIFTED_WIDTH = ADDEND_WIDTH + LOW_SHIFT;

    generate
        if (POWERS < 1 || POWERS > 1 << POWER_WIDTH) $error("pot_element_shift: POWERS must be 1 to 2^POWER_WIDTH");
        if (FACTOR_WIDTH < 0 || FACTOR_WIDTH > 2) $error("pot_element_shift: FACTOR_WIDTH must be 0 to 2");
        if (SUM_WIDTH <= SHIFTED_WIDTH) $error("pot_element_shift: SUM_WIDTH is too small for an activation");
        if (CODE_WIDTH != 2 + FACTOR_WIDTH + POWER_WIDTH) $error("pot_element_shift: CODE_WIDTH is not that of a code");
    endgenerate

    // The odd factor, a stage of its own.
    wire zero, sign;
    wire [POWER_WIDTH-1:0] power;
    wire signed [ADDEND_WIDTH-1:0] addend;
    generate
        if (FACTOR_WIDTH > 0) begin : factors
            wire [ADDEND_WIDTH-1:0] product;
            pot_odd_factor #(.X_WIDTH(X_WIDTH), .FACTOR_WIDTH(FACTOR_WIDTH)) odd_factor(
                .x(x), .factor(code[POWER_WIDTH +: FACTOR_WIDTH]), .product(product)
            );
            reg [ADDEND_WIDTH-1:0] product_q;
            // The code without its factor.
            reg [POWER_WIDTH+1:0] code_q;
            always @(posedge clk) begin
                product_q <= product;
                code_q <= {code[CODE_WIDTH-1 -: 2], code[0 +: POWER_WIDTH]};
            end
            assign addend = product_q;
            assign {zero, sign, power} = code_q;
        end else begin : no_factors
            assign addend = x;
            assign {zero, sign, power} = code;
        end
    endgenerate

    // The low bits of the power, a stage of its own.
    reg signed [SHIFTED_WIDTH-1:0] shifted;
    reg sign_q, high_power_q;
    wire signed [SHIFTED_WIDTH-1:0] next_shifted;
    generate
        if (POWER_WIDTH > 1) begin : low_bits
            assign next_shifted = {{LOW_SHIFT{addend[ADDEND_WIDTH-1]}}, addend} << power[POWER_WIDTH-2:0];
        end else begin : no_low_bits
            assign next_shifted = addend;
        end
    endgenerate
    always @(posedge clk) begin
        shifted <= zero ? {SHIFTED_WIDTH{1'b0}} : next_shifted;
        sign_q <= sign;
        high_power_q <= power[POWER_WIDTH-1];
    end

    // The addition.
    reg [SUM_WIDTH-1:0] sum;
    wire [SUM_WIDTH-1:0] next_sum;
    wire [SUM_WIDTH-1:0] extended = {{SUM_WIDTH - SHIFTED_WIDTH{shifted[SHIFTED_WIDTH-1]}}, shifted};
    // i0 + ((i3 ? i2 : i1) ^ i4)
    carry_lut #(.WIDTH(SUM_WIDTH), .INIT(64'ha599_5a66_0f33_f0cc)) adder(
        .i0(sum), .i1(extended), .i2(extended << HALF), .i3({SUM_WIDTH{high_power_q}}), .i4({SUM_WIDTH{sign_q}}),
        .i5({SUM_WIDTH{1'b1}}), .carry_in(sign_q), .sum(next_sum)
    );
    always @(posedge clk) begin
        if (finish) sum <= 0;
        else if (run) sum <= next_sum;
        if (finish) result <= sum;
    end
endmodule

`default_nettype wire

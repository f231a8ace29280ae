// A processing element: shifts an activation by the power of two of its weight and accumulates.
//
// The low bits of the power shift in one stage, its highest in the adder's own look-up table, which also turns the
// sign. An odd factor of up to 7 (FACTOR_BITS) costs one more addition, of 2x, 4x or -8x to x; the sign of the
// last is turned in the weight's code.
//
// word: zero weight | sign | odd factor: 1, 3, 5, -7 | power of two
// `run` and `last` come with the accumulation, 1, + 1 (FACTOR_BITS) cycles after the word; `last`, a cycle without
// a step, takes the sum and clears it.

`default_nettype none

module pot_element_shift #(
    parameter X_WIDTH = 8,
    parameter SUM_WIDTH = 20,
    parameter POWER_WIDTH = 3,
    parameter POWERS = 7,
    parameter FACTOR_BITS = 0,
    parameter WORD_WIDTH = 5
) (
    input wire clk,
    input wire run,
    input wire last,
    input wire [WORD_WIDTH-1:0] word,
    input wire signed [X_WIDTH-1:0] x,
    output reg [SUM_WIDTH-1:0] result
);
    localparam FACTOR_WIDTH = X_WIDTH + (FACTOR_BITS > 0 ? FACTOR_BITS + 1 : 0);
    localparam HALF = POWER_WIDTH > 1 ? 1 << (POWER_WIDTH - 1) : 1;
    localparam LOW_SHIFT = POWERS - 1 < HALF - 1 ? POWERS - 1 : HALF - 1;
    localparam SHIFT_WIDTH = FACTOR_WIDTH + LOW_SHIFT;

    wire zero, sign;
    wire [POWER_WIDTH-1:0] power;
    wire signed [FACTOR_WIDTH-1:0] addend;
    generate
        if (FACTOR_BITS > 0) begin : factors
            wire [FACTOR_BITS-1:0] factor = word[POWER_WIDTH +: FACTOR_BITS];
            wire [1:0] select = {FACTOR_BITS > 1 ? factor[FACTOR_BITS-1] : 1'b0, factor[0]};
            wire signed [FACTOR_WIDTH-1:0] once = {{FACTOR_WIDTH - X_WIDTH{x[X_WIDTH-1]}}, x};
            wire [FACTOR_WIDTH-1:0] product;
            // i0 ^ (0, i1, i2 or ~i3), by i5 and i4.
            carry_lut #(.WIDTH(FACTOR_WIDTH), .RAW(1), .INIT(64'haa55_5a5a_6666_aaaa)) odd(
                .i0(once), .i1(once << 1), .i2(once << 2), .i3(once << 3),
                .i4({FACTOR_WIDTH{select[0]}}), .i5({FACTOR_WIDTH{select[1]}}), .carry_in(&select), .sum(product)
            );
            reg [FACTOR_WIDTH-1:0] product_later;
            reg [POWER_WIDTH+1:0] word_later;
            always @(posedge clk) begin
                product_later <= product;
                word_later <= {word[WORD_WIDTH-1 -: 2], word[0 +: POWER_WIDTH]};
            end
            assign addend = product_later;
            assign {zero, sign, power} = word_later;
        end else begin : powers
            assign addend = x;
            assign {zero, sign, power} = word;
        end
    endgenerate

    reg signed [SHIFT_WIDTH-1:0] shifted;
    reg negative, high;
    wire signed [SHIFT_WIDTH-1:0] wide;
    generate
        if (POWER_WIDTH > 1) begin : low_bits
            assign wide = {{LOW_SHIFT{addend[FACTOR_WIDTH-1]}}, addend} << power[POWER_WIDTH-2:0];
        end else begin : no_low_bits
            assign wide = addend;
        end
    endgenerate
    always @(posedge clk) begin
        shifted <= zero ? {SHIFT_WIDTH{1'b0}} : wide;
        negative <= sign;
        high <= power[POWER_WIDTH-1];
    end

    reg [SUM_WIDTH-1:0] sum;
    wire [SUM_WIDTH-1:0] next;
    wire [SUM_WIDTH-1:0] extended = {{SUM_WIDTH - SHIFT_WIDTH{shifted[SHIFT_WIDTH-1]}}, shifted};
    // i0 + ((i3 ? i2 : i1) ^ i4)
    carry_lut #(.WIDTH(SUM_WIDTH), .INIT(64'ha599_5a66_0f33_f0cc)) adder(
        .i0(sum), .i1(extended), .i2(extended << HALF), .i3({SUM_WIDTH{high}}), .i4({SUM_WIDTH{negative}}),
        .i5({SUM_WIDTH{1'b1}}), .carry_in(negative), .sum(next)
    );
    always @(posedge clk) begin
        if (last) sum <= 0;
        else if (run) sum <= next;
        if (last) result <= sum;
    end
endmodule

`default_nettype wire

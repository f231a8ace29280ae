// From sums to codes, one a cycle: result = round((sum << shift[n]) + bias[n] >> OUT_SHIFT), half to even, saturated.
//
// The memory of constants has shift[n] | bias[n] for every output n. FIXED_SHIFT and shift[n] bring all outputs to one
// common right shift; shift[n] is two bits of 0 to 2, and twice the bits above them. The bias is on the same grid and
// has a half of the result's unit in it, so that dropping bits rounds half up. A tie, whose low bits are then all zero,
// goes to the even code: its last bit is cleared.
//
//   constant    shift and bias of the output, read with `next`, a cycle before the sum
//   total       the sum, shifted and with its bias
//   result      rounded and saturated

`default_nettype none

module pot_linear_requantize #(
    // Tokens whose sums come in turns, 1 or 2.
    parameter integer TOKENS = 1,
    // Outputs of a token.
    parameter integer CHANNELS = 96,
    // Outputs with those that fill up the last group; they have sums but give no result.
    parameter integer PADDED_CHANNELS = 96,
    // Bits of a sum.
    parameter integer SUM_WIDTH = 20,
    // Bits of a total, more than those of sums, biases and shifted results.
    parameter integer TOTAL_WIDTH = 24,
    parameter integer BIAS_WIDTH = 20,
    // Left shift of all sums.
    parameter integer FIXED_SHIFT = 0,
    // Bits of shift[n], at least 0.
    parameter integer SHIFT_WIDTH = 2,
    // Right shift of all totals.
    parameter integer OUT_SHIFT = 10,
    parameter integer OUT_WIDTH = 8,
    parameter integer OUT_SIGNED = 1,
    // Path of the constants for $readmemh.
    parameter CONSTANTS_FILE = "constants.hex"
) (
    input wire clk,
    input wire rst,
    // A sum comes in the next cycle.
    input wire next,
    input wire signed [SUM_WIDTH-1:0] sum,
    // Two cycles after the sum.
    output reg valid,
    output reg [OUT_WIDTH-1:0] result
);
    localparam integer CHANNEL_WIDTH = PADDED_CHANNELS > 1 ? $clog2(PADDED_CHANNELS) : 1;
    localparam integer CONSTANT_WIDTH = SHIFT_WIDTH + BIAS_WIDTH;
    localparam integer HIGH_WIDTH = TOTAL_WIDTH - OUT_SHIFT;
    localparam integer LAST = PADDED_CHANNELS - 1;

    generate
        if (CHANNELS < 1 || PADDED_CHANNELS < CHANNELS)
            $error("pot_linear_requantize: PADDED_CHANNELS must be at least CHANNELS, and that at least 1");
        if (TOTAL_WIDTH <= SUM_WIDTH || TOTAL_WIDTH <= BIAS_WIDTH)
            $error("pot_linear_requantize: TOTAL_WIDTH must be above SUM_WIDTH and BIAS_WIDTH");
        if (HIGH_WIDTH <= (OUT_SIGNED != 0 ? OUT_WIDTH - 1 : OUT_WIDTH))
            $error("pot_linear_requantize: TOTAL_WIDTH is too small for OUT_SHIFT and OUT_WIDTH");
        if (FIXED_SHIFT < 0 || SHIFT_WIDTH < 0 || OUT_SHIFT < 0)
            $error("pot_linear_requantize: shifts must be at least 0");
    endgenerate

    // The output whose sum comes next, and its constants.
    reg [CHANNEL_WIDTH-1:0] channel;
    wire last_token;
    reg [CONSTANT_WIDTH-1:0] constant;
    (* logic_block *) reg [CONSTANT_WIDTH-1:0] constants[0:PADDED_CHANNELS-1];
    initial $readmemh(CONSTANTS_FILE, constants);
    always @(posedge clk) constant <= constants[channel];

    // Whether there is a sum, and a total, of an output that is not padding.
    reg valid_sum, valid_total;
    generate
        if (PADDED_CHANNELS > CHANNELS) begin : padded
            always @(posedge clk) valid_sum <= next && channel < CHANNELS[CHANNEL_WIDTH-1:0] && !rst;
        end else begin : exact
            always @(posedge clk) valid_sum <= next && !rst;
        end
    endgenerate

    generate
        if (TOKENS > 1) begin : turns
            reg second_token;
            always @(posedge clk) begin
                if (next) second_token <= !second_token;
                if (rst) second_token <= 0;
            end
            assign last_token = second_token;
        end else begin : no_turns
            assign last_token = 1;
        end
    endgenerate

    // The shift without its two low bits, which are in the adder's LUTs.
    wire signed [BIAS_WIDTH-1:0] bias = constant[BIAS_WIDTH-1:0];
    wire signed [TOTAL_WIDTH-1:0] wide_sum = {{TOTAL_WIDTH - SUM_WIDTH{sum[SUM_WIDTH-1]}}, sum};
    wire signed [TOTAL_WIDTH-1:0] coarse;
    wire [1:0] fine;
    generate
        if (SHIFT_WIDTH > 2) begin : shifts
            assign coarse = wide_sum << FIXED_SHIFT << {constant[CONSTANT_WIDTH-1:BIAS_WIDTH+2], 1'b0};
            assign fine = constant[BIAS_WIDTH +: 2];
        end else if (SHIFT_WIDTH > 0) begin : small_shifts
            assign coarse = wide_sum << FIXED_SHIFT;
            assign fine = {SHIFT_WIDTH > 1 ? constant[CONSTANT_WIDTH-1] : 1'b0, constant[BIAS_WIDTH]};
        end else begin : no_shift
            assign coarse = wide_sum << FIXED_SHIFT;
            assign fine = 0;
        end
    endgenerate

    wire [TOTAL_WIDTH-1:0] next_total;
    // i0 + (i1, i2 or i3, by i5 and i4)
    carry_lut #(.WIDTH(TOTAL_WIDTH), .RAW(1), .INIT(64'haaaa_55aa_5a5a_6666)) adder(
        .i0({{TOTAL_WIDTH - BIAS_WIDTH{bias[BIAS_WIDTH-1]}}, bias}), .i1(coarse), .i2(coarse << 1), .i3(coarse << 2),
        .i4({TOTAL_WIDTH{fine[0]}}), .i5({TOTAL_WIDTH{fine[1]}}), .carry_in(1'b0), .sum(next_total)
    );
    reg signed [TOTAL_WIDTH-1:0] total;

    // Rounding and saturation: the bits above the result must all be its sign, or zero where it has none.
    wire [HIGH_WIDTH-1:0] high = total[TOTAL_WIDTH-1:OUT_SHIFT];
    wire tie;
    generate
        if (OUT_SHIFT > 0) begin : rounds
            assign tie = total[OUT_SHIFT-1:0] == 0;
        end else begin : whole
            assign tie = 0;
        end
    endgenerate
    localparam integer SIGNS = OUT_SIGNED != 0 ? OUT_WIDTH - 1 : OUT_WIDTH;
    wire negative = high[HIGH_WIDTH-1];
    wire fits = high[HIGH_WIDTH-1:SIGNS] == {HIGH_WIDTH - SIGNS{OUT_SIGNED != 0 ? negative : 1'b0}};
    wire [OUT_WIDTH-1:0] bound = OUT_SIGNED != 0 ? {negative, {OUT_WIDTH - 1{!negative}}} : {OUT_WIDTH{!negative}};

    always @(posedge clk) begin
        if (next && last_token)
            channel <= channel == LAST[CHANNEL_WIDTH-1:0] ? {CHANNEL_WIDTH{1'b0}} : channel + 1'b1;
        total <= next_total;
        valid_total <= valid_sum && !rst;
        result <= fits ? {high[OUT_WIDTH-1:1], high[0] && !tie} : bound;
        valid <= valid_total && !rst;
        if (rst) channel <= 0;
    end
endmodule

`default_nettype wire

// result = requantize((sum << shift[n]) + bias[n], OUT_SHIFT), half to even and saturated, one a cycle.
//
// constants[n] = shift[n] | bias[n]. The shift brings every channel to one common right shift. It is its two low bits,
// 0 to 2, and twice the bits above. The bias is on the same grid and has a half of the result's unit in it, so that
// the sum rounds half up: a tie, whose low bits are all zero, goes to the even code by its last bit.
// Two cycles after the sum; the constants are read in the clock before it. The sums of TOKENS tokens come in turns.

`default_nettype none

module pot_linear_requantize #(
    parameter TOKENS = 1,
    parameter CHANNELS = 96,
    parameter CHANNEL_WIDTH = 7,
    parameter PADDED_CHANNELS = 96,
    parameter SUM_WIDTH = 20,
    parameter TOTAL_WIDTH = 24,
    parameter BIAS_WIDTH = 20,
    parameter FIXED_SHIFT = 0,
    parameter SHIFT_WIDTH = 2,
    parameter OUT_SHIFT = 10,
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    parameter BLOCK_ROM = 0,
    parameter CONSTANTS_FILE = "constants.hex"
) (
    input wire clk,
    input wire rst,
    // In the clock before the sum.
    input wire next,
    input wire signed [SUM_WIDTH-1:0] sum,
    output reg valid,
    output reg [OUT_WIDTH-1:0] result
);
    localparam CONSTANT_WIDTH = SHIFT_WIDTH + BIAS_WIDTH;
    localparam HIGH_WIDTH = TOTAL_WIDTH - OUT_SHIFT;
    localparam LAST = PADDED_CHANNELS - 1;

    reg [CHANNEL_WIDTH-1:0] channel;
    wire last_token;
    reg [CONSTANT_WIDTH-1:0] constant;
    reg valid_sum, valid_total;
    generate
        if (BLOCK_ROM != 0) begin : block_rom
            (* rom_style = "block" *) reg [CONSTANT_WIDTH-1:0] constants[0:PADDED_CHANNELS-1];
            initial $readmemh(CONSTANTS_FILE, constants);
            always @(posedge clk) constant <= constants[channel];
        end else begin : distributed_rom
            (* logic_block *) reg [CONSTANT_WIDTH-1:0] constants[0:PADDED_CHANNELS-1];
            initial $readmemh(CONSTANTS_FILE, constants);
            always @(posedge clk) constant <= constants[channel];
        end
        if (PADDED_CHANNELS > CHANNELS) begin : padded
            always @(posedge clk) valid_sum <= next && channel < CHANNELS[CHANNEL_WIDTH-1:0] && !rst;
        end else begin : exact
            always @(posedge clk) valid_sum <= next && !rst;
        end
    endgenerate

    generate
        if (TOKENS > 1) begin : turns
            reg second;
            always @(posedge clk) begin
                if (next) second <= !second;
                if (rst) second <= 0;
            end
            assign last_token = second;
        end else begin : no_turns
            assign last_token = 1;
        end
    endgenerate

    wire signed [BIAS_WIDTH-1:0] bias = constant[BIAS_WIDTH-1:0];
    wire signed [TOTAL_WIDTH-1:0] wide_sum = {{TOTAL_WIDTH - SUM_WIDTH{sum[SUM_WIDTH-1]}}, sum};
    // The last two places of the shift are in the adder's look-up tables.
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

    wire [HIGH_WIDTH-1:0] high = total[TOTAL_WIDTH-1:OUT_SHIFT];
    wire tie;
    generate
        if (OUT_SHIFT > 0) begin : rounds
            assign tie = total[OUT_SHIFT-1:0] == 0;
        end else begin : whole
            assign tie = 0;
        end
    endgenerate
    // Codes have one sign bit more than bits of the result where it is unsigned.
    localparam SAME = OUT_SIGNED != 0 ? OUT_WIDTH - 1 : OUT_WIDTH;
    wire negative = high[HIGH_WIDTH-1];
    wire fits = high[HIGH_WIDTH-1:SAME] == {HIGH_WIDTH - SAME{OUT_SIGNED != 0 ? negative : 1'b0}};
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

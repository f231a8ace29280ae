// Joins the words of attention_lanes, of which all but one are 0, and ends their rounding: half to even, saturated.
//
// The result comes a cycle after its word, two with PACKED, where `high` tells with the word which of its two
// sums is wanted.

`default_nettype none

module attention_result #(
    parameter integer WORDS = 1,
    parameter integer PACKED = 0,
    parameter integer SUM_WIDTH = 21,
    parameter integer SHIFT = 0,
    parameter integer OUT_WIDTH = 8,
    parameter integer WORD = 1 + SUM_WIDTH - SHIFT + (PACKED != 0 ? SUM_WIDTH : 0)
) (
    input wire clk,
    input wire [WORDS*WORD-1:0] words,
    input wire high,
    output reg [OUT_WIDTH-1:0] result
);
    localparam integer KEPT = SUM_WIDTH - SHIFT;
    localparam integer WRAPS = SUM_WIDTH > 16 ? SUM_WIDTH - 16 : 1;

    reg [WORD-1:0] word;
    integer n;
    always @* begin
        word = {WORD{1'b0}};
        for (n = 0; n < WORDS; n = n + 1) word = word | words[n*WORD+:WORD];
    end

    wire [KEPT-1:0] half_up;
    wire tie;
    generate
        if (PACKED == 0) begin : single
            wire unused = high;
            assign {half_up, tie} = word;
        end else begin : pair
            // What lies above the low sum is the high one and the low one's wraps, its own upper bits.
            wire [SUM_WIDTH-1:0] wraps = {{SUM_WIDTH - WRAPS{word[KEPT]}}, word[KEPT-:WRAPS]};
            wire [SUM_WIDTH-1:0] high_sum = word[WORD-1-:SUM_WIDTH] - wraps;
            reg is_high, low_tie;
            reg [SUM_WIDTH-1:0] sum;
            always @(posedge clk) begin
                is_high <= high;
                low_tie <= word[0];
                sum <= high_sum;
                if (!high) sum[SUM_WIDTH-1:SHIFT] <= word[KEPT:1];
            end
            assign half_up = sum[SUM_WIDTH-1:SHIFT];
            if (SHIFT == 0) begin : exact
                wire unused = &{1'b0, is_high, low_tie};
                assign tie = 1'b0;
            end else begin : rounded
                assign tie = is_high ? sum[SHIFT-1:0] == {SHIFT{1'b0}} : low_tie;
            end
        end
    endgenerate

    generate
        if (KEPT > OUT_WIDTH) begin : saturating
            wire sign = half_up[KEPT-1];
            wire fits = half_up[KEPT-2:OUT_WIDTH-1] == {KEPT - OUT_WIDTH{sign}};
            always @(posedge clk)
                result <= fits ? {half_up[OUT_WIDTH-1:1], half_up[0] && !tie} : {sign, {OUT_WIDTH - 1{!sign}}};
        end else begin : extending
            wire [OUT_WIDTH+KEPT-1:0] extended = {{OUT_WIDTH{half_up[KEPT-1]}}, half_up[KEPT-1:1], half_up[0] && !tie};
            wire unused_bits = &{1'b0, extended};
            always @(posedge clk) result <= extended[OUT_WIDTH-1:0];
        end
    endgenerate
endmodule

`default_nettype wire

// Makes a result of the chosen sum: joins the words of attention_lanes and ends the rounding, half to even, saturated.
//
// The sum has half a step of the result in it, so that dropping its low SHIFT bits rounds half up. That differs from
// half to even in a tie only, where the dropped bits are 0: then the last bit of the result is cleared.
//
// Cycle 0   the words, all but at most one of which are 0; with PACKED, which of its two sums is wanted
// Cycle 1   with PACKED, the sum
// Cycle 1   the result; 2 with PACKED

`default_nettype none

module attention_result #(
    // Words to join.
    parameter integer WORDS = 1,
    // See attention_core.
    parameter integer PACKED = 0,
    parameter integer SUM_WIDTH = 16,
    parameter integer SHIFT = 0,
    parameter integer OUT_WIDTH = 8,
    parameter integer WORD_WIDTH = 17,
    parameter integer WRAP_WIDTH = 1
) (
    input wire clk,
    // See attention_lanes.
    input wire [WORDS*WORD_WIDTH-1:0] words,
    // The high sum of the word is wanted, with PACKED.
    input wire high,
    // A signed code.
    output reg [OUT_WIDTH-1:0] result
);
    // Bits of a sum >> SHIFT.
    localparam integer SHIFTED = SUM_WIDTH - SHIFT;

`ifndef __ICARUS__
    generate
        if (WORDS < 1 || SHIFTED < 2 || OUT_WIDTH < 2)
            $error("attention_result: WORDS must be at least 1, SUM_WIDTH - SHIFT and OUT_WIDTH at least 2");
        if (WORD_WIDTH != 1 + SHIFTED + (PACKED != 0 ? SUM_WIDTH : 0))
            $error("attention_result: WORD_WIDTH must hold the sums of a DSP and a tie");
        if (PACKED != 0 && WRAP_WIDTH > SHIFTED)
            $error("attention_result: WRAP_WIDTH must be at most SUM_WIDTH - SHIFT");
    endgenerate
`endif

    reg [WORD_WIDTH-1:0] word;
    integer n;
    always @* begin
        word = {WORD_WIDTH{1'b0}};
        for (n = 0; n < WORDS; n = n + 1) word = word | words[n*WORD_WIDTH+:WORD_WIDTH];
    end

    wire [SHIFTED-1:0] half_up;
    wire tie;
    generate
        if (PACKED == 0) begin : single
            wire unused = high;
            assign {half_up, tie} = word;
        end else begin : pair
            // The DSP's upper bits are the high sum, plus what the low sum carried into them: its wraps, which are the
            // low sum's own upper bits.
            wire [SUM_WIDTH-1:0] wraps = {{SUM_WIDTH - WRAP_WIDTH{word[SHIFTED]}}, word[SHIFTED-:WRAP_WIDTH]};
            wire [SUM_WIDTH-1:0] high_sum = word[WORD_WIDTH-1-:SUM_WIDTH] - wraps;
            // Cycle 1: a stage of its own for this subtraction.
            reg high_q, low_tie_q;
            reg [SUM_WIDTH-1:0] sum_q;
            always @(posedge clk) begin
                high_q <= high;
                low_tie_q <= word[0];
                sum_q <= high_sum;
                if (!high) sum_q[SUM_WIDTH-1:SHIFT] <= word[SHIFTED:1];
            end
            assign half_up = sum_q[SUM_WIDTH-1:SHIFT];
            if (SHIFT == 0) begin : exact
                wire unused = &{1'b0, high_q, low_tie_q};
                assign tie = 1'b0;
            end else begin : rounded
                assign tie = high_q ? sum_q[SHIFT-1:0] == {SHIFT{1'b0}} : low_tie_q;
            end
        end
    endgenerate

    generate
        if (SHIFTED > OUT_WIDTH) begin : saturating
            wire sign = half_up[SHIFTED-1];
            wire fits = half_up[SHIFTED-2:OUT_WIDTH-1] == {SHIFTED - OUT_WIDTH{sign}};
            always @(posedge clk)
                result <= fits ? {half_up[OUT_WIDTH-1:1], half_up[0] && !tie} : {sign, {OUT_WIDTH - 1{!sign}}};
        end else begin : extending
            wire [OUT_WIDTH+SHIFTED-1:0] extended =
                {{OUT_WIDTH{half_up[SHIFTED-1]}}, half_up[SHIFTED-1:1], half_up[0] && !tie};
            wire unused_bits = &{1'b0, extended};
            always @(posedge clk) result <= extended[OUT_WIDTH-1:0];
        end
    endgenerate
endmodule

`default_nettype wire

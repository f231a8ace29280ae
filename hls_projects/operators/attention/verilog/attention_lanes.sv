// The sums of the lanes of one head: DSPs that add up products, registers that hold the sums, a choice of one of them.
//
// Cycle 0   the step's codes: one for every lane, and the shared one
// Cycle 2   first and add, beside the products in the DSPs
// Cycle 4   the sums; with them `added`, and `last` if the step is their last one
// Cycle 5   the sums are held, until the next ones
//
// In a cycle with `choose`, `lane` selects a DSP. A cycle later its word is one of `words` and the others are 0, so
// that attention_result joins them with an OR. Words are of quads of DSPs: a LUT of six inputs chooses a bit of four.
// A word is {high sum, low sum >> SHIFT, tie of the low sum} with PACKED, where a DSP has two lanes, else
// {sum >> SHIFT, tie}. A tie is a sum whose dropped bits are 0: START has been added to it, see multiply_accumulate.

`default_nettype none

module attention_lanes #(
    // See attention_core.
    parameter integer LANES = 1,
    parameter integer PACKED = 0,
    parameter integer STORED_WIDTH = 8,
    parameter integer STORED_SIGNED = 1,
    parameter integer SHARED_WIDTH = 8,
    parameter integer SHARED_SIGNED = 1,
    parameter integer SUM_WIDTH = 16,
    parameter integer SHIFT = 0,
    // DSPs: a lane each, with PACKED two. Quads of them, the last one possibly with fewer.
    parameter integer DSPS = 1,
    parameter integer QUADS = 1,
    // Bits of a word, and with PACKED the bits of a low sum that are counted beside its DSP.
    parameter integer WORD_WIDTH = 17,
    parameter integer WRAP_WIDTH = 1,
    // Bits of the number of a lane. Not to be set.
    parameter integer LANE_BITS = LANES > 2 ? $clog2(LANES) : 1
) (
    input wire clk,
    input wire rst,
    // Codes of the step.
    input wire [LANES*STORED_WIDTH-1:0] stored,
    input wire [SHARED_WIDTH-1:0] shared,
    // The step that came two cycles ago is the first of its sums, and its products are added.
    input wire first,
    input wire add,
    // The step that came four cycles ago has been added, and was the last of its sums.
    input wire added,
    input wire last,
    // The sum that is chosen, if it is of this head.
    input wire choose,
    input wire [LANE_BITS-1:0] lane,
    // A word of every quad, of which at most one is not 0.
    output reg [QUADS*WORD_WIDTH-1:0] words
);
    localparam [47:0] HALF = SHIFT == 0 ? 48'd0 : 48'd1 << (SHIFT - 1);

`ifndef __ICARUS__
    generate
        if (DSPS != (PACKED != 0 ? (LANES + 1) / 2 : LANES) || QUADS != (DSPS + 3) / 4)
            $error("attention_lanes: DSPS must hold LANES, QUADS must hold DSPS");
        if (WORD_WIDTH != 1 + SUM_WIDTH - SHIFT + (PACKED != 0 ? SUM_WIDTH : 0))
            $error("attention_lanes: WORD_WIDTH must hold the sums of a DSP and the tie of one");
        if (SUM_WIDTH > 48 || SHIFT > SUM_WIDTH - 2)
            $error("attention_lanes: SUM_WIDTH must be SHIFT + 2 to 48");
        if (SHARED_WIDTH > 18 - (SHARED_SIGNED != 0 ? 0 : 1) || STORED_WIDTH > 25 - (STORED_SIGNED != 0 ? 0 : 1))
            $error("attention_lanes: the codes must fit a DSP's signed factors of 18 and 25 bits");
    endgenerate
`endif

    wire [DSPS*WORD_WIDTH-1:0] dsp_sums;
    reg [4*QUADS*WORD_WIDTH-1:0] dsp_sums_q;
    genvar n;

    wire [17:0] factor = {{18 - SHARED_WIDTH{SHARED_SIGNED != 0 && shared[SHARED_WIDTH-1]}}, shared};

    generate
        if (PACKED == 0) begin : plain
            wire unused = &{1'b0, rst, added};
            for (n = 0; n < DSPS; n = n + 1) begin : in_dsp
                wire [STORED_WIDTH-1:0] element = stored[n*STORED_WIDTH+:STORED_WIDTH];
                wire [47:0] sum;
                wire tie;
                wire unused_bits = &{1'b0, sum};
                multiply_accumulate #(
                    .START(HALF),
                    .SHIFT(SHIFT)
                ) mac (
                    .clk(clk),
                    .a({{25 - STORED_WIDTH{STORED_SIGNED != 0 && element[STORED_WIDTH-1]}}, element}),
                    .d(25'd0),
                    .b(factor),
                    .first(first),
                    .add(add),
                    .sum(sum),
                    .tie(tie)
                );
                assign dsp_sums[n*WORD_WIDTH+:WORD_WIDTH] = {sum[SUM_WIDTH-1:SHIFT], tie};
            end
        end else begin : packed_in_pairs
`ifndef __ICARUS__
            if (STORED_SIGNED == 0 || STORED_WIDTH > 8 || SHIFT > 15)
                $error("attention_lanes: with PACKED, stored codes must be signed and of up to 8 bits, SHIFT up to 15");
`endif

            // Sign of the shared code, beside the four registers of a DSP. The reset makes them flip-flops.
            reg negative_q, negative_q2, negative_q3, negative_q4;
            always @(posedge clk)
                {negative_q4, negative_q3, negative_q2, negative_q} <= rst || SHARED_SIGNED == 0 ? 4'd0 :
                    {negative_q3, negative_q2, negative_q, shared[SHARED_WIDTH-1]};

            for (n = 0; n < DSPS; n = n + 1) begin : in_dsp
                wire [STORED_WIDTH-1:0] low = stored[2*n*STORED_WIDTH+:STORED_WIDTH];
                wire [STORED_WIDTH-1:0] high;
                if (2 * n + 1 < LANES) begin : two
                    assign high = stored[(2*n+1)*STORED_WIDTH+:STORED_WIDTH];
                end else begin : one
                    assign high = {STORED_WIDTH{1'b0}};
                end
                wire [15:0] low_bits;
                wire [31:0] high_bits;
                wire [WRAP_WIDTH-1:0] wraps;
                wire [WRAP_WIDTH+15:0] low_sum = {wraps, low_bits};
                wire tie;
                wire unused_bits = &{1'b0, low_sum, high_bits};
                multiply_accumulate_pair #(
                    .WIDTH(STORED_WIDTH),
                    .SHIFT(SHIFT),
                    .WRAPS(WRAP_WIDTH)
                ) mac (
                    .clk(clk),
                    .rst(rst),
                    .a_low(low),
                    .a_high(high),
                    .b(factor),
                    .b_negative(negative_q4),
                    .first(first),
                    .add(add),
                    .added(added),
                    .last(last),
                    .low_bits(low_bits),
                    .high_bits(high_bits),
                    .wraps(wraps),
                    .tie(tie)
                );
                assign dsp_sums[n*WORD_WIDTH+:WORD_WIDTH] = {high_bits[SUM_WIDTH-1:0], low_sum[SUM_WIDTH-1:SHIFT], tie};
            end
        end
    endgenerate

    // Cycle 5: the DSPs go on with the next sums.
    always @(posedge clk) if (last) dsp_sums_q <= (4 * QUADS * WORD_WIDTH)'(dsp_sums);

    // The chosen DSP: its number in its quad in the two low bits, its quad above them.
    wire [LANE_BITS+1:0] dsp = {2'b00, lane} >> (PACKED != 0 ? 1 : 0);
    generate
        for (n = 0; n < QUADS; n = n + 1) begin : in_quad
            wire [4*WORD_WIDTH-1:0] four = dsp_sums_q[4*n*WORD_WIDTH+:4*WORD_WIDTH];
            wire [2*WORD_WIDTH-1:0] two = dsp[1] ? four[2*WORD_WIDTH+:2*WORD_WIDTH] : four[0+:2*WORD_WIDTH];
            always @(posedge clk)
                if (choose && 32'(dsp[LANE_BITS+1:2]) == n)
                    words[n*WORD_WIDTH+:WORD_WIDTH] <= dsp[0] ? two[WORD_WIDTH+:WORD_WIDTH] : two[0+:WORD_WIDTH];
                else words[n*WORD_WIDTH+:WORD_WIDTH] <= {WORD_WIDTH{1'b0}};
        end
    endgenerate
endmodule

`default_nettype wire

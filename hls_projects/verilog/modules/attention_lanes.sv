// LANES sums of products of one head, held for a reader that takes one after the other.
//
// Clock 0: the `stored` elements, one of every lane, and the `shared` one. Clock 2: `first` and `add`. Clock 4:
// the sums, with them `added` and, of the last step, `last`. Clock 5: they are held until the next. Then, a
// clock after its number is at `lane` and `choose` is high, a lane is in `chosen`: the words of quads of DSPs,
// of which all but one are 0. A word is {high sum, low sum >> SHIFT, low sum's tie} of a DSP with two lanes
// (PACKED), {sum >> SHIFT, tie} else; rounding has begun, see multiply_accumulate.

`default_nettype none

module attention_lanes #(
    parameter integer LANES = 1,
    parameter integer PACKED = 0,
    parameter integer STORED_WIDTH = 8,
    parameter integer STORED_SIGNED = 1,
    parameter integer SHARED_WIDTH = 8,
    parameter integer SHARED_SIGNED = 1,
    parameter integer SUM_WIDTH = 21,
    parameter integer SHIFT = 0,
    parameter integer LANE_BITS = LANES > 2 ? $clog2(LANES) : 1,
    parameter integer WORD = 1 + SUM_WIDTH - SHIFT + (PACKED != 0 ? SUM_WIDTH : 0),
    parameter integer DSPS = PACKED != 0 ? (LANES + 1) / 2 : LANES,
    parameter integer QUADS = (DSPS + 3) / 4
) (
    input wire clk,
    input wire rst,
    input wire [LANES*STORED_WIDTH-1:0] stored,
    input wire [SHARED_WIDTH-1:0] shared,
    input wire first,
    input wire add,
    input wire added,
    input wire last,
    input wire choose,
    input wire [LANE_BITS-1:0] lane,
    output reg [QUADS*WORD-1:0] chosen
);
    localparam integer WRAPS = SUM_WIDTH > 16 ? SUM_WIDTH - 16 : 1;
    localparam [47:0] HALF = SHIFT == 0 ? 48'd0 : 48'd1 << (SHIFT - 1);

    wire [DSPS*WORD-1:0] words;
    reg [4*QUADS*WORD-1:0] held;
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
                assign words[n*WORD+:WORD] = {sum[SUM_WIDTH-1:SHIFT], tie};
            end
        end else begin : packed_in_pairs
            // Delayed beside the DSPs' registers; the reset keeps the chain out of LUTs.
            reg [3:0] negative;
            always @(posedge clk)
                negative <= rst || SHARED_SIGNED == 0 ? 4'd0 : {negative[2:0], shared[SHARED_WIDTH-1]};

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
                wire [WRAPS-1:0] wraps;
                wire [WRAPS+15:0] low_sum = {wraps, low_bits};
                wire tie;
                wire unused_bits = &{1'b0, low_sum, high_bits};
                multiply_accumulate_pair #(
                    .WIDTH(STORED_WIDTH),
                    .SHIFT(SHIFT),
                    .WRAPS(WRAPS)
                ) mac (
                    .clk(clk),
                    .rst(rst),
                    .a_low(low),
                    .a_high(high),
                    .b(factor),
                    .b_negative(negative[3]),
                    .first(first),
                    .add(add),
                    .added(added),
                    .last(last),
                    .low_bits(low_bits),
                    .high_bits(high_bits),
                    .wraps(wraps),
                    .tie(tie)
                );
                assign words[n*WORD+:WORD] = {high_bits[SUM_WIDTH-1:0], low_sum[SUM_WIDTH-1:SHIFT], tie};
            end
        end
    endgenerate

    always @(posedge clk) if (last) held <= (4 * QUADS * WORD)'(words);

    // A LUT for a bit of four words; joining quads by or takes another for six.
    wire [LANE_BITS+1:0] dsp = {2'b00, lane} >> (PACKED != 0 ? 1 : 0);
    generate
        for (n = 0; n < QUADS; n = n + 1) begin : in_quad
            wire [4*WORD-1:0] four = held[4*n*WORD+:4*WORD];
            wire [2*WORD-1:0] two = dsp[1] ? four[2*WORD+:2*WORD] : four[0+:2*WORD];
            always @(posedge clk)
                if (choose && 32'(dsp[LANE_BITS+1:2]) == n) chosen[n*WORD+:WORD] <= dsp[0] ? two[WORD+:WORD] : two[0+:WORD];
                else chosen[n*WORD+:WORD] <= {WORD{1'b0}};
        end
    endgenerate
endmodule

`default_nettype wire

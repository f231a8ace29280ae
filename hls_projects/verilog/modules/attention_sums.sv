// Sums of products in parallel lanes of parallel heads, of which one result after another comes out.
//
// Clock 0: `first`, `add` and `last` of a step, with the last the `address` of its sum and whether it is the
// `last_sum` of its query. Clock 1: the step's elements, see attention_lanes. Clock 6 + n: lane n, head after
// head, is chosen. Clock 8 + n, or 9 + n with PACKED: its `result` at the sum's address, in which head and
// lane have been filled in. `put` comes a cycle after the last result of a query. Sums must be at least as
// many cycles apart as there are lanes.

`default_nettype none

module attention_sums #(
    parameter integer PARALLEL_HEADS = 1,
    parameter integer LANES = 1,
    parameter integer PERIOD = 1,
    parameter integer PACKED = 0,
    parameter integer SHARED_WIDTH = 8,
    parameter integer SHARED_SIGNED = 1,
    parameter integer STORED_WIDTH = 8,
    parameter integer STORED_SIGNED = 1,
    parameter integer SUM_WIDTH = 21,
    parameter integer SHIFT = 0,
    parameter integer OUT_WIDTH = 8,
    parameter integer ADDRESS = 9,
    parameter integer AT_HEAD = 3
) (
    input wire clk,
    input wire rst,
    input wire first,
    input wire add,
    input wire last,
    input wire [ADDRESS-1:0] address,
    input wire last_sum,
    input wire [PARALLEL_HEADS*LANES*STORED_WIDTH-1:0] stored,
    input wire [PARALLEL_HEADS*SHARED_WIDTH-1:0] shared,
    output wire result_valid,
    output wire [ADDRESS-1:0] result_address,
    output wire [OUT_WIDTH-1:0] result,
    output reg put
);
    // Control, as many cycles late as what it goes with. Resets keep the chains out of LUTs.
    reg [3:1] first_at;
    reg [5:1] add_at, last_at;
    // Sums are at least 5 cycles apart, or their places come in a chain, too.
    wire [ADDRESS:0] sum_at_5;
    always @(posedge clk) begin
        first_at <= rst ? 0 : {first_at[2:1], first};
        add_at <= rst ? 0 : {add_at[4:1], add};
        last_at <= rst ? 0 : {last_at[4:1], last};
    end
    generate
        if (PERIOD >= 5) begin : apart
            reg [ADDRESS:0] kept;
            always @(posedge clk) if (last) kept <= {last_sum, address};
            assign sum_at_5 = kept;
        end else begin : close
            reg [ADDRESS:0] sum_at[1:5];
            integer n;
            always @(posedge clk) begin
                sum_at[1] <= rst ? 0 : {last_sum, address};
                for (n = 2; n <= 5; n = n + 1) sum_at[n] <= rst ? 0 : sum_at[n-1];
            end
            assign sum_at_5 = sum_at[5];
        end
    endgenerate

    // Which lane of which head is chosen.
    wire [(LANES > 2 ? $clog2(LANES) : 1)-1:0] lane;
    wire [(PARALLEL_HEADS > 2 ? $clog2(PARALLEL_HEADS) : 1)-1:0] head;
    wire last_lane, last_head;
    reg choosing, of_last_sum;
    reg [ADDRESS-1:0] of_sum;
    always @(posedge clk) begin
        if (last_at[5]) {of_last_sum, of_sum} <= sum_at_5;
        choosing <= !rst && (last_at[5] || (choosing && !(last_lane && last_head)));
    end
    loop_counter #(.COUNT(LANES)) lanes (
        .clk(clk), .rst(rst), .step(choosing), .cut(1'b0), .count(lane), .last(last_lane)
    );
    loop_counter #(.COUNT(PARALLEL_HEADS)) heads (
        .clk(clk), .rst(rst), .step(choosing && last_lane), .cut(1'b0), .count(head), .last(last_head)
    );

    localparam integer WORD = 1 + SUM_WIDTH - SHIFT + (PACKED != 0 ? SUM_WIDTH : 0);
    localparam integer DSPS = PACKED != 0 ? (LANES + 1) / 2 : LANES;
    localparam integer QUADS = (DSPS + 3) / 4;
    wire [PARALLEL_HEADS*QUADS*WORD-1:0] chosen;
    genvar h;
    generate
        for (h = 0; h < PARALLEL_HEADS; h = h + 1) begin : in_head
            attention_lanes #(
                .LANES(LANES),
                .PACKED(PACKED),
                .STORED_WIDTH(STORED_WIDTH),
                .STORED_SIGNED(STORED_SIGNED),
                .SHARED_WIDTH(SHARED_WIDTH),
                .SHARED_SIGNED(SHARED_SIGNED),
                .SUM_WIDTH(SUM_WIDTH),
                .SHIFT(SHIFT)
            ) sums (
                .clk(clk),
                .rst(rst),
                .stored(stored[h*LANES*STORED_WIDTH+:LANES*STORED_WIDTH]),
                .shared(shared[h*SHARED_WIDTH+:SHARED_WIDTH]),
                .first(first_at[3]),
                .add(add_at[3]),
                .added(add_at[5]),
                .last(last_at[5]),
                .choose(32'(head) == h),
                .lane(lane),
                .chosen(chosen[h*QUADS*WORD+:QUADS*WORD])
            );
        end
    endgenerate

    reg high;
    always @(posedge clk) high <= lane[0];
    attention_result #(
        .WORDS(PARALLEL_HEADS * QUADS),
        .PACKED(PACKED),
        .SUM_WIDTH(SUM_WIDTH),
        .SHIFT(SHIFT),
        .OUT_WIDTH(OUT_WIDTH)
    ) rounding (
        .clk(clk),
        .words(chosen),
        .high(high),
        .result(result)
    );

    // A result's place, beside its rounding.
    localparam integer STAGES = PACKED != 0 ? 3 : 2;
    reg [ADDRESS+1:0] place_at[1:STAGES];
    integer m;
    always @(posedge clk) begin
        place_at[1] <= rst ? 0 : {
            choosing && last_lane && last_head && of_last_sum,
            choosing,
            of_sum | (ADDRESS'(head) << AT_HEAD) | ADDRESS'(lane)
        };
        for (m = 2; m <= STAGES; m = m + 1) place_at[m] <= rst ? 0 : place_at[m-1];
        put <= !rst && place_at[STAGES][ADDRESS+1];
    end
    assign {result_valid, result_address} = place_at[STAGES][ADDRESS:0];
endmodule

`default_nettype wire

// Computes the sums of a group in parallel and gives their results one after another.
//
// Cycle 0       first, add and last of a step; with the last step, the address of the sums and last_sums
// Cycle 1       the step's codes, from the memories
// Cycle 3       first and add at the DSPs, which have multiplied meanwhile (attention_lanes)
// Cycle 5       the sums, if the step is their last one
// Cycle 6 + n   sum n of the group, head by head, is chosen
// Cycle 7 + n   its word, in attention_result
// Cycle 8 + n   its result, at the sums' address with its head and lane filled in; 9 + n with PACKED
//
// The next group's sums come PERIOD cycles after these, when all of these have been chosen.

`default_nettype none

module attention_sums #(
    // See attention_core.
    parameter integer PARALLEL_HEADS = 1,
    parameter integer LANES = 1,
    parameter integer PERIOD = 1,
    parameter integer PACKED = 0,
    parameter integer SHARED_WIDTH = 8,
    parameter integer SHARED_SIGNED = 1,
    parameter integer STORED_WIDTH = 8,
    parameter integer STORED_SIGNED = 1,
    parameter integer SUM_WIDTH = 16,
    parameter integer SHIFT = 0,
    parameter integer OUT_WIDTH = 8,
    parameter integer DSPS = 1,
    parameter integer QUADS = 1,
    parameter integer WORD_WIDTH = 17,
    parameter integer WRAP_WIDTH = 1,
    // Bits of an address of a result, and where its head among the parallel ones begins; its lane begins at 0.
    parameter integer ADDRESS = 2,
    parameter integer HEAD_AT = 0
) (
    input wire clk,
    input wire rst,
    // The step of this cycle: see attention_sequencer.
    input wire first,
    input wire add,
    input wire last,
    input wire [ADDRESS-1:0] address,
    input wire last_sums,
    // Codes of the step of the cycle before: one for every lane of every parallel head, one for every parallel head.
    input wire [PARALLEL_HEADS*LANES*STORED_WIDTH-1:0] stored,
    input wire [PARALLEL_HEADS*SHARED_WIDTH-1:0] shared,
    // A result and its address.
    output wire result_valid,
    output wire [ADDRESS-1:0] result_address,
    output wire [OUT_WIDTH-1:0] result,
    // The last result of a query was given in the cycle before.
    output reg results_written
);
`ifndef __ICARUS__
    generate
        if (PERIOD < PARALLEL_HEADS * LANES)
            $error("attention_sums: PERIOD must be at least PARALLEL_HEADS * LANES");
    endgenerate
`endif

    // Control, delayed to where the DSPs' pipeline needs it. The resets make these chains flip-flops: without them
    // they would be shift registers in LUTs.
    reg first_q, first_q2, first_q3;
    reg add_q, add_q2, add_q3, add_q4, add_q5;
    reg last_q, last_q2, last_q3, last_q4, last_q5;
    always @(posedge clk) begin
        {first_q3, first_q2, first_q} <= rst ? 0 : {first_q2, first_q, first};
        {add_q5, add_q4, add_q3, add_q2, add_q} <= rst ? 0 : {add_q4, add_q3, add_q2, add_q, add};
        {last_q5, last_q4, last_q3, last_q2, last_q} <= rst ? 0 : {last_q4, last_q3, last_q2, last_q, last};
    end
    // {last_sums, address} of the sums of cycle 5. One register holds it until then where groups are far apart.
    wire [ADDRESS:0] address_q5;
    generate
        if (PERIOD >= 5) begin : apart
            reg [ADDRESS:0] held_q;
            always @(posedge clk) if (last) held_q <= {last_sums, address};
            assign address_q5 = held_q;
        end else begin : close
            // delayed_q[n] is n cycles late.
            reg [ADDRESS:0] delayed_q[1:5];
            integer n;
            always @(posedge clk) begin
                delayed_q[1] <= rst ? 0 : {last_sums, address};
                for (n = 2; n <= 5; n = n + 1) delayed_q[n] <= rst ? 0 : delayed_q[n-1];
            end
            assign address_q5 = delayed_q[5];
        end
    endgenerate

    // Cycle 6 + n: the sum that is chosen, and the address of its group.
    wire [(LANES > 2 ? $clog2(LANES) : 1)-1:0] lane;
    wire [(PARALLEL_HEADS > 2 ? $clog2(PARALLEL_HEADS) : 1)-1:0] head;
    wire last_lane, last_head;
    reg choosing_q, chosen_last_sums_q;
    reg [ADDRESS-1:0] chosen_address_q;
    always @(posedge clk) begin
        if (last_q5) {chosen_last_sums_q, chosen_address_q} <= address_q5;
        choosing_q <= !rst && (last_q5 || (choosing_q && !(last_lane && last_head)));
    end
    loop_counter #(.COUNT(LANES)) lanes (
        .clk(clk), .rst(rst), .step(choosing_q), .inner(1'b1), .cut(1'b0), .count(lane), .last(last_lane)
    );
    loop_counter #(.COUNT(PARALLEL_HEADS)) heads (
        .clk(clk), .rst(rst), .step(choosing_q && last_lane), .inner(1'b1), .cut(1'b0), .count(head), .last(last_head)
    );

    wire [PARALLEL_HEADS*QUADS*WORD_WIDTH-1:0] words;
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
                .SHIFT(SHIFT),
                .DSPS(DSPS),
                .QUADS(QUADS),
                .WORD_WIDTH(WORD_WIDTH),
                .WRAP_WIDTH(WRAP_WIDTH)
            ) sums (
                .clk(clk),
                .rst(rst),
                .stored(stored[h*LANES*STORED_WIDTH+:LANES*STORED_WIDTH]),
                .shared(shared[h*SHARED_WIDTH+:SHARED_WIDTH]),
                .first(first_q3),
                .add(add_q3),
                .added(add_q5),
                .last(last_q5),
                .choose(32'(head) == h),
                .lane(lane),
                .words(words[h*QUADS*WORD_WIDTH+:QUADS*WORD_WIDTH])
            );
        end
    endgenerate

    // Beside the register of the chosen words.
    reg high_q;
    always @(posedge clk) high_q <= lane[0];
    attention_result #(
        .WORDS(PARALLEL_HEADS * QUADS),
        .PACKED(PACKED),
        .SUM_WIDTH(SUM_WIDTH),
        .SHIFT(SHIFT),
        .OUT_WIDTH(OUT_WIDTH),
        .WORD_WIDTH(WORD_WIDTH),
        .WRAP_WIDTH(WRAP_WIDTH)
    ) rounding (
        .clk(clk),
        .words(words),
        .high(high_q),
        .result(result)
    );

    // {last result of a query, valid, address} beside the registers of a result; result_at_q[n] is n cycles late.
    localparam integer STAGES = PACKED != 0 ? 3 : 2;
    reg [ADDRESS+1:0] result_at_q[1:STAGES];
    integer m;
    always @(posedge clk) begin
        result_at_q[1] <= rst ? 0 : {
            choosing_q && last_lane && last_head && chosen_last_sums_q,
            choosing_q,
            chosen_address_q | (ADDRESS'(head) << HEAD_AT) | ADDRESS'(lane)
        };
        for (m = 2; m <= STAGES; m = m + 1) result_at_q[m] <= rst ? 0 : result_at_q[m-1];
        results_written <= !rst && result_at_q[STAGES][ADDRESS+1];
    end
    assign {result_valid, result_address} = result_at_q[STAGES][ADDRESS:0];
endmodule

`default_nettype wire

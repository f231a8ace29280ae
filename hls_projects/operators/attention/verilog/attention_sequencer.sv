// Decides what is multiplied in which cycle, and where the codes and the sums lie.
//
// The loops, from the outermost one: queries, passes over the heads, loads with sums of their own, groups of sums,
// loads within a sum, steps. Groups are PERIOD cycles apart. A query begins in a cycle in which it is `ready`, and goes
// on without a gap; the next one follows in the cycle after it if it is ready then.
//
// The memory of the stored codes is a ring of LOADS + 1 loads: those of the window, and one that comes in. Loads of the
// window that lie before the image are passed without `add`, so that they take cycles and change no sum.

`default_nettype none

module attention_sequencer #(
    // See attention_core.
    parameter integer PASSES = 1,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer GROUPS = 1,
    parameter integer LANES = 1,
    parameter integer STEPS = 1,
    parameter integer PERIOD = 1,
    parameter integer SUM_LOADS = 1,
    parameter integer RESULT_LOADS = 1,
    parameter integer QUERIES_PER_LOAD = 1,
    parameter integer LOADS_PER_IMAGE = 1,
    parameter integer SHARED_BLOCK_BITS = 1,
    parameter integer RESULT_BLOCK_BITS = 2,
    parameter integer STORED_ADDRESS = 1,
    parameter integer SHARED_ADDRESS = 1,
    parameter integer RESULT_ADDRESS = 2
) (
    input wire clk,
    input wire rst,
    // The next query and its load are written, and there is a block for its results.
    input wire ready,
    // Blocks of the query and of its results.
    input wire [SHARED_BLOCK_BITS-1:0] shared_block,
    input wire [RESULT_BLOCK_BITS-1:0] result_block,
    // The step of this cycle: the first one of its sums, one whose products are added, the last one of its sums.
    output wire first,
    output wire add,
    output wire last,
    // Addresses of the step's codes.
    output wire [STORED_ADDRESS-1:0] stored_address,
    output wire [SHARED_ADDRESS-1:0] shared_address,
    // Address of the results of the step's sums, with 0 for the lane and the head among the parallel ones.
    output wire [RESULT_ADDRESS-1:0] sum_address,
    // The step's sums are the last ones of the query.
    output wire last_sums,
    // The last cycle of a query, and of the queries of a load.
    output wire query_end,
    output wire load_end
);
    localparam integer LOADS = SUM_LOADS * RESULT_LOADS;
    localparam integer RING_BITS = LOADS > 1 ? $clog2(LOADS + 1) : 1;
    // Cycles without a step behind a group that has more sums than steps.
    localparam integer PAUSE = PERIOD - SUM_LOADS * STEPS;

`ifndef __ICARUS__
    generate
        if (PAUSE < 0) $error("attention_sequencer: PERIOD must be at least SUM_LOADS * STEPS");
        if (QUERIES_PER_LOAD < 1 || LOADS_PER_IMAGE < 1)
            $error("attention_sequencer: QUERIES_PER_LOAD and LOADS_PER_IMAGE must be at least 1");
    endgenerate
`endif

    wire [(STEPS > 2 ? $clog2(STEPS) : 1)-1:0] step;
    wire [(SUM_LOADS > 2 ? $clog2(SUM_LOADS) : 1)-1:0] sum_load;
    wire [(GROUPS > 2 ? $clog2(GROUPS) : 1)-1:0] group;
    wire [(RESULT_LOADS > 2 ? $clog2(RESULT_LOADS) : 1)-1:0] result_load;
    wire [(PASSES > 2 ? $clog2(PASSES) : 1)-1:0] pass;
    wire [(QUERIES_PER_LOAD > 2 ? $clog2(QUERIES_PER_LOAD) : 1)-1:0] query;
    wire last_step, last_sum_load, last_group, last_result_load, last_pass, last_query;

    // High from the second step of a query to its last cycle, when `ready` is of the query after it.
    reg begun_q;
    // High in the cycles of PAUSE; the last cycle of a group, with its pause.
    wire pausing, group_end;
    wire go = !pausing && (begun_q || ready);
    assign last = go && last_step && last_sum_load;
    wire step_load = SUM_LOADS > 1 ? go && last_step : group_end && last_group;
    wire step_pass = group_end && last_group && last_result_load;
    assign last_sums = last_group && last_result_load && last_pass;
    assign query_end = group_end && last_sums;
    assign load_end = query_end && last_query;
    always @(posedge clk)
        if (rst || query_end) begun_q <= 1'b0;
        else if (go) begun_q <= 1'b1;

    loop_counter #(.COUNT(STEPS)) steps (
        .clk(clk), .rst(rst), .step(go), .inner(1'b1), .cut(1'b0), .count(step), .last(last_step)
    );
    loop_counter #(.COUNT(SUM_LOADS)) sum_loads (
        .clk(clk), .rst(rst), .step(go && last_step), .inner(1'b1), .cut(1'b0), .count(sum_load), .last(last_sum_load)
    );
    loop_counter #(.COUNT(GROUPS)) groups (
        .clk(clk), .rst(rst), .step(group_end), .inner(1'b1), .cut(1'b0), .count(group), .last(last_group)
    );
    loop_counter #(.COUNT(RESULT_LOADS)) result_loads (
        .clk(clk), .rst(rst), .step(group_end && last_group), .inner(1'b1), .cut(1'b0),
        .count(result_load), .last(last_result_load)
    );
    loop_counter #(.COUNT(PASSES)) passes (
        .clk(clk), .rst(rst), .step(step_pass), .inner(1'b1), .cut(1'b0), .count(pass), .last(last_pass)
    );
    loop_counter #(.COUNT(QUERIES_PER_LOAD)) queries (
        .clk(clk), .rst(rst), .step(query_end), .inner(1'b1), .cut(1'b0), .count(query), .last(last_query)
    );

    generate
        if (PAUSE <= 0) begin : seamless
            assign pausing = 1'b0;
            assign group_end = last;
        end else begin : apart
            reg pausing_q;
            wire [(PAUSE > 2 ? $clog2(PAUSE) : 1)-1:0] cycle;
            wire last_cycle;
            wire unused_cycle = &{1'b0, cycle};
            loop_counter #(.COUNT(PAUSE)) cycles (
                .clk(clk), .rst(rst), .step(pausing_q), .inner(1'b1), .cut(1'b0), .count(cycle), .last(last_cycle)
            );
            always @(posedge clk)
                if (rst) pausing_q <= 1'b0;
                else pausing_q <= last || (pausing_q && !last_cycle);
            assign pausing = pausing_q;
            assign group_end = pausing_q && last_cycle;
        end
    endgenerate

    // Place in the ring of the load that is multiplied, and whether its keys are of this image.
    wire [RING_BITS-1:0] slot;
    wire of_image;
    generate
        if (LOADS == 1) begin : whole
            // A window is a load: the ring is a double buffer.
            reg slot_q;
            wire unused = &{1'b0, query, step_load};
            assign slot = slot_q;
            assign of_image = 1'b1;
            always @(posedge clk) slot_q <= !rst && (slot_q ^ load_end);
        end else begin : window
            // Slots of the window's oldest load, and of the one that is multiplied. The first load after the reset is
            // written into slot 0. The oldest load of its window is LOADS - 1 slots before it, that is slot 2.
            localparam [RING_BITS-1:0] START = RING_BITS'(2 % (LOADS + 1));
            reg [RING_BITS-1:0] oldest_q, slot_q;
            wire [RING_BITS-1:0] newer = oldest_q == RING_BITS'(LOADS) ? 0 : oldest_q + 1;
            wire [RING_BITS-1:0] next = slot_q == RING_BITS'(LOADS) ? 0 : slot_q + 1;
            wire last_load = SUM_LOADS > 1 ? last_sum_load : last_result_load;
            always @(posedge clk)
                if (rst) begin
                    oldest_q <= START;
                    slot_q <= START;
                end else begin
                    if (load_end) oldest_q <= newer;
                    if (load_end) slot_q <= newer;
                    else if (step_load) slot_q <= last_load ? oldest_q : next;
                end
            assign slot = slot_q;

            // Loads of the window that lie before the image: all but one at its begin, then one fewer with each load.
            wire [(LOADS_PER_IMAGE > 2 ? $clog2(LOADS_PER_IMAGE) : 1)-1:0] image_load;
            wire last_image_load;
            reg [RING_BITS-1:0] before_image_q;
            wire unused = &{1'b0, image_load, query};
            loop_counter #(.COUNT(LOADS_PER_IMAGE)) image_loads (
                .clk(clk), .rst(rst), .step(load_end), .inner(1'b1), .cut(1'b0),
                .count(image_load), .last(last_image_load)
            );
            always @(posedge clk)
                if (rst || (load_end && last_image_load)) before_image_q <= RING_BITS'(LOADS - 1);
                else if (load_end && before_image_q != 0) before_image_q <= before_image_q - 1;
            assign of_image = RING_BITS'(SUM_LOADS > 1 ? 32'(sum_load) : 32'(result_load)) >= before_image_q;
        end
    endgenerate

    assign first = step == 0 && sum_load == 0;
    assign add = go && of_image;

    // Addresses: see attention_load_stored, attention_load_shared and attention_store.
    localparam integer STORED_GROUP_AT = $clog2(STEPS);
    localparam integer STORED_LOAD_AT = STORED_GROUP_AT + $clog2(GROUPS);
    localparam integer STORED_PASS_AT = STORED_LOAD_AT + $clog2(LOADS + 1);
    assign stored_address = (STORED_ADDRESS'(pass) << STORED_PASS_AT) | (STORED_ADDRESS'(slot) << STORED_LOAD_AT)
        | (STORED_ADDRESS'(group) << STORED_GROUP_AT) | STORED_ADDRESS'(step);
    localparam integer SHARED_LOAD_AT = $clog2(STEPS);
    localparam integer SHARED_PASS_AT = SHARED_LOAD_AT + $clog2(SUM_LOADS);
    localparam integer SHARED_BLOCK_AT = SHARED_PASS_AT + $clog2(PASSES);
    assign shared_address = (SHARED_ADDRESS'(shared_block) << SHARED_BLOCK_AT)
        | (SHARED_ADDRESS'(pass) << SHARED_PASS_AT) | (SHARED_ADDRESS'(sum_load) << SHARED_LOAD_AT)
        | SHARED_ADDRESS'(step);
    localparam integer RESULT_GROUP_AT = $clog2(LANES);
    localparam integer RESULT_LOAD_AT = RESULT_GROUP_AT + $clog2(GROUPS);
    localparam integer RESULT_PASS_AT = RESULT_LOAD_AT + $clog2(RESULT_LOADS) + $clog2(PARALLEL_HEADS);
    localparam integer RESULT_BLOCK_AT = RESULT_PASS_AT + $clog2(PASSES);
    assign sum_address = (RESULT_ADDRESS'(result_block) << RESULT_BLOCK_AT)
        | (RESULT_ADDRESS'(pass) << RESULT_PASS_AT) | (RESULT_ADDRESS'(result_load) << RESULT_LOAD_AT)
        | (RESULT_ADDRESS'(group) << RESULT_GROUP_AT);
endmodule

`default_nettype wire

// The steps of a token, or of two tokens together, one a cycle: passes of groups, blocks of inputs, groups, inputs.
//
// A group is as many outputs as are worked on at the same time. A dense layer has one group a pass, and one block, the
// token. After the last block of a group its buckets are drained, or its sums taken, in DRAIN_CYCLES cycles, of
// which the last waits until the results of the group before are read out.
//
// OVERLAP: passes have two groups, the last pass may have one. They use one half of an element's buckets and the other
// in turns, so that a pass's groups can be drained during the next pass: the first group before its first block, the
// second one half-way through, which leaves time to read out the results in between. The groups of the last pass are
// drained as above, because they may not wait for another token.
//
//   step, weight_address, second_buffer   the step of this cycle
//   ..._q                                 the control of that step, a cycle later, when the memories answer

`default_nettype none

module pot_linear_sequence #(
    // Steps of a group and block, at least 1.
    parameter integer STEPS = 96,
    // Bits of a step, 2^STEP_WIDTH >= STEPS.
    parameter integer STEP_WIDTH = 7,
    // Blocks of a token, at least 1; with OVERLAP at least 2.
    parameter integer BLOCKS = 1,
    // Passes, at least 1, and the groups of the first LARGE_PASSES of them; the other passes have one group fewer.
    parameter integer PASSES = 4,
    parameter integer PASS_GROUPS = 1,
    parameter integer LARGE_PASSES = 4,
    // 1: groups are drained during the next pass. PASS_GROUPS is then at most 2 and BUCKET_SET_WIDTH is 2.
    parameter integer OVERLAP = 0,
    // Bits that tell apart the buckets of the groups of a pass; 0 where it has one group.
    parameter integer BUCKET_SET_WIDTH = 0,
    // Cycles in which a group is drained, at least 1; bits of a count from 1 to that.
    parameter integer DRAIN_CYCLES = 7,
    parameter integer BUCKET_WIDTH = 3,
    // 1: the weight memory has a word of zeros for the drain after the last steps of a group.
    parameter integer DRAIN_WORD = 1,
    // 1: a block is read once a pass and released after that; 0: it is read in all passes.
    parameter integer RELEASE_EACH_PASS = 0,
    // The step of a block's last group in which it is released.
    parameter integer RELEASE_STEP = 95,
    // Bits of an address of the weight memory, and of the memory with a word for every bucket that is drained.
    parameter integer ADDRESS_WIDTH = 9,
    parameter integer DRAIN_INDEX_WIDTH = 5,
    // Bits of a port for the set of buckets; follows from BUCKET_SET_WIDTH, not to be set.
    parameter integer SET_WIDTH = BUCKET_SET_WIDTH > 0 ? BUCKET_SET_WIDTH : 1
) (
    input wire clk,
    input wire rst,
    // The block of the next steps is loaded; it is released with its last step.
    input wire block_full,
    output wire release_block,
    // The results of the group before are read out, or will be before new ones come.
    input wire results_free,
    // The step: address of the weights, index of the input in the block, and which of the two blocks is read.
    output reg [ADDRESS_WIDTH-1:0] weight_address,
    output reg [STEP_WIDTH-1:0] step,
    output reg second_buffer,
    // A step, or a cycle of a drain.
    output reg run_q,
    // A cycle of a drain.
    output reg drain_q,
    // The last cycle of a drain, in which elements give their result and clear their sum; also in reset.
    output reg finish_q,
    // As `finish_q` except in reset.
    output reg done_q,
    // Which set of buckets the step, or the drain, is for.
    output reg [SET_WIDTH-1:0] bucket_set_q,
    // The bucket that is drained, 0 where none is, and its index among all that are drained for a token, from 1 on.
    output reg [BUCKET_WIDTH-1:0] bucket_q,
    output reg [DRAIN_INDEX_WIDTH-1:0] drain_index_q
);
    localparam integer BLOCK_WIDTH = BLOCKS > 1 ? $clog2(BLOCKS) : 1;
    localparam integer PASS_WIDTH = PASSES > 1 ? $clog2(PASSES) : 1;
    localparam integer LAST_STEP = STEPS - 1;
    localparam integer LAST_BLOCK = BLOCKS - 1;
    localparam integer LAST_PASS = PASSES - 1;
    localparam integer LAST_GROUP = PASS_GROUPS - 1;
    localparam integer SMALL_LAST_GROUP = PASS_GROUPS > 1 ? PASS_GROUPS - 2 : 0;

    generate
        if (STEPS < 1 || 1 << STEP_WIDTH < STEPS) $error("pot_linear_sequence: STEP_WIDTH is too small for STEPS");
        if (BLOCKS < 1 || PASSES < 1) $error("pot_linear_sequence: BLOCKS and PASSES must be at least 1");
        if (LARGE_PASSES < 1 || LARGE_PASSES > PASSES) $error("pot_linear_sequence: LARGE_PASSES must be 1 to PASSES");
        if (PASS_GROUPS < 1 || (PASS_GROUPS == 1 && LARGE_PASSES < PASSES))
            $error("pot_linear_sequence: every pass must have a group");
        if (PASS_GROUPS > 1 << BUCKET_SET_WIDTH) $error("pot_linear_sequence: BUCKET_SET_WIDTH is too small");
        if (OVERLAP != 0 && (PASS_GROUPS > 2 || BUCKET_SET_WIDTH != 2 || BLOCKS < 2))
            $error("pot_linear_sequence: OVERLAP needs up to 2 groups a pass, 4 sets of buckets and 2 blocks");
        if (DRAIN_CYCLES < 1 || 1 << BUCKET_WIDTH <= DRAIN_CYCLES)
            $error("pot_linear_sequence: BUCKET_WIDTH is too small for DRAIN_CYCLES");
        if (RELEASE_STEP < 0 || RELEASE_STEP >= STEPS) $error("pot_linear_sequence: RELEASE_STEP must be a step");
    endgenerate

    // Where the work is: counters of the loops, from the outer one to the inner one, beside `step`.
    reg [PASS_WIDTH-1:0] pass;
    reg [BLOCK_WIDTH-1:0] block;
    reg [SET_WIDTH-1:0] group;
    // The bucket that is drained, from 1 on, and the drain index.
    reg [BUCKET_WIDTH-1:0] bucket;
    reg [DRAIN_INDEX_WIDTH-1:0] drain_index;
    // Whether a group is drained, and whether results of an earlier group are still to be read out.
    reg draining, results_busy;

    // Whether this pass's groups, and whether groups of the pass before, are drained during the next pass.
    wire defers, owes;
    wire half_way;
    wire [SET_WIDTH-1:0] bucket_set;

    wire large_pass;
    generate
        if (LARGE_PASSES == PASSES) begin : equal_passes
            assign large_pass = 1;
        end else begin : unequal_passes
            assign large_pass = pass < LARGE_PASSES[PASS_WIDTH-1:0];
        end
    endgenerate
    wire last_step = step == LAST_STEP[STEP_WIDTH-1:0];
    wire last_group = group == (large_pass ? LAST_GROUP[SET_WIDTH-1:0] : SMALL_LAST_GROUP[SET_WIDTH-1:0]);
    wire last_block = block == LAST_BLOCK[BLOCK_WIDTH-1:0];
    wire last_pass = pass == LAST_PASS[PASS_WIDTH-1:0];
    wire last_bucket = bucket == DRAIN_CYCLES[BUCKET_WIDTH-1:0];

    // A drain's last cycle waits for the results, a block's first step for the block.
    wire run = draining ? !(last_bucket && results_busy) : block_full || step != 0;
    wire no_drain = !run || !draining;
    wire step_done = run && !draining && last_step;
    wire drain_done = run && draining && last_bucket;
    // Drains of this pass, not of the one before.
    wire own_done = drain_done && !owes;
    wire group_done = last_block && !defers ? own_done : step_done;
    wire pass_done = group_done && last_group && last_block;
    wire token_done = own_done && last_group && last_pass;
    wire last_use = last_group && (RELEASE_EACH_PASS != 0 || last_pass);
    assign release_block = run && !draining && step == RELEASE_STEP[STEP_WIDTH-1:0] && last_use;

    generate
        if (OVERLAP != 0) begin : overlap
            localparam integer HALF_WAY = BLOCKS / 2 - 1;
            // Groups of the pass before that are not drained yet, and which half of the buckets this pass uses.
            reg [1:0] owed;
            reg second_half;
            assign defers = !last_pass;
            assign owes = owed != 0;
            assign half_way = owed[0] && last_group && block == HALF_WAY[BLOCK_WIDTH-1:0];
            assign bucket_set = owes && draining ? {!second_half, owed[0]} : {second_half, group[0]};
            always @(posedge clk) begin
                if (pass_done && defers) owed <= 2;
                else if (drain_done && owes) owed <= owed - 1'b1;
                if (pass_done) second_half <= !second_half;
                if (rst) begin
                    owed <= 0;
                    second_half <= 0;
                end
            end
        end else begin : no_overlap
            assign defers = 0;
            assign owes = 0;
            assign half_way = 0;
            assign bucket_set = group;
        end
    endgenerate

    always @(posedge clk) begin
        if (run && !draining) step <= last_step ? {STEP_WIDTH{1'b0}} : step + 1'b1;
        if (step_done && (last_block ? last_group || !defers : half_way)) draining <= 1;
        if (drain_done) draining <= 0;
        if (drain_done || !draining) bucket <= 1;
        else if (run) bucket <= bucket + 1'b1;
        if (group_done) group <= last_group ? {SET_WIDTH{1'b0}} : group + 1'b1;
        if (group_done && last_group) block <= last_block ? {BLOCK_WIDTH{1'b0}} : block + 1'b1;
        if (pass_done) pass <= last_pass ? {PASS_WIDTH{1'b0}} : pass + 1'b1;
        if (token_done) weight_address <= 0;
        else if (DRAIN_WORD != 0 ? (draining ? drain_done : run) : run && !draining)
            weight_address <= weight_address + 1'b1;
        if (token_done) drain_index <= 1;
        else if (run && draining) drain_index <= drain_index + 1'b1;
        if (step_done && last_use) second_buffer <= !second_buffer;
        if (drain_done) results_busy <= 1;
        else if (results_free) results_busy <= 0;

        run_q <= run;
        drain_q <= run && draining;
        finish_q <= drain_done || rst;
        done_q <= drain_done && !rst;
        bucket_set_q <= bucket_set;
        if (no_drain) bucket_q <= 0;
        else bucket_q <= bucket;
        if (no_drain) drain_index_q <= 0;
        else drain_index_q <= drain_index;
        if (rst) begin
            step <= 0;
            draining <= 0;
            bucket <= 1;
            group <= 0;
            block <= 0;
            pass <= 0;
            weight_address <= 0;
            drain_index <= 1;
            second_buffer <= 0;
            results_busy <= 0;
        end
    end
endmodule

`default_nettype wire

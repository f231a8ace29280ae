// The two products of attention: sums of products of a query's codes with those of the keys, or values, of its window.
//
// in0 has the queries. Their codes are "shared": all lanes of a head multiply the same one. in1 has the keys or values.
// They are "stored", in a memory with a column for each lane of each parallel head. ../geometry.py computes all
// parameters and says how the loops nest; AttentionScores and AttentionValues say what the streams carry.
//
//     in1 > attention_load_stored > stored_ram --+
//     in0 > attention_load_shared > shared_ram --+--> attention_sums > result_ram > attention_store > out
//           attention_sequencer: addresses ------+
//
// Stages, all at work at the same time, on different queries and loads of keys:
//   load stored    1 cycle a code. A load goes into one slot of a ring; the window's loads have the others.
//   load shared    1 cycle a code, into one of 4 blocks in block RAM, or of 2 in LUT RAM. A block is a query.
//   multiply       PASSES * RESULT_LOADS * GROUPS * PERIOD cycles a query, W below. Loads from before the image take
//                  their cycles, too, and add nothing.
//   store          1 cycle a code, out of one of 4 blocks in block RAM, or of 2 in LUT RAM
//
// An image takes as long as the slowest stage. Where the loads are as slow as the queries that they serve, a load may
// take up to 4 cycles more. Let the last code of a query be taken in cycle t, after its load. If nothing else is to be
// done, it is multiplied in cycles t + 1 to t + W. Its first result leaves in cycle
// t + W + PARALLEL_HEADS * LANES + 10 + PACKED - (PERIOD - SUM_LOADS * STEPS), the others in the cycles after it.

`default_nettype none

module attention_core #(
    // Passes over the heads, PARALLEL_HEADS together, LAST_HEADS (1 to PARALLEL_HEADS) in the last pass.
    parameter integer PASSES = 1,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer LAST_HEADS = 1,
    // Groups of sums of a head and a load, LANES together, LAST_LANES (1 to LANES) in the last group.
    parameter integer GROUPS = 1,
    parameter integer LANES = 1,
    parameter integer LAST_LANES = 1,
    // Products of a sum for a load of keys.
    parameter integer STEPS = 1,
    // Cycles from a group to the next one: all its steps, and no fewer than it has sums.
    parameter integer PERIOD = 1,
    // Loads of a window: SUM_LOADS within a sum, or RESULT_LOADS with sums of their own. One of the two is 1.
    parameter integer SUM_LOADS = 1,
    parameter integer RESULT_LOADS = 1,
    // 1 where sums run over keys, for values; 0 where they run over channels, for scores.
    parameter integer SUM_OVER_KEYS = 0,
    // Queries that a load serves, and loads of an image.
    parameter integer QUERIES_PER_LOAD = 1,
    parameter integer LOADS_PER_IMAGE = 1,
    // Address bits of the three memories, those of the number of a block in them, and 1 where they lie in LUT RAM.
    parameter integer STORED_ADDRESS = 1,
    parameter integer SHARED_ADDRESS = 1,
    parameter integer SHARED_BLOCK_BITS = 1,
    parameter integer SHARED_IN_LUTS = 1,
    parameter integer RESULT_ADDRESS = 2,
    parameter integer RESULT_BLOCK_BITS = 2,
    parameter integer RESULT_IN_LUTS = 0,
    // 1 where a DSP computes two lanes, else 0.
    parameter integer PACKED = 0,
    // Bits of the codes, and 1 where they are signed. PACKED needs signed stored codes of up to 8 bits.
    parameter integer SHARED_WIDTH = 8,
    parameter integer SHARED_SIGNED = 1,
    parameter integer STORED_WIDTH = 8,
    parameter integer STORED_SIGNED = 1,
    // Bits of a sum with half a step of the output, at least SHIFT + 2.
    parameter integer SUM_WIDTH = 16,
    // Results are sums / 2^SHIFT, rounded half to even, saturated to OUT_WIDTH signed bits.
    parameter integer SHIFT = 0,
    parameter integer OUT_WIDTH = 8,
    // DSPs of a head, quads of them, bits of a DSP's sums, and bits of a packed sum beside the DSP: attention_lanes.
    parameter integer DSPS = 1,
    parameter integer QUADS = 1,
    parameter integer WORD_WIDTH = 17,
    parameter integer WRAP_WIDTH = 1
) (
    input wire clk,
    input wire rst,
    // Queries, a code a word, head by head.
    input wire in0_valid,
    output wire in0_ready,
    input wire [SHARED_WIDTH-1:0] in0_data,
    // Keys or values, a code a word, token by token, head by head.
    input wire in1_valid,
    output wire in1_ready,
    input wire [STORED_WIDTH-1:0] in1_data,
    // Results, a code a word, query by query, head by head.
    output wire out_valid,
    input wire out_ready,
    output wire [OUT_WIDTH-1:0] out_data
);
    localparam integer LOADS = SUM_LOADS * RESULT_LOADS;
    localparam integer PARALLEL = PARALLEL_HEADS * LANES;
    // Address bits of a head and of the load, group and lane within it, among the results.
    localparam integer HEAD_AT = $clog2(LANES) + $clog2(GROUPS) + $clog2(RESULT_LOADS);

`ifndef __ICARUS__
    generate
        if (PASSES < 1 || LAST_HEADS < 1 || LAST_HEADS > PARALLEL_HEADS)
            $error("attention_core: LAST_HEADS must be 1 to PARALLEL_HEADS, PASSES at least 1");
        if (GROUPS < 1 || LAST_LANES < 1 || LAST_LANES > LANES)
            $error("attention_core: LAST_LANES must be 1 to LANES, GROUPS at least 1");
        if (SUM_LOADS < 1 || RESULT_LOADS < 1 || (SUM_OVER_KEYS != 0 ? RESULT_LOADS : SUM_LOADS) != 1)
            $error("attention_core: RESULT_LOADS must be 1 with SUM_OVER_KEYS, SUM_LOADS must be 1 without");
        if (PERIOD < PARALLEL || PERIOD < SUM_LOADS * STEPS)
            $error("attention_core: PERIOD must be at least SUM_LOADS * STEPS and PARALLEL_HEADS * LANES");
        if (STORED_ADDRESS != $clog2(PASSES) + $clog2(LOADS + 1) + $clog2(GROUPS) + $clog2(STEPS))
            $error("attention_core: STORED_ADDRESS must hold pass, load, group and step");
        if (SHARED_ADDRESS != SHARED_BLOCK_BITS + $clog2(PASSES) + $clog2(SUM_LOADS) + $clog2(STEPS))
            $error("attention_core: SHARED_ADDRESS must hold block, pass, load and step");
        if (RESULT_ADDRESS != RESULT_BLOCK_BITS + $clog2(PASSES) + $clog2(PARALLEL_HEADS) + HEAD_AT)
            $error("attention_core: RESULT_ADDRESS must hold block, pass, head, load, group and lane");
        if (SHARED_BLOCK_BITS < 1 || RESULT_BLOCK_BITS < 1)
            $error("attention_core: SHARED_BLOCK_BITS and RESULT_BLOCK_BITS must be at least 1");
    endgenerate
`endif

    // Bookkeeping. Each counter counts modulo twice the blocks that there are, so that the memory is full where two
    // counters differ in their first bits only, and empty where they are equal.
    localparam integer SERVED_BITS = SHARED_BLOCK_BITS > RESULT_BLOCK_BITS ? SHARED_BLOCK_BITS : RESULT_BLOCK_BITS;
    // Loads that were taken, written and served.
    reg [1:0] loads_taken_q, loads_written_q, loads_served_q;
    // Queries that were written and served.
    reg [SHARED_BLOCK_BITS:0] queries_written_q;
    reg [SERVED_BITS:0] queries_served_q;
    // Queries whose results were written and have left.
    reg [RESULT_BLOCK_BITS:0] results_written_q, results_sent_q;
    wire load_taken, query_written, results_written, results_sent, query_end, load_end;
    // One load may be taken beside the one that is served.
    wire stored_room = (loads_taken_q ^ loads_served_q) != 2'b10;
    wire shared_room = (queries_written_q ^ queries_served_q[SHARED_BLOCK_BITS:0]) != {1'b1, {SHARED_BLOCK_BITS{1'b0}}};
    // A query needs a block for its results before it begins, which is when the one before it ends.
    wire result_room = (queries_served_q[RESULT_BLOCK_BITS:0] ^ results_sent_q) != {1'b1, {RESULT_BLOCK_BITS{1'b0}}};
    wire ready = loads_written_q != loads_served_q && queries_written_q != queries_served_q[SHARED_BLOCK_BITS:0]
        && result_room;
    always @(posedge clk)
        if (rst) begin
            loads_taken_q <= 0;
            loads_written_q <= 0;
            loads_served_q <= 0;
            queries_written_q <= 0;
            queries_served_q <= 0;
            results_written_q <= 0;
            results_sent_q <= 0;
        end else begin
            if (load_taken) loads_taken_q <= loads_taken_q + 1;
            // The last code of a load is written a cycle after it is taken.
            loads_written_q <= loads_taken_q;
            if (load_end) loads_served_q <= loads_served_q + 1;
            if (query_written) queries_written_q <= queries_written_q + 1;
            if (query_end) queries_served_q <= queries_served_q + 1;
            if (results_written) results_written_q <= results_written_q + 1;
            if (results_sent) results_sent_q <= results_sent_q + 1;
        end

    wire [PARALLEL-1:0] stored_write;
    wire [STORED_ADDRESS-1:0] stored_write_address, stored_address;
    wire [STORED_WIDTH-1:0] stored_write_data;
    wire [PARALLEL*STORED_WIDTH-1:0] stored;
    attention_load_stored #(
        .SUM_OVER_KEYS(SUM_OVER_KEYS),
        .PASSES(PASSES),
        .PARALLEL_HEADS(PARALLEL_HEADS),
        .LAST_HEADS(LAST_HEADS),
        .GROUPS(GROUPS),
        .LANES(LANES),
        .LAST_LANES(LAST_LANES),
        .STEPS(STEPS),
        .RING(LOADS + 1),
        .WIDTH(STORED_WIDTH),
        .ADDRESS(STORED_ADDRESS)
    ) load_stored (
        .clk(clk),
        .rst(rst),
        .in_valid(in1_valid),
        .in_ready(in1_ready),
        .in_data(in1_data),
        .room(stored_room),
        .load_taken(load_taken),
        .write(stored_write),
        .write_address(stored_write_address),
        .write_data(stored_write_data)
    );
    element_ram #(
        .WIDTH(STORED_WIDTH),
        .ELEMENTS(PARALLEL),
        .ADDRESS(STORED_ADDRESS)
    ) stored_ram (
        .clk(clk),
        .write(stored_write),
        .write_address(stored_write_address),
        .write_data(stored_write_data),
        .read(1'b1),
        .read_address(stored_address),
        .read_data(stored)
    );

    wire [PARALLEL_HEADS-1:0] shared_write;
    wire [SHARED_ADDRESS-1:0] shared_write_address, shared_address;
    wire [SHARED_WIDTH-1:0] shared_write_data;
    wire [PARALLEL_HEADS*SHARED_WIDTH-1:0] shared;
    attention_load_shared #(
        .PASSES(PASSES),
        .PARALLEL_HEADS(PARALLEL_HEADS),
        .LAST_HEADS(LAST_HEADS),
        .LOADS(SUM_LOADS),
        .STEPS(STEPS),
        .WIDTH(SHARED_WIDTH),
        .BLOCK_BITS(SHARED_BLOCK_BITS),
        .ADDRESS(SHARED_ADDRESS)
    ) load_shared (
        .clk(clk),
        .rst(rst),
        .in_valid(in0_valid),
        .in_ready(in0_ready),
        .in_data(in0_data),
        .room(shared_room),
        .block(queries_written_q[SHARED_BLOCK_BITS-1:0]),
        .query_written(query_written),
        .write(shared_write),
        .write_address(shared_write_address),
        .write_data(shared_write_data)
    );
    element_ram #(
        .WIDTH(SHARED_WIDTH),
        .ELEMENTS(PARALLEL_HEADS),
        .ADDRESS(SHARED_ADDRESS),
        .BLOCK(SHARED_IN_LUTS != 0 ? 0 : 1)
    ) shared_ram (
        .clk(clk),
        .write(shared_write),
        .write_address(shared_write_address),
        .write_data(shared_write_data),
        .read(1'b1),
        .read_address(shared_address),
        .read_data(shared)
    );

    wire first, add, last, last_sums;
    wire [RESULT_ADDRESS-1:0] sum_address;
    attention_sequencer #(
        .PASSES(PASSES),
        .PARALLEL_HEADS(PARALLEL_HEADS),
        .GROUPS(GROUPS),
        .LANES(LANES),
        .STEPS(STEPS),
        .PERIOD(PERIOD),
        .SUM_LOADS(SUM_LOADS),
        .RESULT_LOADS(RESULT_LOADS),
        .QUERIES_PER_LOAD(QUERIES_PER_LOAD),
        .LOADS_PER_IMAGE(LOADS_PER_IMAGE),
        .SHARED_BLOCK_BITS(SHARED_BLOCK_BITS),
        .RESULT_BLOCK_BITS(RESULT_BLOCK_BITS),
        .STORED_ADDRESS(STORED_ADDRESS),
        .SHARED_ADDRESS(SHARED_ADDRESS),
        .RESULT_ADDRESS(RESULT_ADDRESS)
    ) sequencer (
        .clk(clk),
        .rst(rst),
        .ready(ready),
        .shared_block(queries_served_q[SHARED_BLOCK_BITS-1:0]),
        .result_block(queries_served_q[RESULT_BLOCK_BITS-1:0]),
        .first(first),
        .add(add),
        .last(last),
        .stored_address(stored_address),
        .shared_address(shared_address),
        .sum_address(sum_address),
        .last_sums(last_sums),
        .query_end(query_end),
        .load_end(load_end)
    );

    wire result_valid;
    wire [RESULT_ADDRESS-1:0] result_address, out_address;
    wire [OUT_WIDTH-1:0] result;
    attention_sums #(
        .PARALLEL_HEADS(PARALLEL_HEADS),
        .LANES(LANES),
        .PERIOD(PERIOD),
        .PACKED(PACKED),
        .SHARED_WIDTH(SHARED_WIDTH),
        .SHARED_SIGNED(SHARED_SIGNED),
        .STORED_WIDTH(STORED_WIDTH),
        .STORED_SIGNED(STORED_SIGNED),
        .SUM_WIDTH(SUM_WIDTH),
        .SHIFT(SHIFT),
        .OUT_WIDTH(OUT_WIDTH),
        .DSPS(DSPS),
        .QUADS(QUADS),
        .WORD_WIDTH(WORD_WIDTH),
        .WRAP_WIDTH(WRAP_WIDTH),
        .ADDRESS(RESULT_ADDRESS),
        .HEAD_AT(HEAD_AT)
    ) sums (
        .clk(clk),
        .rst(rst),
        .first(first),
        .add(add),
        .last(last),
        .address(sum_address),
        .last_sums(last_sums),
        .stored(stored),
        .shared(shared),
        .result_valid(result_valid),
        .result_address(result_address),
        .result(result),
        .results_written(results_written)
    );

    wire read;
    element_ram #(
        .WIDTH(OUT_WIDTH),
        .ADDRESS(RESULT_ADDRESS),
        .BLOCK(RESULT_IN_LUTS != 0 ? 0 : 1)
    ) result_ram (
        .clk(clk),
        .write(result_valid),
        .write_address(result_address),
        .write_data(result),
        .read(read),
        .read_address(out_address),
        .read_data(out_data)
    );
    attention_store #(
        .PASSES(PASSES),
        .PARALLEL_HEADS(PARALLEL_HEADS),
        .LAST_HEADS(LAST_HEADS),
        .LOADS(RESULT_LOADS),
        .GROUPS(GROUPS),
        .LANES(LANES),
        .LAST_LANES(LAST_LANES),
        .BLOCK_BITS(RESULT_BLOCK_BITS),
        .ADDRESS(RESULT_ADDRESS)
    ) store (
        .clk(clk),
        .rst(rst),
        .available(results_written_q != results_sent_q),
        .block(results_sent_q[RESULT_BLOCK_BITS-1:0]),
        .results_sent(results_sent),
        .read(read),
        .read_address(out_address),
        .out_valid(out_valid),
        .out_ready(out_ready)
    );
endmodule

`default_nettype wire

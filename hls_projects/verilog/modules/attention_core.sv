// Products of attention: every query's elements with those of the keys, or values, that it sees.
//
// in0 has a query's elements, `shared` by the parallel lanes, in1 the elements `stored` in the banks of a
// memory, one for every parallel head and lane: hls_projects/operators/attention_scores and attention_values
// say what they are. All run at the same time, on different queries or loads of keys:
//
//   load stored     1 clock an element; a load goes into one unit of a ring, the window's units are the others
//   load shared     1 clock an element, into one of 4 blocks, or of 2 where these are small enough for LUTs
//   work            passes * groups * max(steps of a sum, parallel heads * lanes) cycles a query, those of
//                   units from before the image included
//   store           1 clock an element, out of one of 4 blocks, or of 2 in LUTs
//
// so that an image takes as long as the slowest of them; where a load comes in as long as the one before is
// served, up to 4 cycles more a load. A query whose last element is taken in clock t, and its load's before, is
// worked on from t + 1 to t + work if nothing else is. Its first result leaves in clock t + work + lanes + 10 +
// PACKED, less what the last sum has waited for the lanes, and the others behind it.

`default_nettype none

module attention_core #(
    parameter integer SCORES = 1,
    parameter integer HEADS = 1,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer LANES = 1,
    parameter integer LAST_LANES = 1,
    parameter integer GROUPS = 1,
    parameter integer STEPS = 1,
    parameter integer UNITS = 1,
    parameter integer LOAD_QUERIES = 1,
    parameter integer IMAGE_LOADS = 1,
    parameter integer PACKED = 0,
    parameter integer SHARED_WIDTH = 8,
    parameter integer SHARED_SIGNED = 1,
    parameter integer STORED_WIDTH = 8,
    parameter integer STORED_SIGNED = 1,
    parameter integer SUM_WIDTH = 21,
    parameter integer SHIFT = 0,
    parameter integer OUT_WIDTH = 8
) (
    input wire clk,
    input wire rst,
    input wire in0_valid,
    output wire in0_ready,
    input wire [SHARED_WIDTH-1:0] in0_data,
    input wire in1_valid,
    output wire in1_ready,
    input wire [STORED_WIDTH-1:0] in1_data,
    output wire out_valid,
    input wire out_ready,
    output wire [OUT_WIDTH-1:0] out_data
);
    localparam integer BLOCK_BITS = 2;
    localparam integer PASSES = (HEADS + PARALLEL_HEADS - 1) / PARALLEL_HEADS;
    localparam integer OUT_UNITS = SCORES != 0 ? UNITS : 1;
    localparam integer SUM_UNITS = SCORES != 0 ? 1 : UNITS;
    localparam integer PARALLEL = PARALLEL_HEADS * LANES;
    localparam integer PERIOD = SUM_UNITS * STEPS > PARALLEL ? SUM_UNITS * STEPS : PARALLEL;
    localparam integer STORED_ADDRESS = $clog2(PASSES) + $clog2(UNITS + 1) + $clog2(GROUPS) + $clog2(STEPS);
    // Two blocks that fill no more than a row of LUT RAM lie there.
    localparam integer SHARED_BLOCK = $clog2(PASSES) + $clog2(SUM_UNITS) + $clog2(STEPS);
    localparam integer IN_LUTS = SHARED_BLOCK < 6 ? 1 : 0;
    localparam integer QUERY_BITS = IN_LUTS != 0 ? 1 : BLOCK_BITS;
    localparam integer SHARED_ADDRESS = QUERY_BITS + SHARED_BLOCK;
    localparam integer AT_HEAD = $clog2(LANES) + $clog2(GROUPS) + $clog2(OUT_UNITS);
    // Two blocks of results are enough, in LUTs, where they are few and read in half of a query's work.
    localparam integer RESULT_BLOCK = $clog2(PASSES) + $clog2(PARALLEL_HEADS) + AT_HEAD;
    localparam integer WORK = PASSES * OUT_UNITS * GROUPS * PERIOD;
    localparam integer RESULTS_IN_LUTS = RESULT_BLOCK < 8 && WORK >= 2 << RESULT_BLOCK ? 1 : 0;
    localparam integer RESULT_BITS = RESULTS_IN_LUTS != 0 ? 1 : BLOCK_BITS;
    localparam integer OUT_ADDRESS = RESULT_BITS + RESULT_BLOCK;
    localparam integer GOT_BITS = QUERY_BITS > RESULT_BITS ? QUERY_BITS : RESULT_BITS;

    // Loads, queries and results that have come and gone, modulo twice the places for them.
    reg [1:0] loads_taken, loads_put, loads_got;
    reg [QUERY_BITS:0] queries_put;
    reg [GOT_BITS:0] queries_got;
    reg [RESULT_BITS:0] results_put, results_got;
    wire load_taken, query_put, result_put, result_got, query_end, load_end;
    wire stored_room = (loads_taken ^ loads_got) != 2'b10;
    wire shared_room = (queries_put ^ queries_got[QUERY_BITS:0]) != {1'b1, {QUERY_BITS{1'b0}}};
    // A query takes its place among the results before it is begun, that is when the one before it ends.
    wire out_room = (queries_got[RESULT_BITS:0] ^ results_got) != {1'b1, {RESULT_BITS{1'b0}}};
    wire ready = loads_put != loads_got && queries_put != queries_got[QUERY_BITS:0] && out_room;
    always @(posedge clk)
        if (rst) begin
            loads_taken <= 0;
            loads_put <= 0;
            loads_got <= 0;
            queries_put <= 0;
            queries_got <= 0;
            results_put <= 0;
            results_got <= 0;
        end else begin
            if (load_taken) loads_taken <= loads_taken + 1;
            // The last element is written a cycle after it is taken.
            loads_put <= loads_taken;
            if (load_end) loads_got <= loads_got + 1;
            if (query_put) queries_put <= queries_put + 1;
            if (query_end) queries_got <= queries_got + 1;
            if (result_put) results_put <= results_put + 1;
            if (result_got) results_got <= results_got + 1;
        end

    wire [PARALLEL-1:0] stored_write;
    wire [STORED_ADDRESS-1:0] stored_write_address, stored_address;
    wire [STORED_WIDTH-1:0] stored_write_data;
    wire [PARALLEL*STORED_WIDTH-1:0] stored;
    attention_load_stored #(
        .BY_STEP(SCORES == 0 ? 1 : 0),
        .HEADS(HEADS),
        .PARALLEL_HEADS(PARALLEL_HEADS),
        .LANES(LANES),
        .LAST_LANES(LAST_LANES),
        .GROUPS(GROUPS),
        .STEPS(STEPS),
        .UNITS(UNITS + 1),
        .WIDTH(STORED_WIDTH),
        .ADDRESS(STORED_ADDRESS)
    ) load_stored (
        .clk(clk),
        .rst(rst),
        .in_valid(in1_valid),
        .in_ready(in1_ready),
        .in_data(in1_data),
        .room(stored_room),
        .taken(load_taken),
        .write(stored_write),
        .address(stored_write_address),
        .data(stored_write_data)
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
        .HEADS(HEADS),
        .PARALLEL_HEADS(PARALLEL_HEADS),
        .UNITS(SUM_UNITS),
        .STEPS(STEPS),
        .WIDTH(SHARED_WIDTH),
        .BLOCK_BITS(QUERY_BITS),
        .ADDRESS(SHARED_ADDRESS)
    ) load_shared (
        .clk(clk),
        .rst(rst),
        .in_valid(in0_valid),
        .in_ready(in0_ready),
        .in_data(in0_data),
        .room(shared_room),
        .block(queries_put[QUERY_BITS-1:0]),
        .put(query_put),
        .write(shared_write),
        .address(shared_write_address),
        .data(shared_write_data)
    );
    element_ram #(
        .WIDTH(SHARED_WIDTH),
        .ELEMENTS(PARALLEL_HEADS),
        .ADDRESS(SHARED_ADDRESS),
        .BLOCK(IN_LUTS != 0 ? 0 : 1)
    ) shared_ram (
        .clk(clk),
        .write(shared_write),
        .write_address(shared_write_address),
        .write_data(shared_write_data),
        .read(1'b1),
        .read_address(shared_address),
        .read_data(shared)
    );

    wire first, add, last, last_sum;
    wire [OUT_ADDRESS-1:0] sum_address;
    attention_sequencer #(
        .PASSES(PASSES),
        .PARALLEL_HEADS(PARALLEL_HEADS),
        .LANES(LANES),
        .UNITS(UNITS),
        .SUM_UNITS(SUM_UNITS),
        .GROUPS(GROUPS),
        .STEPS(STEPS),
        .PERIOD(PERIOD),
        .LOAD_QUERIES(LOAD_QUERIES),
        .IMAGE_LOADS(IMAGE_LOADS),
        .QUERY_BITS(QUERY_BITS),
        .RESULT_BITS(RESULT_BITS),
        .STORED_ADDRESS(STORED_ADDRESS),
        .SHARED_ADDRESS(SHARED_ADDRESS),
        .OUT_ADDRESS(OUT_ADDRESS)
    ) sequencer (
        .clk(clk),
        .rst(rst),
        .ready(ready),
        .query_block(queries_got[QUERY_BITS-1:0]),
        .result_block(queries_got[RESULT_BITS-1:0]),
        .first(first),
        .add(add),
        .last(last),
        .stored_address(stored_address),
        .shared_address(shared_address),
        .sum_address(sum_address),
        .last_sum(last_sum),
        .query_end(query_end),
        .load_end(load_end)
    );

    wire result_valid;
    wire [OUT_ADDRESS-1:0] result_address, out_address;
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
        .ADDRESS(OUT_ADDRESS),
        .AT_HEAD(AT_HEAD)
    ) sums (
        .clk(clk),
        .rst(rst),
        .first(first),
        .add(add),
        .last(last),
        .address(sum_address),
        .last_sum(last_sum),
        .stored(stored),
        .shared(shared),
        .result_valid(result_valid),
        .result_address(result_address),
        .result(result),
        .put(result_put)
    );

    wire read;
    element_ram #(
        .WIDTH(OUT_WIDTH),
        .ADDRESS(OUT_ADDRESS),
        .BLOCK(RESULTS_IN_LUTS != 0 ? 0 : 1)
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
        .HEADS(HEADS),
        .PARALLEL_HEADS(PARALLEL_HEADS),
        .UNITS(OUT_UNITS),
        .GROUPS(GROUPS),
        .LANES(LANES),
        .LAST_LANES(LAST_LANES),
        .BLOCK_BITS(RESULT_BITS),
        .ADDRESS(OUT_ADDRESS)
    ) store (
        .clk(clk),
        .rst(rst),
        .full(results_put != results_got),
        .block(results_got[RESULT_BITS-1:0]),
        .get(result_got),
        .read(read),
        .address(out_address),
        .out_valid(out_valid),
        .out_ready(out_ready)
    );
endmodule

`default_nettype wire

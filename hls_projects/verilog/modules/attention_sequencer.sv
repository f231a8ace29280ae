// What is multiplied when: of every query, for every pass over the heads and every group of lanes, the steps
// of their sums.
//
// A window is UNITS loads of keys, in a ring of one more; an image has IMAGE_LOADS of them, each served to
// LOAD_QUERIES queries. Scores go over a window's units outside of the groups, values (SUM_UNITS = UNITS)
// within a sum. Units from before the image are passed without `add`. Sums are PERIOD cycles apart. A
// query begins when it is `ready` and then goes on without a gap, as does the next one behind it.
//
// The address of a sum lacks the lane and the head among the parallel ones.

`default_nettype none

module attention_sequencer #(
    parameter integer PASSES = 1,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer LANES = 1,
    parameter integer UNITS = 1,
    parameter integer SUM_UNITS = 1,
    parameter integer GROUPS = 1,
    parameter integer STEPS = 1,
    parameter integer PERIOD = 1,
    parameter integer LOAD_QUERIES = 1,
    parameter integer IMAGE_LOADS = 1,
    parameter integer QUERY_BITS = 2,
    parameter integer RESULT_BITS = 2,
    parameter integer STORED_ADDRESS = 9,
    parameter integer SHARED_ADDRESS = 9,
    parameter integer OUT_ADDRESS = 9
) (
    input wire clk,
    input wire rst,
    input wire ready,
    input wire [QUERY_BITS-1:0] query_block,
    input wire [RESULT_BITS-1:0] result_block,
    output wire first,
    output wire add,
    output wire last,
    output wire [STORED_ADDRESS-1:0] stored_address,
    output wire [SHARED_ADDRESS-1:0] shared_address,
    output wire [OUT_ADDRESS-1:0] sum_address,
    output wire last_sum,
    output wire query_end,
    output wire load_end
);
    localparam integer OUT_UNITS = UNITS / SUM_UNITS;
    localparam integer UNIT_BITS = UNITS > 1 ? $clog2(UNITS + 1) : 1;

    wire [(STEPS > 2 ? $clog2(STEPS) : 1)-1:0] step;
    wire [(SUM_UNITS > 2 ? $clog2(SUM_UNITS) : 1)-1:0] sum_unit;
    wire [(GROUPS > 2 ? $clog2(GROUPS) : 1)-1:0] group;
    wire [(OUT_UNITS > 2 ? $clog2(OUT_UNITS) : 1)-1:0] out_unit;
    wire [(PASSES > 2 ? $clog2(PASSES) : 1)-1:0] pass;
    wire last_step, last_sum_unit, last_group, last_out_unit, last_pass, last_query;

    // Between queries `begun` is low, behind the steps of a sum that is shorter than PERIOD `pausing` high.
    reg begun;
    wire pausing, sum_end;
    wire go = !pausing && (begun || ready);
    assign last = go && last_step && last_sum_unit;
    wire step_unit = SUM_UNITS > 1 ? go && last_step : sum_end && last_group;
    wire step_pass = sum_end && last_group && last_out_unit;
    assign last_sum = last_group && last_out_unit && last_pass;
    assign query_end = sum_end && last_sum;
    assign load_end = query_end && last_query;
    always @(posedge clk)
        if (rst || query_end) begun <= 1'b0;
        else if (go) begun <= 1'b1;

    loop_counter #(.COUNT(STEPS)) steps (
        .clk(clk), .rst(rst), .step(go), .cut(1'b0), .count(step), .last(last_step)
    );
    loop_counter #(.COUNT(SUM_UNITS)) sum_units (
        .clk(clk), .rst(rst), .step(go && last_step), .cut(1'b0), .count(sum_unit), .last(last_sum_unit)
    );
    loop_counter #(.COUNT(GROUPS)) groups (
        .clk(clk), .rst(rst), .step(sum_end), .cut(1'b0), .count(group), .last(last_group)
    );
    loop_counter #(.COUNT(OUT_UNITS)) out_units (
        .clk(clk), .rst(rst), .step(sum_end && last_group), .cut(1'b0), .count(out_unit), .last(last_out_unit)
    );
    loop_counter #(.COUNT(PASSES)) passes (
        .clk(clk), .rst(rst), .step(step_pass), .cut(1'b0), .count(pass), .last(last_pass)
    );
    wire [(LOAD_QUERIES > 2 ? $clog2(LOAD_QUERIES) : 1)-1:0] query;
    loop_counter #(.COUNT(LOAD_QUERIES)) queries (
        .clk(clk), .rst(rst), .step(query_end), .cut(1'b0), .count(query), .last(last_query)
    );

    localparam integer PAUSE = PERIOD - SUM_UNITS * STEPS;
    generate
        if (PAUSE == 0) begin : seamless
            assign pausing = 1'b0;
            assign sum_end = last;
        end else begin : apart
            reg waiting;
            wire [(PAUSE > 2 ? $clog2(PAUSE) : 1)-1:0] cycles;
            wire last_clock;
            wire unused_clocks = &{1'b0, cycles};
            loop_counter #(.COUNT(PAUSE)) pause (
                .clk(clk), .rst(rst), .step(waiting), .cut(1'b0), .count(cycles), .last(last_clock)
            );
            always @(posedge clk)
                if (rst) waiting <= 1'b0;
                else waiting <= last || (waiting && !last_clock);
            assign pausing = waiting;
            assign sum_end = waiting && last_clock;
        end
    endgenerate

    // The ring's unit, and whether its keys are of this image.
    wire [UNIT_BITS-1:0] unit;
    wire of_image;
    generate
        if (UNITS == 1) begin : whole
            reg half;
            wire unused_query = &{1'b0, query, step_unit};
            assign unit = half;
            assign of_image = 1'b1;
            always @(posedge clk) half <= !rst && (half ^ load_end);
        end else begin : window
            reg [UNIT_BITS-1:0] oldest, place;
            wire [UNIT_BITS-1:0] newer = oldest == UNIT_BITS'(UNITS) ? 0 : oldest + 1;
            wire [UNIT_BITS-1:0] next = place == UNIT_BITS'(UNITS) ? 0 : place + 1;
            wire last_unit = SUM_UNITS > 1 ? last_sum_unit : last_out_unit;
            always @(posedge clk)
                if (rst) begin
                    oldest <= UNIT_BITS'(2 % (UNITS + 1));
                    place <= UNIT_BITS'(2 % (UNITS + 1));
                end else begin
                    if (load_end) oldest <= newer;
                    if (load_end) place <= newer;
                    else if (step_unit) place <= last_unit ? oldest : next;
                end
            assign unit = place;

            // Units of the window that lie before the image.
            wire [(IMAGE_LOADS > 2 ? $clog2(IMAGE_LOADS) : 1)-1:0] load;
            wire last_load;
            reg [UNIT_BITS-1:0] earlier;
            wire unused_load = &{1'b0, load, query};
            loop_counter #(.COUNT(IMAGE_LOADS)) loads (
                .clk(clk), .rst(rst), .step(load_end), .cut(1'b0), .count(load), .last(last_load)
            );
            always @(posedge clk)
                if (rst || (load_end && last_load)) earlier <= UNIT_BITS'(UNITS - 1);
                else if (load_end && earlier != 0) earlier <= earlier - 1;
            assign of_image = UNIT_BITS'(SUM_UNITS > 1 ? 32'(sum_unit) : 32'(out_unit)) >= earlier;
        end
    endgenerate

    assign first = step == 0 && sum_unit == 0;
    assign add = go && of_image;
    localparam integer STORED_UNIT = $clog2(STEPS) + $clog2(GROUPS);
    localparam integer STORED_PASS = STORED_UNIT + $clog2(UNITS + 1);
    assign stored_address = (STORED_ADDRESS'(pass) << STORED_PASS) | (STORED_ADDRESS'(unit) << STORED_UNIT)
        | (STORED_ADDRESS'(group) << $clog2(STEPS)) | STORED_ADDRESS'(step);
    localparam integer SHARED_PASS = $clog2(STEPS) + $clog2(SUM_UNITS);
    localparam integer SHARED_BLOCK = SHARED_PASS + $clog2(PASSES);
    assign shared_address = (SHARED_ADDRESS'(query_block) << SHARED_BLOCK) | (SHARED_ADDRESS'(pass) << SHARED_PASS)
        | (SHARED_ADDRESS'(sum_unit) << $clog2(STEPS)) | SHARED_ADDRESS'(step);
    localparam integer OUT_UNIT = $clog2(LANES) + $clog2(GROUPS);
    localparam integer OUT_PASS = OUT_UNIT + $clog2(OUT_UNITS) + $clog2(PARALLEL_HEADS);
    localparam integer OUT_BLOCK = OUT_PASS + $clog2(PASSES);
    assign sum_address = (OUT_ADDRESS'(result_block) << OUT_BLOCK) | (OUT_ADDRESS'(pass) << OUT_PASS)
        | (OUT_ADDRESS'(out_unit) << OUT_UNIT) | (OUT_ADDRESS'(group) << $clog2(LANES));
endmodule

`default_nettype wire

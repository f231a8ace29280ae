// Writes a load of keys or values into its banks, element by element: {pass over the heads, unit, group, step}
// is an element's address, its head and lane among the parallel ones are its place in the word.
//
// Keys come as key (group, lane), head, channel (step); values, BY_STEP, as key (step), head, channel (group,
// lane). `taken` comes with the last of a load, for which there must be `room`; it is written a cycle later.

`default_nettype none

module attention_load_stored #(
    parameter integer BY_STEP = 0,
    parameter integer HEADS = 1,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer LANES = 1,
    parameter integer LAST_LANES = 1,
    parameter integer GROUPS = 1,
    parameter integer STEPS = 1,
    parameter integer UNITS = 2,
    parameter integer WIDTH = 8,
    parameter integer ADDRESS = 9
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    input wire room,
    output wire taken,
    output reg [PARALLEL_HEADS*LANES-1:0] write,
    output reg [ADDRESS-1:0] address,
    output reg [WIDTH-1:0] data
);
    localparam integer PASSES = (HEADS + PARALLEL_HEADS - 1) / PARALLEL_HEADS;
    localparam integer LAST_HEADS = HEADS - (PASSES - 1) * PARALLEL_HEADS;
    localparam integer AT_GROUP = $clog2(STEPS);
    localparam integer AT_UNIT = AT_GROUP + $clog2(GROUPS);
    localparam integer AT_PASS = AT_UNIT + $clog2(UNITS);

    wire [(STEPS > 2 ? $clog2(STEPS) : 1)-1:0] step;
    wire [(LANES > 2 ? $clog2(LANES) : 1)-1:0] lane;
    wire [(GROUPS > 2 ? $clog2(GROUPS) : 1)-1:0] group;
    wire [(PARALLEL_HEADS > 2 ? $clog2(PARALLEL_HEADS) : 1)-1:0] head;
    wire [(PASSES > 2 ? $clog2(PASSES) : 1)-1:0] pass;
    wire [(UNITS > 2 ? $clog2(UNITS) : 1)-1:0] unit;
    wire last_step, last_lane, last_group, last_head, last_pass, last_unit;
    wire unused = last_unit;

    // Nested as the elements come: the heads in the middle, steps and lanes on either side.
    assign in_ready = room;
    wire accept = in_valid && room;
    wire step_lane = BY_STEP != 0 ? accept : step_head && last_head && last_pass;
    wire step_head = BY_STEP != 0 ? accept && last_lane && last_group : accept && last_step;
    wire step_step = BY_STEP != 0 ? step_head && last_head && last_pass : accept;
    assign taken = BY_STEP != 0 ? step_step && last_step : step_lane && last_lane && last_group;

    loop_counter #(.COUNT(STEPS)) steps (
        .clk(clk), .rst(rst), .step(step_step), .cut(1'b0), .count(step), .last(last_step)
    );
    loop_counter #(.COUNT(LANES), .CUT(LAST_LANES)) lanes (
        .clk(clk), .rst(rst), .step(step_lane), .cut(last_group), .count(lane), .last(last_lane)
    );
    loop_counter #(.COUNT(GROUPS)) groups (
        .clk(clk), .rst(rst), .step(step_lane && last_lane), .cut(1'b0), .count(group), .last(last_group)
    );
    loop_counter #(.COUNT(PARALLEL_HEADS), .CUT(LAST_HEADS)) heads (
        .clk(clk), .rst(rst), .step(step_head), .cut(last_pass), .count(head), .last(last_head)
    );
    loop_counter #(.COUNT(PASSES)) passes (
        .clk(clk), .rst(rst), .step(step_head && last_head), .cut(1'b0), .count(pass), .last(last_pass)
    );
    loop_counter #(.COUNT(UNITS)) units (
        .clk(clk), .rst(rst), .step(taken), .cut(1'b0), .count(unit), .last(last_unit)
    );

    integer h, l;
    always @(posedge clk) begin
        data <= in_data;
        address <= (ADDRESS'(pass) << AT_PASS) | (ADDRESS'(unit) << AT_UNIT) | (ADDRESS'(group) << AT_GROUP)
            | ADDRESS'(step);
        for (h = 0; h < PARALLEL_HEADS; h = h + 1)
            for (l = 0; l < LANES; l = l + 1) write[h*LANES+l] <= accept && 32'(head) == h && 32'(lane) == l;
    end
endmodule

`default_nettype wire

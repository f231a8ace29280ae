// Writes loads of keys or values into their memory, a code a cycle.
//
// A code's address is {pass over the heads, slot of its load in the ring, group, step}; its head and lane among the
// parallel ones select its column. Scores have a key in a lane and a channel in a step, values the other way round, so
// the loops over the codes of a load nest as
//   scores:  key (group, lane), head (pass, head), channel (step)
//   values:  key (step), head (pass, head), channel (group, lane)

`default_nettype none

module attention_load_stored #(
    // See attention_core.
    parameter integer SUM_OVER_KEYS = 0,
    parameter integer PASSES = 1,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer LAST_HEADS = 1,
    parameter integer GROUPS = 1,
    parameter integer LANES = 1,
    parameter integer LAST_LANES = 1,
    parameter integer STEPS = 1,
    // Loads in the ring: those of a window, and one that comes in.
    parameter integer RING = 2,
    // Bits of a code, and of an address.
    parameter integer WIDTH = 8,
    parameter integer ADDRESS = 1
) (
    input wire clk,
    input wire rst,
    // The stream of codes.
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    // The ring has a slot for the load.
    input wire room,
    // The last code of a load is taken; it is written a cycle later.
    output wire load_taken,
    // To the memory: the column that is written, a bit each, and what is written where.
    output reg [PARALLEL_HEADS*LANES-1:0] write,
    output reg [ADDRESS-1:0] write_address,
    output reg [WIDTH-1:0] write_data
);
    localparam integer GROUP_AT = $clog2(STEPS);
    localparam integer LOAD_AT = GROUP_AT + $clog2(GROUPS);
    localparam integer PASS_AT = LOAD_AT + $clog2(RING);

`ifndef __ICARUS__
    generate
        if (RING < 2) $error("attention_load_stored: RING must be at least 2");
        if (ADDRESS != PASS_AT + $clog2(PASSES))
            $error("attention_load_stored: ADDRESS must hold pass, load, group and step");
    endgenerate
`endif

    wire [(STEPS > 2 ? $clog2(STEPS) : 1)-1:0] step;
    wire [(LANES > 2 ? $clog2(LANES) : 1)-1:0] lane;
    wire [(GROUPS > 2 ? $clog2(GROUPS) : 1)-1:0] group;
    wire [(PARALLEL_HEADS > 2 ? $clog2(PARALLEL_HEADS) : 1)-1:0] head;
    wire [(PASSES > 2 ? $clog2(PASSES) : 1)-1:0] pass;
    wire [(RING > 2 ? $clog2(RING) : 1)-1:0] load;
    wire last_step, last_lane, last_group, last_head, last_pass, last_load;
    wire unused = last_load;

    // The loops nest as the codes come: heads in the middle; steps innermost and lanes outermost, or the reverse.
    assign in_ready = room;
    wire accept = in_valid && room;
    wire step_lane = SUM_OVER_KEYS != 0 ? accept : step_head && last_head && last_pass;
    wire step_head = SUM_OVER_KEYS != 0 ? accept && last_lane && last_group : accept && last_step;
    wire step_step = SUM_OVER_KEYS != 0 ? step_head && last_head && last_pass : accept;
    assign load_taken = SUM_OVER_KEYS != 0 ? step_step && last_step : step_lane && last_lane && last_group;

    loop_counter #(.COUNT(STEPS)) steps (
        .clk(clk), .rst(rst), .step(step_step), .inner(1'b1), .cut(1'b0), .count(step), .last(last_step)
    );
    loop_counter #(.COUNT(LANES), .CUT(LAST_LANES)) lanes (
        .clk(clk), .rst(rst), .step(step_lane), .inner(1'b1), .cut(last_group), .count(lane), .last(last_lane)
    );
    loop_counter #(.COUNT(GROUPS)) groups (
        .clk(clk), .rst(rst), .step(step_lane && last_lane), .inner(1'b1), .cut(1'b0), .count(group), .last(last_group)
    );
    loop_counter #(.COUNT(PARALLEL_HEADS), .CUT(LAST_HEADS)) heads (
        .clk(clk), .rst(rst), .step(step_head), .inner(1'b1), .cut(last_pass), .count(head), .last(last_head)
    );
    loop_counter #(.COUNT(PASSES)) passes (
        .clk(clk), .rst(rst), .step(step_head && last_head), .inner(1'b1), .cut(1'b0), .count(pass), .last(last_pass)
    );
    loop_counter #(.COUNT(RING)) loads (
        .clk(clk), .rst(rst), .step(load_taken), .inner(1'b1), .cut(1'b0), .count(load), .last(last_load)
    );

    // Registers before the memory, whose many columns are far from the counters.
    integer h, l;
    always @(posedge clk) begin
        write_data <= in_data;
        write_address <= (ADDRESS'(pass) << PASS_AT) | (ADDRESS'(load) << LOAD_AT) | (ADDRESS'(group) << GROUP_AT)
            | ADDRESS'(step);
        for (h = 0; h < PARALLEL_HEADS; h = h + 1)
            for (l = 0; l < LANES; l = l + 1) write[h*LANES+l] <= accept && 32'(head) == h && 32'(lane) == l;
    end
endmodule

`default_nettype wire

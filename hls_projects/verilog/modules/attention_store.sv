// Reads a query's results out of its block, in the order of the stream: {block, pass over the heads, head among
// the parallel ones, unit, group, lane} is a result's address.
//
// `get` comes with the last of a block, which is read while `full`.

`default_nettype none

module attention_store #(
    parameter integer HEADS = 1,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer UNITS = 1,
    parameter integer GROUPS = 1,
    parameter integer LANES = 1,
    parameter integer LAST_LANES = 1,
    parameter integer BLOCK_BITS = 2,
    parameter integer ADDRESS = 9
) (
    input wire clk,
    input wire rst,
    input wire full,
    input wire [BLOCK_BITS-1:0] block,
    output wire get,
    output wire read,
    output wire [ADDRESS-1:0] address,
    output reg out_valid,
    input wire out_ready
);
    localparam integer PASSES = (HEADS + PARALLEL_HEADS - 1) / PARALLEL_HEADS;
    localparam integer LAST_HEADS = HEADS - (PASSES - 1) * PARALLEL_HEADS;
    localparam integer AT_UNIT = $clog2(LANES) + $clog2(GROUPS);
    localparam integer AT_HEAD = AT_UNIT + $clog2(UNITS);
    localparam integer AT_PASS = AT_HEAD + $clog2(PARALLEL_HEADS);
    localparam integer AT_BLOCK = AT_PASS + $clog2(PASSES);

    wire [(LANES > 2 ? $clog2(LANES) : 1)-1:0] lane;
    wire [(GROUPS > 2 ? $clog2(GROUPS) : 1)-1:0] group;
    wire [(UNITS > 2 ? $clog2(UNITS) : 1)-1:0] unit;
    wire [(PARALLEL_HEADS > 2 ? $clog2(PARALLEL_HEADS) : 1)-1:0] head;
    wire [(PASSES > 2 ? $clog2(PASSES) : 1)-1:0] pass;
    wire last_lane, last_group, last_unit, last_head, last_pass;

    assign read = full && (!out_valid || out_ready);
    wire step_group = read && last_lane;
    wire step_unit = step_group && last_group;
    wire step_head = step_unit && last_unit;
    assign get = step_head && last_head && last_pass;
    always @(posedge clk) out_valid <= !rst && (read || (out_valid && !out_ready));

    loop_counter #(.COUNT(LANES), .CUT(LAST_LANES)) lanes (
        .clk(clk), .rst(rst), .step(read), .cut(last_group), .count(lane), .last(last_lane)
    );
    loop_counter #(.COUNT(GROUPS)) groups (
        .clk(clk), .rst(rst), .step(step_group), .cut(1'b0), .count(group), .last(last_group)
    );
    loop_counter #(.COUNT(UNITS)) units (
        .clk(clk), .rst(rst), .step(step_unit), .cut(1'b0), .count(unit), .last(last_unit)
    );
    loop_counter #(.COUNT(PARALLEL_HEADS), .CUT(LAST_HEADS)) heads (
        .clk(clk), .rst(rst), .step(step_head), .cut(last_pass), .count(head), .last(last_head)
    );
    loop_counter #(.COUNT(PASSES)) passes (
        .clk(clk), .rst(rst), .step(step_head && last_head), .cut(1'b0), .count(pass), .last(last_pass)
    );
    assign address = (ADDRESS'(block) << AT_BLOCK) | (ADDRESS'(pass) << AT_PASS) | (ADDRESS'(head) << AT_HEAD)
        | (ADDRESS'(unit) << AT_UNIT) | (ADDRESS'(group) << $clog2(LANES)) | ADDRESS'(lane);
endmodule

`default_nettype wire

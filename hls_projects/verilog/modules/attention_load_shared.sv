// Writes the word of a query into a block, element by element: {block, pass over the heads, unit, step} is an
// element's address, its head among the parallel ones its place in the memory's word.
//
// The elements come as head, unit, step. `put` comes with the last of a block; there must be `room` for it.

`default_nettype none

module attention_load_shared #(
    parameter integer HEADS = 1,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer UNITS = 1,
    parameter integer STEPS = 1,
    parameter integer WIDTH = 8,
    parameter integer BLOCK_BITS = 2,
    parameter integer ADDRESS = 9
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    input wire room,
    input wire [BLOCK_BITS-1:0] block,
    output wire put,
    output reg [PARALLEL_HEADS-1:0] write,
    output wire [ADDRESS-1:0] address,
    output wire [WIDTH-1:0] data
);
    localparam integer PASSES = (HEADS + PARALLEL_HEADS - 1) / PARALLEL_HEADS;
    localparam integer LAST_HEADS = HEADS - (PASSES - 1) * PARALLEL_HEADS;
    localparam integer AT_UNIT = $clog2(STEPS);
    localparam integer AT_PASS = AT_UNIT + $clog2(UNITS);
    localparam integer AT_BLOCK = AT_PASS + $clog2(PASSES);

    wire [(STEPS > 2 ? $clog2(STEPS) : 1)-1:0] step;
    wire [(UNITS > 2 ? $clog2(UNITS) : 1)-1:0] unit;
    wire [(PARALLEL_HEADS > 2 ? $clog2(PARALLEL_HEADS) : 1)-1:0] head;
    wire [(PASSES > 2 ? $clog2(PASSES) : 1)-1:0] pass;
    wire last_step, last_unit, last_head, last_pass;

    assign in_ready = room;
    wire accept = in_valid && room;
    wire step_head = accept && last_step && last_unit;
    assign put = step_head && last_head && last_pass;

    loop_counter #(.COUNT(STEPS)) steps (
        .clk(clk), .rst(rst), .step(accept), .cut(1'b0), .count(step), .last(last_step)
    );
    loop_counter #(.COUNT(UNITS)) units (
        .clk(clk), .rst(rst), .step(accept && last_step), .cut(1'b0), .count(unit), .last(last_unit)
    );
    loop_counter #(.COUNT(PARALLEL_HEADS), .CUT(LAST_HEADS)) heads (
        .clk(clk), .rst(rst), .step(step_head), .cut(last_pass), .count(head), .last(last_head)
    );
    loop_counter #(.COUNT(PASSES)) passes (
        .clk(clk), .rst(rst), .step(step_head && last_head), .cut(1'b0), .count(pass), .last(last_pass)
    );

    assign data = in_data;
    assign address = (ADDRESS'(block) << AT_BLOCK) | (ADDRESS'(pass) << AT_PASS) | (ADDRESS'(unit) << AT_UNIT)
        | ADDRESS'(step);
    integer h;
    always @* for (h = 0; h < PARALLEL_HEADS; h = h + 1) write[h] = accept && 32'(head) == h;
endmodule

`default_nettype wire

// Writes queries into the blocks of their memory, a code a cycle.
//
// A code's address is {block, pass over the heads, load, step}; its head among the parallel ones selects its column.
// The codes of a query come as head, load, step.

`default_nettype none

module attention_load_shared #(
    // See attention_core.
    parameter integer PASSES = 1,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer LAST_HEADS = 1,
    // Loads of keys within a sum, and products of a sum for each.
    parameter integer LOADS = 1,
    parameter integer STEPS = 1,
    // Bits of a code, of the number of a block, and of an address.
    parameter integer WIDTH = 8,
    parameter integer BLOCK_BITS = 1,
    parameter integer ADDRESS = 1
) (
    input wire clk,
    input wire rst,
    // The stream of codes.
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    // The block that is written is free.
    input wire room,
    input wire [BLOCK_BITS-1:0] block,
    // The last code of a query is written.
    output wire query_written,
    // To the memory: the column that is written, a bit each, and what is written where.
    output reg [PARALLEL_HEADS-1:0] write,
    output wire [ADDRESS-1:0] write_address,
    output wire [WIDTH-1:0] write_data
);
    localparam integer LOAD_AT = $clog2(STEPS);
    localparam integer PASS_AT = LOAD_AT + $clog2(LOADS);
    localparam integer BLOCK_AT = PASS_AT + $clog2(PASSES);

`ifndef __ICARUS__
    generate
        if (ADDRESS != BLOCK_AT + BLOCK_BITS)
            $error("attention_load_shared: ADDRESS must hold block, pass, load and step");
    endgenerate
`endif

    wire [(STEPS > 2 ? $clog2(STEPS) : 1)-1:0] step;
    wire [(LOADS > 2 ? $clog2(LOADS) : 1)-1:0] load;
    wire [(PARALLEL_HEADS > 2 ? $clog2(PARALLEL_HEADS) : 1)-1:0] head;
    wire [(PASSES > 2 ? $clog2(PASSES) : 1)-1:0] pass;
    wire last_step, last_load, last_head, last_pass;

    assign in_ready = room;
    wire accept = in_valid && room;
    wire step_head = accept && last_step && last_load;
    assign query_written = step_head && last_head && last_pass;

    loop_counter #(.COUNT(STEPS)) steps (
        .clk(clk), .rst(rst), .step(accept), .inner(1'b1), .cut(1'b0), .count(step), .last(last_step)
    );
    loop_counter #(.COUNT(LOADS)) loads (
        .clk(clk), .rst(rst), .step(accept && last_step), .inner(1'b1), .cut(1'b0), .count(load), .last(last_load)
    );
    loop_counter #(.COUNT(PARALLEL_HEADS), .CUT(LAST_HEADS)) heads (
        .clk(clk), .rst(rst), .step(step_head), .inner(1'b1), .cut(last_pass), .count(head), .last(last_head)
    );
    loop_counter #(.COUNT(PASSES)) passes (
        .clk(clk), .rst(rst), .step(step_head && last_head), .inner(1'b1), .cut(1'b0), .count(pass), .last(last_pass)
    );

    assign write_data = in_data;
    assign write_address = (ADDRESS'(block) << BLOCK_AT) | (ADDRESS'(pass) << PASS_AT) | (ADDRESS'(load) << LOAD_AT)
        | ADDRESS'(step);
    integer h;
    always @* for (h = 0; h < PARALLEL_HEADS; h = h + 1) write[h] = accept && 32'(head) == h;
endmodule

`default_nettype wire

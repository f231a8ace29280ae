// Reads a query's results out of their block in the order of the stream, a code a cycle.
//
// A result's address is {block, pass over the heads, head among the parallel ones, load, group, lane}. This order of
// the loops is the stream's.

`default_nettype none

module attention_store #(
    // See attention_core.
    parameter integer PASSES = 1,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer LAST_HEADS = 1,
    // Loads of keys with sums of their own.
    parameter integer LOADS = 1,
    parameter integer GROUPS = 1,
    parameter integer LANES = 1,
    parameter integer LAST_LANES = 1,
    // Bits of the number of a block, and of an address.
    parameter integer BLOCK_BITS = 2,
    parameter integer ADDRESS = 2
) (
    input wire clk,
    input wire rst,
    // All results of `block` are written.
    input wire available,
    input wire [BLOCK_BITS-1:0] block,
    // The last result of the block is read.
    output wire results_sent,
    // To the memory. Its register is the word of the output stream.
    output wire read,
    output wire [ADDRESS-1:0] read_address,
    // The output stream without its data.
    output reg out_valid,
    input wire out_ready
);
    localparam integer GROUP_AT = $clog2(LANES);
    localparam integer LOAD_AT = GROUP_AT + $clog2(GROUPS);
    localparam integer HEAD_AT = LOAD_AT + $clog2(LOADS);
    localparam integer PASS_AT = HEAD_AT + $clog2(PARALLEL_HEADS);
    localparam integer BLOCK_AT = PASS_AT + $clog2(PASSES);

`ifndef __ICARUS__
    generate
        if (ADDRESS != BLOCK_AT + BLOCK_BITS)
            $error("attention_store: ADDRESS must hold block, pass, head, load, group and lane");
    endgenerate
`endif

    wire [(LANES > 2 ? $clog2(LANES) : 1)-1:0] lane;
    wire [(GROUPS > 2 ? $clog2(GROUPS) : 1)-1:0] group;
    wire [(LOADS > 2 ? $clog2(LOADS) : 1)-1:0] load;
    wire [(PARALLEL_HEADS > 2 ? $clog2(PARALLEL_HEADS) : 1)-1:0] head;
    wire [(PASSES > 2 ? $clog2(PASSES) : 1)-1:0] pass;
    wire last_lane, last_group, last_load, last_head, last_pass;

    assign read = available && (!out_valid || out_ready);
    wire step_group = read && last_lane;
    wire step_load = step_group && last_group;
    wire step_head = step_load && last_load;
    assign results_sent = step_head && last_head && last_pass;
    always @(posedge clk) out_valid <= !rst && (read || (out_valid && !out_ready));

    loop_counter #(.COUNT(LANES), .CUT(LAST_LANES)) lanes (
        .clk(clk), .rst(rst), .step(read), .inner(1'b1), .cut(last_group), .count(lane), .last(last_lane)
    );
    loop_counter #(.COUNT(GROUPS)) groups (
        .clk(clk), .rst(rst), .step(step_group), .inner(1'b1), .cut(1'b0), .count(group), .last(last_group)
    );
    loop_counter #(.COUNT(LOADS)) loads (
        .clk(clk), .rst(rst), .step(step_load), .inner(1'b1), .cut(1'b0), .count(load), .last(last_load)
    );
    loop_counter #(.COUNT(PARALLEL_HEADS), .CUT(LAST_HEADS)) heads (
        .clk(clk), .rst(rst), .step(step_head), .inner(1'b1), .cut(last_pass), .count(head), .last(last_head)
    );
    loop_counter #(.COUNT(PASSES)) passes (
        .clk(clk), .rst(rst), .step(step_head && last_head), .inner(1'b1), .cut(1'b0), .count(pass), .last(last_pass)
    );
    assign read_address = (ADDRESS'(block) << BLOCK_AT) | (ADDRESS'(pass) << PASS_AT) | (ADDRESS'(head) << HEAD_AT)
        | (ADDRESS'(load) << LOAD_AT) | (ADDRESS'(group) << GROUP_AT) | ADDRESS'(lane);
endmodule

`default_nettype wire

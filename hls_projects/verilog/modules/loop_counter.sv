// One loop of a nest: counts its rounds from 0 to COUNT - 1 and says which is the last.
//
// A loop of one round takes no logic.

`default_nettype none

module loop_counter #(
    // Rounds, at least 1.
    parameter integer COUNT = 2,
    // Rounds while `cut` is high, 1 to COUNT; equal to COUNT where the loop is never cut. A cut is the last pass over
    // lanes whose number does not divide what they pass over.
    parameter integer CUT = COUNT,
    // 1 where the loop is counted at the last rounds of an inner loop only, 0 where `inner` is ignored.
    parameter integer NESTED = 0,
    // Bits of `count`, enough for COUNT - 1.
    parameter integer WIDTH = COUNT > 2 ? $clog2(COUNT) : 1
) (
    input wire clk,
    input wire rst,
    // A round ends; with NESTED, a round of the innermost loop does.
    input wire step,
    // The last rounds of all loops within this one, with NESTED.
    input wire inner,
    // The loop has CUT rounds.
    input wire cut,
    // The present round.
    output wire [WIDTH-1:0] count,
    // The present round is the last one; with NESTED also of all loops within.
    output wire last
);
`ifndef __ICARUS__
    generate
        if (COUNT < 1) $error("loop_counter: COUNT must be at least 1");
        if (CUT < 1 || CUT > COUNT) $error("loop_counter: CUT must be 1 to COUNT");
        if (NESTED != 0 && NESTED != 1) $error("loop_counter: NESTED must be 0 or 1");
        if (WIDTH < 1 || WIDTH < $clog2(COUNT)) $error("loop_counter: WIDTH must hold COUNT - 1");
    endgenerate
`endif

    wire enabled = NESTED == 0 || inner;

    generate
        if (COUNT == 1) begin : once
            wire unused = &{1'b0, clk, rst, step, cut};
            assign count = 0;
            assign last = enabled;
        end else begin : many
            // The present round; the only state of the loop.
            reg [WIDTH-1:0] count_q;
            assign count = count_q;
            assign last = enabled
                && (count_q == WIDTH'(COUNT - 1) || (CUT != COUNT && cut && count_q == WIDTH'(CUT - 1)));
            always @(posedge clk)
                if (rst || (step && last)) count_q <= 0;
                else if (step && enabled) count_q <= count_q + 1;
        end
    endgenerate
endmodule

`default_nettype wire

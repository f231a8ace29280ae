// One loop of a nest: counts its rounds and says which is the last.
//
// `step` ends a round. A loop of one round takes no logic. Where `cut` is high the loop has CUT rounds,
// as the last pass over lanes that do not divide what they pass over.

`default_nettype none

module loop_counter #(
    parameter integer COUNT = 2,
    parameter integer CUT = COUNT,
    parameter integer WIDTH = COUNT > 2 ? $clog2(COUNT) : 1
) (
    input wire clk,
    input wire rst,
    input wire step,
    input wire cut,
    output wire [WIDTH-1:0] count,
    output wire last
);
    generate
        if (COUNT == 1) begin : once
            wire unused = &{1'b0, clk, rst, step, cut};
            assign count = 0;
            assign last = 1'b1;
        end else begin : many
            reg [WIDTH-1:0] value;
            assign count = value;
            assign last = value == WIDTH'(COUNT - 1) || (CUT != COUNT && cut && value == WIDTH'(CUT - 1));
            always @(posedge clk)
                if (rst || (step && last)) value <= 0;
                else if (step) value <= value + 1;
        end
    endgenerate
endmodule

`default_nettype wire

// An address that runs through both halves of a double buffer, of WORDS words each, again and again;
// `last` at the last word of a half.

`default_nettype none

module halves #(
    parameter WORDS = 96,
    parameter ADDRESS = $clog2(2 * WORDS)
) (
    input wire clk,
    input wire rst,
    input wire step,
    output reg [ADDRESS-1:0] address,
    output wire last
);
    localparam LOWER = WORDS - 1;
    localparam UPPER = 2 * WORDS - 1;
    wire end_of_upper = address == UPPER[ADDRESS-1:0];
    assign last = address == LOWER[ADDRESS-1:0] || end_of_upper;
    always @(posedge clk) begin
        // The wrap is a reset: it costs less than a choice.
        if (rst || step && end_of_upper) address <= 0;
        else if (step) address <= address + 1;
    end
endmodule

`default_nettype wire

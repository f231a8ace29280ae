// An address that runs through both halves of a double buffer, again and again.
//
// The halves follow each other in one RAM: words 0 to WORDS - 1, then WORDS to 2 * WORDS - 1.

`default_nettype none

module double_buffer_address #(
    // Words of a half, at least 1.
    parameter WORDS = 96,
    // Bits of an address, at least $clog2(2 * WORDS).
    parameter ADDRESS = $clog2(2 * WORDS)
) (
    input wire clk,
    input wire rst,
    // Go on to the next word.
    input wire step,
    output reg [ADDRESS-1:0] address,
    // The address is the last word of a half.
    output wire last
);
`ifndef __ICARUS__
    generate
        if (WORDS < 1) $error("double_buffer_address: WORDS must be at least 1");
        if (ADDRESS < $clog2(2 * WORDS)) $error("double_buffer_address: ADDRESS must be at least $clog2(2 * WORDS)");
    endgenerate
`endif

    localparam LOWER = WORDS - 1;
    localparam UPPER = 2 * WORDS - 1;
    wire end_of_upper = address == UPPER[ADDRESS-1:0];
    assign last = address == LOWER[ADDRESS-1:0] || end_of_upper;
    always @(posedge clk) begin
        // The wrap uses the reset of the flip-flops, which costs less than a multiplexer before them.
        if (rst || step && end_of_upper) address <= 0;
        else if (step) address <= address + 1;
    end
endmodule

`default_nettype wire

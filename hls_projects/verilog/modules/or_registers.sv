// Registered bitwise OR of some words.
//
// As a leg of a wide multiplexer: all words but the selected one are zero. The register cuts the path through the
// multiplexer; up to six words take one LUT a bit. Latency: one cycle.

`default_nettype none

module or_registers #(
    // Number of words, at least 1; up to 6 fit in one LUT a bit.
    parameter COUNT = 6,
    // Bits of a word, at least 1.
    parameter WIDTH = 8
) (
    input wire clk,
    // The words, word 0 lowest.
    input wire [COUNT*WIDTH-1:0] words,
    output reg [WIDTH-1:0] word
);
`ifndef __ICARUS__
    generate
        if (COUNT < 1) $error("or_registers: COUNT must be at least 1");
        if (WIDTH < 1) $error("or_registers: WIDTH must be at least 1");
    endgenerate
`endif

    integer i;
    reg [WIDTH-1:0] word_d;
    always @* begin
        word_d = 0;
        for (i = 0; i < COUNT; i = i + 1) word_d = word_d | words[i*WIDTH +: WIDTH];
    end
    always @(posedge clk) word <= word_d;
endmodule

`default_nettype wire

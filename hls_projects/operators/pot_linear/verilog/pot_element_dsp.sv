// A processing element: weight times activation and accumulation in one DSP48E1.
//
// word: the weight, a signed integer in units of the smallest power of two
// `run` and `last` come with the accumulation, 1 clock after the word; `last`, a cycle without a step, takes the sum
// and clears it.

`default_nettype none

module pot_element_dsp #(
    parameter X_WIDTH = 8,
    parameter SUM_WIDTH = 20,
    parameter WORD_WIDTH = 8
) (
    input wire clk,
    input wire run,
    input wire last,
    input wire signed [WORD_WIDTH-1:0] word,
    input wire signed [X_WIDTH-1:0] x,
    output reg [SUM_WIDTH-1:0] result
);
    reg signed [WORD_WIDTH+X_WIDTH-1:0] product;
    reg signed [SUM_WIDTH-1:0] sum;
    always @(posedge clk) begin
        product <= word * x;
        if (last) sum <= 0;
        else if (run) sum <= sum + {{SUM_WIDTH - WORD_WIDTH - X_WIDTH{product[WORD_WIDTH+X_WIDTH-1]}}, product};
        if (last) result <= sum;
    end
endmodule

`default_nettype wire

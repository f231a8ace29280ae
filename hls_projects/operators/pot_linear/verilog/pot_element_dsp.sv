// Element with a multiplier: weight times activation, and accumulation, in one DSP48E1.
//
//   product  the weight times x, in the DSP's register M
//   sum      the accumulator, in the DSP's register P
//   result   the last sum, until it has been read out

`default_nettype none

module pot_element_dsp #(
    // Bits of an activation, signed.
    parameter integer X_WIDTH = 8,
    // Bits of the sum, more than those of a product.
    parameter integer SUM_WIDTH = 20,
    // Bits of a weight, signed, in units of the layer's lowest power of two.
    parameter integer CODE_WIDTH = 8
) (
    input wire clk,
    // A cycle after the weight: its product is added.
    input wire run,
    // As `run`, without a weight: the sum becomes the result and starts again at zero.
    input wire finish,
    input wire signed [CODE_WIDTH-1:0] code,
    input wire signed [X_WIDTH-1:0] x,
    output reg [SUM_WIDTH-1:0] result
);
    localparam integer PRODUCT_WIDTH = CODE_WIDTH + X_WIDTH;

    generate
        if (SUM_WIDTH <= PRODUCT_WIDTH) $error("pot_element_dsp: SUM_WIDTH must be above CODE_WIDTH + X_WIDTH");
    endgenerate

    reg signed [PRODUCT_WIDTH-1:0] product;
    reg signed [SUM_WIDTH-1:0] sum;
    always @(posedge clk) begin
        product <= code * x;
        if (finish) sum <= 0;
        else if (run) sum <= sum + {{SUM_WIDTH - PRODUCT_WIDTH{product[PRODUCT_WIDTH-1]}}, product};
        if (finish) result <= sum;
    end
endmodule

`default_nettype wire

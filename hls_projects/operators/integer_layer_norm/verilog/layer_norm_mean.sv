// requantize(sum * MULTIPLIER, SHIFT), one bit of the multiplier a cycle.
//
// The lowest bit comes first, and the product moves right by one with each: what leaves it on the right
// matters only as whether it was all zero. The mean is ready CLOCKS + 1 cycles after `load`, in a register
// of the user by then.

`default_nettype none

module layer_norm_mean #(
    parameter SUM_WIDTH = 15,
    parameter MULTIPLIER = 171,
    parameter MULTIPLIER_WIDTH = 8,
    parameter SHIFT = 9,
    parameter OUT_WIDTH = 8
) (
    input wire clk,
    input wire rst,
    input wire load,
    input wire signed [SUM_WIDTH-1:0] sum,
    output wire ready,
    output wire [OUT_WIDTH-1:0] mean
);
    localparam CLOCKS = MULTIPLIER_WIDTH > SHIFT ? MULTIPLIER_WIDTH : SHIFT;
    // Bits of the product right of the sum's place that are not shifted out.
    localparam KEPT = CLOCKS - SHIFT;
    localparam UPPER = (SUM_WIDTH > SHIFT + 1 ? SUM_WIDTH : SHIFT + 1) + 1;
    localparam WIDTH = UPPER + KEPT + 1;
    localparam [CLOCKS-1:0] BITS = MULTIPLIER;
    localparam [UPPER-1:0] ONE = 1;
    // Without a shift nothing is rounded.
    localparam [WIDTH-1:0] NO_TIE = SHIFT == 0 ? 1 : 0;

    // The product's upper part, its kept bits, and whether a bit that was shifted out was 1.
    reg signed [WIDTH-1:0] product;
    reg signed [SUM_WIDTH-1:0] multiplicand;
    reg [CLOCKS-1:0] multiplier;
    // As many ones as cycles are left; after the last bit of the multiplier one for the user's register.
    reg [CLOCKS:0] left;
    assign ready = !left[0];
    wire adding = left[1];
    wire signed [SUM_WIDTH-1:0] addend = multiplicand & {SUM_WIDTH{multiplier[0]}};
    wire signed [UPPER-1:0] upper = $signed(product[WIDTH-1:KEPT+1]) + addend;
    wire [WIDTH-1:0] moved;
    generate
        if (KEPT == 0) begin : all_out
            assign moved = {upper[UPPER-1], upper[UPPER-1:1], upper[0] || product[0]};
        end else if (KEPT == 1) begin : one_kept
            assign moved = {upper[UPPER-1], upper, product[1] || product[0]};
        end else begin : some_kept
            assign moved = {upper[UPPER-1], upper, product[KEPT:2], product[1] || product[0]};
        end
    endgenerate

    always @(posedge clk) begin
        if (load) begin
            product <= {(ONE << SHIFT) >> 1, {KEPT + 1{1'b0}}} | NO_TIE;
            multiplicand <= sum;
            multiplier <= BITS;
        end else begin
            if (adding) product <= moved;
            multiplier <= multiplier >> 1;
        end
        left <= load || rst ? {CLOCKS + 1{1'b1}} : left >> 1;
    end

    requantize #(
        .WIDTH(WIDTH), .SHIFT(1), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(1), .HAS_HALF(1)
    ) rounding (
        .value(product), .result(mean)
    );
endmodule

`default_nettype wire

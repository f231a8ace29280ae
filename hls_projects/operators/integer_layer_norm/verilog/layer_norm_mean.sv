// The mean of a token: requantize(sum * MULTIPLIER, SHIFT), rounded half to even, a bit of the multiplier a cycle.
//
// The multiplier's lowest bit comes first, and the product moves right by one with each. Its bits that leave on the
// right are dropped by the rounding; it needs to know only whether they were all 0, which is a tie. The product begins
// with half a step, so that dropping them rounds half up, and requantize corrects a tie.

`default_nettype none

module layer_norm_mean #(
    // Bits of the signed sum.
    parameter SUM_WIDTH = 15,
    // The factor, at least 1, and its bits.
    parameter MULTIPLIER = 171,
    parameter MULTIPLIER_WIDTH = 8,
    // The product is divided by 2^SHIFT, SHIFT at least 0.
    parameter SHIFT = 9,
    // Bits of the signed mean, to which it saturates.
    parameter OUT_WIDTH = 8
) (
    input wire clk,
    input wire rst,
    // A token's sum is there.
    input wire load,
    input wire signed [SUM_WIDTH-1:0] sum,
    // CYCLES + 1 cycles after `load`: the mean has been in a register of the user for a cycle, until the next `load`.
    output wire ready,
    output wire [OUT_WIDTH-1:0] mean
);
    // Moves of the product: all bits of the multiplier, and enough to drop SHIFT bits.
    localparam CYCLES = MULTIPLIER_WIDTH > SHIFT ? MULTIPLIER_WIDTH : SHIFT;
    // Bits of the product to the right of the sum that are not dropped.
    localparam KEPT = CYCLES - SHIFT;
    localparam UPPER = (SUM_WIDTH > SHIFT + 1 ? SUM_WIDTH : SHIFT + 1) + 1;
    localparam WIDTH = UPPER + KEPT + 1;
    localparam [CYCLES-1:0] BITS = CYCLES'(MULTIPLIER);
    localparam [UPPER-1:0] ONE = 1;
    // Without a shift nothing is rounded: the last bit says that the dropped bits are not all 0, so there is no tie.
    localparam [WIDTH-1:0] NO_TIE = SHIFT == 0 ? 1 : 0;

`ifndef __ICARUS__
    generate
        if (SHIFT < 0 || MULTIPLIER < 1 || MULTIPLIER_WIDTH < $clog2(MULTIPLIER + 1))
            $error("layer_norm_mean: SHIFT must be at least 0, MULTIPLIER at least 1 and of MULTIPLIER_WIDTH bits");
    endgenerate
`endif

    // {upper part, which the multiplicand is added to; KEPT bits; whether a dropped bit was 1}.
    reg signed [WIDTH-1:0] product_q;
    reg signed [SUM_WIDTH-1:0] multiplicand_q;
    // The multiplier's bits that are left, the next one lowest.
    reg [CYCLES-1:0] multiplier_q;
    // As many ones as cycles are left. The last of them is for the user's register behind the mean.
    reg [CYCLES:0] left_q;
    assign ready = !left_q[0];
    wire adding = left_q[1];
    wire signed [SUM_WIDTH-1:0] addend = multiplicand_q & {SUM_WIDTH{multiplier_q[0]}};
    wire signed [UPPER-1:0] upper = $signed(product_q[WIDTH-1:KEPT+1]) + addend;
    wire [WIDTH-1:0] product_d;
    generate
        if (KEPT == 0) begin : all_dropped
            assign product_d = {upper[UPPER-1], upper[UPPER-1:1], upper[0] || product_q[0]};
        end else if (KEPT == 1) begin : one_kept
            assign product_d = {upper[UPPER-1], upper, product_q[1] || product_q[0]};
        end else begin : some_kept
            assign product_d = {upper[UPPER-1], upper, product_q[KEPT:2], product_q[1] || product_q[0]};
        end
    endgenerate

    always @(posedge clk) begin
        if (load) begin
            product_q <= {(ONE << SHIFT) >> 1, {KEPT + 1{1'b0}}} | NO_TIE;
            multiplicand_q <= sum;
            multiplier_q <= BITS;
        end else begin
            if (adding) product_q <= product_d;
            multiplier_q <= multiplier_q >> 1;
        end
        left_q <= load || rst ? {CYCLES + 1{1'b1}} : left_q >> 1;
    end

    requantize #(
        .WIDTH(WIDTH), .SHIFT(1), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(1), .HAS_HALF(1)
    ) rounding (
        .value(product_q), .result(mean)
    );
endmodule

`default_nettype wire

// Two multiply-accumulates in one DSP48E1 slice that share b: low = sum of a_low * b, high = sum of a_high * b.
//
// The slice adds up (a_high * 2^16 + a_low) * b, so that its sum is high * 2^16 + low, exactly, for signed a of up to
// eight bits. Its 16 lowest bits are low modulo 2^16; where low outgrows them, it carries into or borrows from the bits
// above. A product is below 2^15, so that low passes a multiple of 2^16 exactly where bit 15 changes against the
// product's sign. `wraps` counts those, up and down: low = wraps * 2^16 + low_bits, high = high_bits - wraps. Both sums
// start at 2^(SHIFT-1), see multiply_accumulate. (Fu et al., Deep learning with INT8 optimization on Xilinx devices,
// WP486, stops after seven products instead.)
//
// Latency: four cycles from a and b to the sums, as of multiply_accumulate.

`default_nettype none

module multiply_accumulate_pair #(
    // Bits of a_low and a_high, 1 to 8.
    parameter integer WIDTH = 8,
    // Bits that `tie` looks at, 0 to 15; both sums start at 2^(SHIFT-1), or at 0.
    parameter integer SHIFT = 0,
    // Bits of the signed count of wraps, at least 1: enough for low / 2^16.
    parameter integer WRAPS = 5
) (
    input wire clk,
    input wire rst,
    // Signed factors.
    input wire [WIDTH-1:0] a_low,
    input wire [WIDTH-1:0] a_high,
    input wire [17:0] b,
    // The sign of `b`, four cycles after it.
    input wire b_negative,
    // Begin new sums; add the products. Two cycles after their a and b.
    input wire first,
    input wire add,
    // The sums have a new product; it is their last one. Four cycles after its a and b.
    input wire added,
    input wire last,
    // The slice's sum, in two parts.
    output wire [15:0] low_bits,
    output wire [31:0] high_bits,
    // Wraps with those of the present sums: the next value of the count.
    output wire [WRAPS-1:0] wraps,
    // The low SHIFT bits of low are 0.
    output wire tie
);
`ifndef __ICARUS__
    generate
        if (WIDTH < 1 || WIDTH > 8) $error("multiply_accumulate_pair: WIDTH must be 1 to 8");
        if (SHIFT < 0 || SHIFT > 15) $error("multiply_accumulate_pair: SHIFT must be 0 to 15");
        if (WRAPS < 1) $error("multiply_accumulate_pair: WRAPS must be at least 1");
    endgenerate
`endif

    localparam [47:0] HALF = SHIFT == 0 ? 48'd0 : 48'd1 << (SHIFT - 1);

    multiply_accumulate #(
        .START((HALF << 16) + HALF),
        .SHIFT(SHIFT),
        .PREADD(1)
    ) products (
        .clk(clk),
        .a({{25 - WIDTH{a_low[WIDTH-1]}}, a_low}),
        .d({{9 - WIDTH{a_high[WIDTH-1]}}, a_high, 16'd0}),
        .b(b),
        .first(first),
        .add(add),
        .sum({high_bits, low_bits}),
        .tie(tie)
    );

    // Stages 1 to 4, beside the slice's registers: the sign of a_low, so that `negative` is the sign of the product
    // that the sum has just taken (b_negative comes with the same delay).
    reg [3:0] a_negative_q;
    wire negative = a_negative_q[3] ^ b_negative;
    // Bit 15 of low before that product, and the wraps up to it.
    reg bit_15_q;
    reg [WRAPS-1:0] wraps_q;
    wire up = bit_15_q && !low_bits[15] && !negative;
    wire down = !bit_15_q && low_bits[15] && negative;
    // Counting up and down in plain logic takes fewer LUTs than two carry chains.
    genvar n;
    generate
        assign wraps[0] = wraps_q[0] ^ (up || down);
        for (n = 1; n < WRAPS; n = n + 1) begin : bits
            assign wraps[n] = wraps_q[n] ^ ((up && &wraps_q[n-1:0]) || (down && ~|wraps_q[n-1:0]));
        end
    endgenerate

    always @(posedge clk) begin
        a_negative_q <= rst ? 4'd0 : {a_negative_q[2:0], a_low[WIDTH-1]};
        if (rst || last) begin
            bit_15_q <= 1'b0;
            wraps_q <= WRAPS'(0);
        end else if (added) begin
            bit_15_q <= low_bits[15];
            wraps_q <= wraps;
        end
    end
endmodule

`default_nettype wire

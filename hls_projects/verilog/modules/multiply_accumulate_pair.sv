// Two multiply-accumulates in a DSP48E1 that share b: low = sum of a_low * b and high = sum of a_high * b.
//
// The slice adds up (a_high * 2^16 + a_low) * b, so that its sum is high * 2^16 + low, exactly, for signed a of up to 8 bits. The 16 bits
// below are low modulo 2^16; low outgrows them and borrows from above. A product is below 2^15, so low cannot
// pass a multiple of 2^16 without a change of bit 15 against the direction of the product: `wraps` counts
// those, up and down, and low = wraps * 2^16 + the 16 bits, high = the bits above - wraps. Both start at
// 2^(SHIFT-1), SHIFT <= 15, see multiply_accumulate. (Fu et al., Deep learning with INT8 optimization on
// Xilinx devices, WP486, stops after seven products instead.)
//
// `first` and `add` come two cycles after a and b, the sums two cycles after them, and with the last of them
// `last`. `wraps` is the count's next value: it is right in the clock in which the sums are.

`default_nettype none

module multiply_accumulate_pair #(
    parameter integer WIDTH = 8,
    parameter integer SHIFT = 0,
    parameter integer WRAPS = 5
) (
    input wire clk,
    input wire rst,
    input wire [WIDTH-1:0] a_low,
    input wire [WIDTH-1:0] a_high,
    input wire [17:0] b,
    input wire b_negative,
    input wire first,
    input wire add,
    input wire added,
    input wire last,
    output wire [15:0] low_bits,
    output wire [31:0] high_bits,
    output wire [WRAPS-1:0] wraps,
    output wire tie
);
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

    // The sign of a_low * b, beside the slice's registers; b_negative has been delayed like it.
    reg [3:0] a_negative;
    wire negative = a_negative[3] ^ b_negative;
    reg bit_15;
    reg [WRAPS-1:0] count;
    wire up = bit_15 && !low_bits[15] && !negative;
    wire down = !bit_15 && low_bits[15] && negative;
    // Up and down in plain logic, which takes fewer LUTs than two carry chains.
    genvar n;
    generate
        assign wraps[0] = count[0] ^ (up || down);
        for (n = 1; n < WRAPS; n = n + 1) begin : bits
            assign wraps[n] = count[n] ^ ((up && &count[n-1:0]) || (down && ~|count[n-1:0]));
        end
    endgenerate

    always @(posedge clk) begin
        a_negative <= rst ? 4'd0 : {a_negative[2:0], a_low[WIDTH-1]};
        if (rst || last) begin
            bit_15 <= 1'b0;
            count <= WRAPS'(0);
        end else if (added) begin
            bit_15 <= low_bits[15];
            count <= wraps;
        end
    end
endmodule

`default_nettype wire

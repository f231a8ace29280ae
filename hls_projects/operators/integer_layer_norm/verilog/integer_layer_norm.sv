// LayerNorm without gain and offset over the N_IN channels of a token: the Verilog twin of integer_layer_norm.h.
//
// mean       = requantize(sum of in * MEAN_MULTIPLIER, MEAN_SHIFT)                        layer_norm_mean
// c[k]       = requantize((in[k] << X_SHIFT) - (mean << MEAN_ALIGN), CENTRED_SHIFT)       `centring` below
// sum of c^2 = mantissa * 2^exponent, rounded to eight significant bits                   scale_factor
// out[k]     = requantize(c[k] * inverse_table[(exponent odd) * 128 + mantissa - 128],
//                         OUT_SHIFT - HIGHEST + floor(exponent / 2))                      `rounding` below
//
// All four round half to even; requantize.sv saturates, too.
//
//     in > A: sum > codes > B: mean, centred codes, sum of squares > centred_codes > C: products > out
//          (a double buffer)                                    (a double buffer)
//
// The three stages work on three tokens, a code a cycle. Between two tokens B takes the cycles of layer_norm_mean and 4
// more, and C the cycles that scale_factor says.

`default_nettype none

module integer_layer_norm #(
    // Channels of a token, at least 1.
    parameter N_IN = 96,
    // Bits of a code that comes in, and 1 where codes are signed.
    parameter IN_WIDTH = 8,
    parameter IN_SIGNED = 1,
    // Bits of a token's signed sum.
    parameter SUM_WIDTH = 15,
    // The mean is the sum * MEAN_MULTIPLIER / 2^MEAN_SHIFT, of MEAN_WIDTH bits, signed.
    parameter MEAN_MULTIPLIER = 171,
    parameter MULTIPLIER_WIDTH = 8,
    parameter MEAN_SHIFT = 9,
    parameter MEAN_WIDTH = 8,
    // Left shifts that bring the mean and the codes to the same step.
    parameter MEAN_ALIGN = 0,
    parameter X_SHIFT = 5,
    // Bits of the difference of code and mean with half a step of a centred code. Centred codes are differences /
    // 2^CENTRED_SHIFT, of CENTRED_WIDTH bits, signed.
    parameter DIFFERENCE_WIDTH = 15,
    parameter CENTRED_WIDTH = 9,
    parameter CENTRED_SHIFT = 4,
    // Bits of a token's sum of squares, and of a word of the table of inverse roots.
    parameter SQUARES_WIDTH = 23,
    parameter INVERSE_WIDTH = 9,
    // Half the exponent of the largest sum of squares, and how much lower half the exponent of the smallest one is.
    parameter HIGHEST = 7,
    parameter SHIFTS = 11,
    // Shift of a product at half exponent HIGHEST, at least 0.
    parameter OUT_SHIFT = 12,
    // Bits of a result, and 1 where results are signed.
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    // 1 for double buffers in block RAM, 0 for LUT RAM.
    parameter BLOCK = 0,
    // File of the table for $readmemh.
    parameter INVERSE_TABLE_FILE = "inverse_table.hex"
) (
    input wire clk,
    input wire rst,
    // Tokens, a code a word.
    input wire in_valid,
    output wire in_ready,
    input wire [IN_WIDTH-1:0] in_data,
    // Tokens, a code a word.
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
    localparam ADDRESS = $clog2(2 * N_IN);

`ifndef __ICARUS__
    generate
        if (N_IN < 1) $error("integer_layer_norm: N_IN must be at least 1");
        if (SUM_WIDTH < IN_WIDTH) $error("integer_layer_norm: SUM_WIDTH must be at least IN_WIDTH");
        if (DIFFERENCE_WIDTH < MEAN_WIDTH || DIFFERENCE_WIDTH < IN_WIDTH || DIFFERENCE_WIDTH < CENTRED_SHIFT + 2)
            $error("integer_layer_norm: DIFFERENCE_WIDTH must hold a mean, a code and CENTRED_SHIFT + 2 bits");
        if (MEAN_ALIGN < 0 || X_SHIFT < 0 || CENTRED_SHIFT < 0 || SHIFTS < 0 || OUT_SHIFT < 0)
            $error("integer_layer_norm: MEAN_ALIGN, X_SHIFT, CENTRED_SHIFT, SHIFTS and OUT_SHIFT must be at least 0");
    endgenerate
`endif

    // Stage A stores the codes of a token and adds them up.
    // A token is complete, and B has not begun with it.
    reg sum_waits_q;
    wire b_begin;
    assign in_ready = !sum_waits_q;
    wire take = in_valid && in_ready;
    wire [ADDRESS-1:0] a_address;
    wire a_last;
    double_buffer_address #(.WORDS(N_IN), .ADDRESS(ADDRESS)) a_words (
        .clk(clk), .rst(rst), .step(take), .address(a_address), .last(a_last)
    );
    wire in_sign = IN_SIGNED != 0 && in_data[IN_WIDTH-1];
    // The sum of the token so far.
    reg signed [SUM_WIDTH-1:0] sum_q;
    always @(posedge clk) begin
        if (rst || b_begin) sum_q <= 0;
        else if (take) sum_q <= sum_q + {{(SUM_WIDTH - IN_WIDTH) {in_sign}}, in_data};
        if (rst || b_begin) sum_waits_q <= 0;
        else if (take && a_last) sum_waits_q <= 1;
    end

    // Stage B rounds the mean of a token, then centres its codes and adds up their squares. It is busy until the last
    // square is added, and reads until the last code is read.
    reg b_busy_q, b_reading_q;
    // A sum of squares is complete, and C has not begun with it.
    reg squares_wait_q;
    wire mean_ready;
    wire c_begin;
    assign b_begin = !b_busy_q && sum_waits_q;
    wire b_read = b_reading_q && mean_ready && !squares_wait_q;
    wire [ADDRESS-1:0] b_address;
    wire b_last;
    double_buffer_address #(.WORDS(N_IN), .ADDRESS(ADDRESS)) b_words (
        .clk(clk), .rst(rst), .step(b_read), .address(b_address), .last(b_last)
    );
    wire [IN_WIDTH-1:0] x;
    block_ram #(.WIDTH(IN_WIDTH), .WORDS(2 * N_IN), .ADDRESS(ADDRESS), .BLOCK(BLOCK)) codes (
        .clk(clk), .write(take), .write_address(a_address), .write_data(in_data),
        .read(b_read), .read_address(b_address), .read_data(x)
    );

    wire [MEAN_WIDTH-1:0] mean;
    layer_norm_mean #(
        .SUM_WIDTH(SUM_WIDTH), .MULTIPLIER(MEAN_MULTIPLIER), .MULTIPLIER_WIDTH(MULTIPLIER_WIDTH),
        .SHIFT(MEAN_SHIFT), .OUT_WIDTH(MEAN_WIDTH)
    ) means (
        .clk(clk), .rst(rst), .load(b_begin), .sum(sum_q), .ready(mean_ready), .mean(mean)
    );
    localparam [DIFFERENCE_WIDTH-1:0] ONE = 1;
    localparam [DIFFERENCE_WIDTH-1:0] HALF_CENTRED = (ONE << CENTRED_SHIFT) >> 1;
    wire [DIFFERENCE_WIDTH-1:0] wide_mean = {{(DIFFERENCE_WIDTH - MEAN_WIDTH) {mean[MEAN_WIDTH-1]}}, mean};
    // What is subtracted: mean << MEAN_ALIGN, less half a step of the centred codes, so that requantize need not add
    // the half. It is ready a cycle after the mean; layer_norm_mean counts this cycle.
    reg [DIFFERENCE_WIDTH-1:0] offset_q;
    wire x_sign = IN_SIGNED != 0 && x[IN_WIDTH-1];
    wire [DIFFERENCE_WIDTH-1:0] wide_x = {{(DIFFERENCE_WIDTH - IN_WIDTH) {x_sign}}, x};
    wire [CENTRED_WIDTH-1:0] centred;
    requantize #(
        .WIDTH(DIFFERENCE_WIDTH), .SHIFT(CENTRED_SHIFT), .OUT_WIDTH(CENTRED_WIDTH), .OUT_SIGNED(1), .HAS_HALF(1)
    ) centring (
        .value((wide_x << X_SHIFT) - offset_q), .result(centred)
    );

    // Beside the code that was read (q), and beside its centred code (q2).
    reg b_read_q, b_last_q, b_read_q2, b_last_q2;
    reg [ADDRESS-1:0] b_address_q, b_address_q2;
    // A stage between the subtraction and the multiplier of the square.
    reg signed [CENTRED_WIDTH-1:0] centred_q;
    wire signed [2*CENTRED_WIDTH-1:0] square = centred_q * centred_q;
    // The sum of squares of the token so far.
    reg [SQUARES_WIDTH-1:0] squares_q;
    wire [SQUARES_WIDTH-1:0] wide_square;
    generate
        if (SQUARES_WIDTH > 2 * CENTRED_WIDTH) begin : longer
            assign wide_square = {{(SQUARES_WIDTH - 2 * CENTRED_WIDTH) {1'b0}}, square};
        end else begin : shorter
            assign wide_square = square[SQUARES_WIDTH-1:0];
            wire unused = |square;
        end
    endgenerate
    always @(posedge clk) begin
        if (rst || b_read_q2 && b_last_q2) b_busy_q <= 0;
        else if (b_begin) b_busy_q <= 1;
        if (rst || b_read && b_last) b_reading_q <= 0;
        else if (b_begin) b_reading_q <= 1;
        if (rst || c_begin) squares_wait_q <= 0;
        else if (b_read_q2 && b_last_q2) squares_wait_q <= 1;

        offset_q <= (wide_mean << MEAN_ALIGN) - HALF_CENTRED;
        b_read_q <= b_read && !rst;
        b_last_q <= b_last;
        b_address_q <= b_address;
        centred_q <= centred;
        b_read_q2 <= b_read_q && !rst;
        b_last_q2 <= b_last_q;
        b_address_q2 <= b_address_q;
        if (rst || c_begin) squares_q <= 0;
        else if (b_read_q2) squares_q <= squares_q + wide_square;
    end

    // Stage C multiplies the centred codes of a token with the inverse root of their sum of squares and rounds the
    // products. Its pipeline moves where the output is free: centred code, product, result.
    localparam FACTOR_WIDTH = INVERSE_WIDTH + SHIFTS;
    localparam LEAST = CENTRED_WIDTH + FACTOR_WIDTH;
    localparam PRODUCT = (LEAST > OUT_SHIFT ? LEAST : OUT_SHIFT) + 2;
    // Half a step of the result, added to the product, so that requantize need not add it.
    localparam [PRODUCT-1:0] HALF =
        OUT_SHIFT == 0 ? {PRODUCT{1'b0}} : {{(PRODUCT - 1) {1'b0}}, 1'b1} << (OUT_SHIFT - 1);
    // C has begun with a token and has not read its last code.
    reg c_busy_q;
    wire move = !out_valid || out_ready;
    wire factor_ready;
    // Beside the centred code (q), and beside its product (q2).
    reg c_read_q, c_read_q2;
    // The factor of the token before is used until its last product is in its register.
    assign c_begin = !c_busy_q && squares_wait_q && (move || !c_read_q);
    wire c_read = c_busy_q && factor_ready && move;
    wire [ADDRESS-1:0] c_address;
    wire c_last;
    double_buffer_address #(.WORDS(N_IN), .ADDRESS(ADDRESS)) c_words (
        .clk(clk), .rst(rst), .step(c_read), .address(c_address), .last(c_last)
    );
    wire signed [CENTRED_WIDTH-1:0] numerator;
    block_ram #(.WIDTH(CENTRED_WIDTH), .WORDS(2 * N_IN), .ADDRESS(ADDRESS), .BLOCK(BLOCK)) centred_codes (
        .clk(clk), .write(b_read_q2), .write_address(b_address_q2), .write_data(centred_q),
        .read(c_read), .read_address(c_address), .read_data(numerator)
    );
    wire [FACTOR_WIDTH-1:0] factor;
    scale_factor #(
        .WIDTH(SQUARES_WIDTH), .ROOT(1), .HIGHEST(HIGHEST), .SHIFTS(SHIFTS),
        .TABLE_WIDTH(INVERSE_WIDTH), .TABLE_FILE(INVERSE_TABLE_FILE)
    ) inverse_root (
        .clk(clk), .rst(rst), .load(c_begin), .sum(squares_q), .ready(factor_ready), .factor(factor)
    );
    wire signed [FACTOR_WIDTH:0] signed_factor = {1'b0, factor};
    reg signed [PRODUCT-1:0] product_q;
    wire [OUT_WIDTH-1:0] result;
    requantize #(
        .WIDTH(PRODUCT), .SHIFT(OUT_SHIFT), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED), .HAS_HALF(1)
    ) rounding (
        .value(product_q), .result(result)
    );
    always @(posedge clk) begin
        if (rst || c_read && c_last) c_busy_q <= 0;
        else if (c_begin) c_busy_q <= 1;
        if (move) begin
            c_read_q <= c_read;
            product_q <= numerator * signed_factor + $signed(HALF);
            c_read_q2 <= c_read_q;
            out_data <= result;
            out_valid <= c_read_q2;
        end
        if (rst) {c_read_q, c_read_q2, out_valid} <= 0;
    end
endmodule

`default_nettype wire

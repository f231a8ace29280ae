// LayerNorm without gain and offset over the N_IN words of a token.
//
// mean   = requantize(sum of in * MEAN_MULTIPLIER, MEAN_SHIFT)
// c[k]   = requantize((in[k] << X_SHIFT) - (mean << MEAN_ALIGN), CENTRED_SHIFT)
// sum of c^2 = mantissa * 2^exponent to eight significant bits
// out[k] = requantize(c[k] * inverse_table[(exponent odd) * 128 + mantissa - 128],
//                     OUT_SHIFT - HIGHEST + floor(exponent / 2))
//
// Three stages at a time, on three tokens: A stores the codes and adds them, B centres them and adds the
// squares, C multiplies. A word a cycle; between two tokens B takes MEAN_CLOCKS + 4 clocks, C
// CLOCKS + 1 (scale_factor.sv).

`default_nettype none

module integer_layer_norm #(
    parameter N_IN = 96,
    parameter IN_WIDTH = 8,
    parameter IN_SIGNED = 1,
    parameter SUM_WIDTH = 15,
    parameter MEAN_MULTIPLIER = 171,
    parameter MULTIPLIER_WIDTH = 8,
    parameter MEAN_SHIFT = 9,
    parameter MEAN_WIDTH = 8,
    parameter MEAN_ALIGN = 0,
    parameter X_SHIFT = 5,
    parameter DIFFERENCE_WIDTH = 15,
    parameter CENTRED_WIDTH = 9,
    parameter CENTRED_SHIFT = 4,
    parameter SQUARES_WIDTH = 23,
    parameter INVERSE_WIDTH = 9,
    // Half the exponent of the largest sum of squares, and how far below it that of the least one lies.
    parameter HIGHEST = 7,
    parameter SHIFTS = 11,
    // At half exponent HIGHEST.
    parameter OUT_SHIFT = 12,
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    // 1 for double buffers in block RAM.
    parameter BLOCK = 0,
    parameter INVERSE_TABLE_FILE = "inverse_table.hex"
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [IN_WIDTH-1:0] in_data,
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
    localparam ADDRESS = $clog2(2 * N_IN);

    // Stage A. A token is complete and B has not begun with it.
    reg sum_waits;
    wire b_begin;
    assign in_ready = !sum_waits;
    wire take = in_valid && in_ready;
    wire [ADDRESS-1:0] a_address;
    wire a_last;
    halves #(.WORDS(N_IN), .ADDRESS(ADDRESS)) a_words (
        .clk(clk), .rst(rst), .step(take), .address(a_address), .last(a_last)
    );
    wire in_sign = IN_SIGNED != 0 && in_data[IN_WIDTH-1];
    reg signed [SUM_WIDTH-1:0] sum;
    always @(posedge clk) begin
        if (rst || b_begin) sum <= 0;
        else if (take) sum <= sum + {{(SUM_WIDTH - IN_WIDTH) {in_sign}}, in_data};
        if (rst || b_begin) sum_waits <= 0;
        else if (take && a_last) sum_waits <= 1;
    end

    // Stage B. The mean first, then a code a cycle. The squares are complete and C has not begun with them.
    reg b_busy, b_reading;
    reg squares_wait;
    wire mean_ready;
    wire c_begin;
    assign b_begin = !b_busy && sum_waits;
    wire b_read = b_reading && mean_ready && !squares_wait;
    wire [ADDRESS-1:0] b_address;
    wire b_last;
    halves #(.WORDS(N_IN), .ADDRESS(ADDRESS)) b_words (
        .clk(clk), .rst(rst), .step(b_read), .address(b_address), .last(b_last)
    );
    wire [IN_WIDTH-1:0] x;
    block_ram #(.WIDTH(IN_WIDTH), .WORDS(2 * N_IN), .ADDRESS(ADDRESS), .BLOCK(BLOCK)) codes (
        .clk(clk), .write(take), .write_address(a_address), .write_data(in_data),
        .read(b_read), .read_address(b_address), .read_data(x)
    );

    // mean << MEAN_ALIGN, less half a unit of the centred codes, so that their rounding adds it.
    wire [MEAN_WIDTH-1:0] mean;
    layer_norm_mean #(
        .SUM_WIDTH(SUM_WIDTH), .MULTIPLIER(MEAN_MULTIPLIER), .MULTIPLIER_WIDTH(MULTIPLIER_WIDTH),
        .SHIFT(MEAN_SHIFT), .OUT_WIDTH(MEAN_WIDTH)
    ) means (
        .clk(clk), .rst(rst), .load(b_begin), .sum(sum), .ready(mean_ready), .mean(mean)
    );
    localparam [DIFFERENCE_WIDTH-1:0] ONE = 1;
    localparam [DIFFERENCE_WIDTH-1:0] HALF_CENTRED = (ONE << CENTRED_SHIFT) >> 1;
    wire [DIFFERENCE_WIDTH-1:0] wide_mean = {{(DIFFERENCE_WIDTH - MEAN_WIDTH) {mean[MEAN_WIDTH-1]}}, mean};
    reg [DIFFERENCE_WIDTH-1:0] offset;
    wire x_sign = IN_SIGNED != 0 && x[IN_WIDTH-1];
    wire [DIFFERENCE_WIDTH-1:0] wide_x = {{(DIFFERENCE_WIDTH - IN_WIDTH) {x_sign}}, x};
    wire [CENTRED_WIDTH-1:0] rounded;
    requantize #(
        .WIDTH(DIFFERENCE_WIDTH), .SHIFT(CENTRED_SHIFT), .OUT_WIDTH(CENTRED_WIDTH), .OUT_SIGNED(1), .HAS_HALF(1)
    ) centring (
        .value((wide_x << X_SHIFT) - offset), .result(rounded)
    );

    reg x_valid, x_last, centred_valid, centred_last;
    reg [ADDRESS-1:0] x_address, centred_address;
    reg signed [CENTRED_WIDTH-1:0] centred;
    wire signed [2*CENTRED_WIDTH-1:0] square = centred * centred;
    reg [SQUARES_WIDTH-1:0] squares;
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
        if (rst || centred_valid && centred_last) b_busy <= 0;
        else if (b_begin) b_busy <= 1;
        if (rst || b_read && b_last) b_reading <= 0;
        else if (b_begin) b_reading <= 1;
        if (rst || c_begin) squares_wait <= 0;
        else if (centred_valid && centred_last) squares_wait <= 1;

        offset <= (wide_mean << MEAN_ALIGN) - HALF_CENTRED;
        x_valid <= b_read && !rst;
        x_last <= b_last;
        x_address <= b_address;
        centred <= rounded;
        centred_valid <= x_valid && !rst;
        centred_last <= x_last;
        centred_address <= x_address;
        if (rst || c_begin) squares <= 0;
        else if (centred_valid) squares <= squares + wide_square;
    end

    // Stage C.
    localparam FACTOR_WIDTH = INVERSE_WIDTH + SHIFTS;
    localparam LEAST = CENTRED_WIDTH + FACTOR_WIDTH;
    localparam PRODUCT = (LEAST > OUT_SHIFT ? LEAST : OUT_SHIFT) + 2;
    localparam [PRODUCT-1:0] HALF = OUT_SHIFT == 0 ? {PRODUCT{1'b0}} : {{(PRODUCT - 1) {1'b0}}, 1'b1} << (OUT_SHIFT - 1);
    reg c_busy, c_valid, product_valid;
    wire move = !out_valid || out_ready;
    wire factor_ready;
    assign c_begin = !c_busy && squares_wait && (move || !c_valid);
    wire c_read = c_busy && factor_ready && move;
    wire [ADDRESS-1:0] c_address;
    wire c_last;
    halves #(.WORDS(N_IN), .ADDRESS(ADDRESS)) c_words (
        .clk(clk), .rst(rst), .step(c_read), .address(c_address), .last(c_last)
    );
    wire signed [CENTRED_WIDTH-1:0] numerator;
    block_ram #(.WIDTH(CENTRED_WIDTH), .WORDS(2 * N_IN), .ADDRESS(ADDRESS), .BLOCK(BLOCK)) centred_codes (
        .clk(clk), .write(centred_valid), .write_address(centred_address), .write_data(centred),
        .read(c_read), .read_address(c_address), .read_data(numerator)
    );
    wire [FACTOR_WIDTH-1:0] factor;
    scale_factor #(
        .WIDTH(SQUARES_WIDTH), .ROOT(1), .HIGHEST(HIGHEST), .SHIFTS(SHIFTS),
        .TABLE_WIDTH(INVERSE_WIDTH), .TABLE_FILE(INVERSE_TABLE_FILE)
    ) inverse_root (
        .clk(clk), .rst(rst), .load(c_begin), .sum(squares), .ready(factor_ready), .factor(factor)
    );
    wire signed [FACTOR_WIDTH:0] signed_factor = {1'b0, factor};
    reg signed [PRODUCT-1:0] product;
    wire [OUT_WIDTH-1:0] result;
    requantize #(
        .WIDTH(PRODUCT), .SHIFT(OUT_SHIFT), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED), .HAS_HALF(1)
    ) rounding (
        .value(product), .result(result)
    );
    always @(posedge clk) begin
        if (rst || c_read && c_last) c_busy <= 0;
        else if (c_begin) c_busy <= 1;
        if (move) begin
            c_valid <= c_read;
            product <= numerator * signed_factor + $signed(HALF);
            product_valid <= c_valid;
            out_data <= result;
            out_valid <= product_valid;
        end
        if (rst) {c_valid, product_valid, out_valid} <= 0;
    end
endmodule

`default_nettype wire

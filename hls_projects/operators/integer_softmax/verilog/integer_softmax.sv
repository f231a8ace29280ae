// Softmax of score codes: the Verilog twin of integer_softmax.h. A row has the N_WINDOW scores of a query and head.
//
// e[s]     = exp_table[max - in[s]]
// sum of e = mantissa * 2^exponent, rounded to eight significant bits (scale_factor)
// out[s]   = requantize(e[s] * reciprocal_table[mantissa - 128], OUT_SHIFT - HIGHEST + exponent)
//
//     in > A: maximum > scores > B: exponentials, sum > exps > C: products > out
//          (a double buffer)                   (a double buffer)
//
// The three stages work on three rows, a code a cycle. Between two rows B takes 3 cycles, and C the cycles that
// scale_factor says. Slots before the first key count neither for the maximum nor for the sum, and give 0.

`default_nettype none

module integer_softmax #(
    // Slots of a row, at least 1.
    parameter N_WINDOW = 64,
    // Slots without a key in the rows of an image's first tile, 0 to N_WINDOW - 1; LOAD_SIZE fewer in each next tile.
    parameter SKIP = 0,
    parameter LOAD_SIZE = 64,
    // Rows of a tile of queries, and tiles of an image.
    parameter ROWS = 24,
    parameter TILES = 8,
    // Bits of a score, and 1 where scores are signed. The table of exponentials has 2^IN_WIDTH words.
    parameter IN_WIDTH = 8,
    parameter IN_SIGNED = 1,
    // Bits of an exponential, of a sum of a row of them, and of a reciprocal.
    parameter EXP_WIDTH = 8,
    parameter SUM_WIDTH = 14,
    parameter RECIPROCAL_WIDTH = 9,
    // Exponent of the largest sum, and how much lower the exponent of the smallest sum is.
    parameter HIGHEST = 6,
    parameter SHIFTS = 6,
    // Shift of a product at exponent HIGHEST, at least 0.
    parameter OUT_SHIFT = 13,
    // Bits of a probability, and 1 where probabilities are signed.
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 0,
    // 1 for double buffers in block RAM, 0 for LUT RAM.
    parameter BLOCK = 0,
    // Files of the tables for $readmemh.
    parameter EXP_TABLE_FILE = "exp_table.hex",
    parameter RECIPROCAL_TABLE_FILE = "reciprocal_table.hex"
) (
    input wire clk,
    input wire rst,
    // Scores, a code a word, row by row.
    input wire in_valid,
    output wire in_ready,
    input wire [IN_WIDTH-1:0] in_data,
    // Probabilities, a code a word, row by row.
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
    localparam ADDRESS = $clog2(2 * N_WINDOW);

`ifndef __ICARUS__
    generate
        if (N_WINDOW < 1 || SKIP < 0 || SKIP >= N_WINDOW)
            $error("integer_softmax: N_WINDOW must be at least 1, SKIP 0 to N_WINDOW - 1");
        if (LOAD_SIZE < 1 || ROWS < 1 || TILES < 1)
            $error("integer_softmax: LOAD_SIZE, ROWS and TILES must be at least 1");
        if (SUM_WIDTH < EXP_WIDTH) $error("integer_softmax: SUM_WIDTH must be at least EXP_WIDTH");
        if (SHIFTS < 0 || OUT_SHIFT < 0) $error("integer_softmax: SHIFTS and OUT_SHIFT must be at least 0");
    endgenerate
`endif

    // Stage A stores the scores of a row and finds the highest one. Scores count from the lowest code, so that signed
    // ones compare like unsigned ones.
    localparam [IN_WIDTH-1:0] LOWEST = IN_WIDTH'(IN_SIGNED << (IN_WIDTH - 1));
    wire [IN_WIDTH-1:0] score = in_data ^ LOWEST;
    wire [ADDRESS-1:0] a_address;
    wire a_last, a_counts;
    // A row is complete, and B has not begun with it.
    reg scores_wait_q;
    wire b_begin;
    assign in_ready = !scores_wait_q;
    wire take = in_valid && in_ready;
    double_buffer_address #(.WORDS(N_WINDOW), .ADDRESS(ADDRESS)) a_words (
        .clk(clk), .rst(rst), .step(take), .address(a_address), .last(a_last)
    );
    // The highest score of the row so far.
    reg [IN_WIDTH-1:0] highest_q;
    always @(posedge clk) begin
        if (rst || b_begin) highest_q <= 0;
        else if (take && a_counts && score > highest_q) highest_q <= score;
        if (rst || b_begin) scores_wait_q <= 0;
        else if (take && a_last) scores_wait_q <= 1;
    end

    // Stage B looks up the exponentials of a row and adds them up. It is busy until the last one is added, and reads
    // until the last score is read.
    reg b_busy_q, b_reading_q;
    // A sum is complete, and C has not begun with it.
    reg sum_waits_q;
    wire c_begin;
    assign b_begin = !b_busy_q && scores_wait_q;
    wire b_read = b_reading_q && !sum_waits_q;
    wire [ADDRESS-1:0] b_address;
    wire b_last, b_counts;
    double_buffer_address #(.WORDS(N_WINDOW), .ADDRESS(ADDRESS)) b_words (
        .clk(clk), .rst(rst), .step(b_read), .address(b_address), .last(b_last)
    );
    wire [IN_WIDTH-1:0] b_score;
    block_ram #(.WIDTH(IN_WIDTH), .WORDS(2 * N_WINDOW), .ADDRESS(ADDRESS), .BLOCK(BLOCK)) scores (
        .clk(clk), .write(take), .write_address(a_address), .write_data(score),
        .read(b_read), .read_address(b_address), .read_data(b_score)
    );

    reg [EXP_WIDTH-1:0] exp_words[0:(1<<IN_WIDTH)-1];
    initial $readmemh(EXP_TABLE_FILE, exp_words);
    // The highest score of B's row, while A already looks for the next one.
    reg [IN_WIDTH-1:0] top_q;
    wire [IN_WIDTH-1:0] distance = top_q - b_score;
    // Beside the score that was read (q), and beside its exponential (q2).
    reg b_read_q, b_last_q, b_counts_q;
    reg b_read_q2, b_last_q2;
    reg [ADDRESS-1:0] b_address_q, b_address_q2;
    // The output register of the table, and the sum of the row so far.
    reg [EXP_WIDTH-1:0] exponential_q;
    reg [SUM_WIDTH-1:0] sum_q;
    always @(posedge clk) begin
        if (b_begin) top_q <= highest_q;
        if (rst || b_read_q2 && b_last_q2) b_busy_q <= 0;
        else if (b_begin) b_busy_q <= 1;
        if (rst || c_begin) sum_waits_q <= 0;
        else if (b_read_q2 && b_last_q2) sum_waits_q <= 1;
        if (rst || b_read && b_last) b_reading_q <= 0;
        else if (b_begin) b_reading_q <= 1;

        b_read_q <= b_read && !rst;
        b_last_q <= b_last;
        b_counts_q <= b_counts;
        b_address_q <= b_address;
        b_read_q2 <= b_read_q && !rst;
        b_last_q2 <= b_last_q;
        b_address_q2 <= b_address_q;
        exponential_q <= b_counts_q ? exp_words[distance] : {EXP_WIDTH{1'b0}};
        if (rst || c_begin) sum_q <= 0;
        else if (b_read_q2) sum_q <= sum_q + {{(SUM_WIDTH - EXP_WIDTH) {1'b0}}, exponential_q};
    end

    // Stage C multiplies the exponentials of a row with the reciprocal of their sum and rounds the products. Its
    // pipeline moves where the output is free: exponential, product, result.
    localparam FACTOR_WIDTH = RECIPROCAL_WIDTH + SHIFTS;
    localparam LEAST = EXP_WIDTH + FACTOR_WIDTH;
    localparam PRODUCT = (LEAST > OUT_SHIFT ? LEAST : OUT_SHIFT) + 2;
    // Half a step of the result, added to the product, so that requantize need not add it.
    localparam [PRODUCT-1:0] HALF =
        OUT_SHIFT == 0 ? {PRODUCT{1'b0}} : {{(PRODUCT - 1) {1'b0}}, 1'b1} << (OUT_SHIFT - 1);
    // C has begun with a row and has not read its last exponential.
    reg c_busy_q;
    wire move = !out_valid || out_ready;
    wire factor_ready;
    // Beside the exponential (q), and beside its product (q2).
    reg c_read_q, c_read_q2;
    // The factor of the row before is used until its last product is in its register.
    assign c_begin = !c_busy_q && sum_waits_q && (move || !c_read_q);
    wire c_read = c_busy_q && factor_ready && move;
    wire [ADDRESS-1:0] c_address;
    wire c_last;
    double_buffer_address #(.WORDS(N_WINDOW), .ADDRESS(ADDRESS)) c_words (
        .clk(clk), .rst(rst), .step(c_read), .address(c_address), .last(c_last)
    );
    wire [EXP_WIDTH-1:0] numerator;
    block_ram #(.WIDTH(EXP_WIDTH), .WORDS(2 * N_WINDOW), .ADDRESS(ADDRESS), .BLOCK(BLOCK)) exps (
        .clk(clk), .write(b_read_q2), .write_address(b_address_q2), .write_data(exponential_q),
        .read(c_read), .read_address(c_address), .read_data(numerator)
    );
    wire [FACTOR_WIDTH-1:0] factor;
    scale_factor #(
        .WIDTH(SUM_WIDTH), .ROOT(0), .HIGHEST(HIGHEST), .SHIFTS(SHIFTS),
        .TABLE_WIDTH(RECIPROCAL_WIDTH), .TABLE_FILE(RECIPROCAL_TABLE_FILE)
    ) reciprocal (
        .clk(clk), .rst(rst), .load(c_begin), .sum(sum_q), .ready(factor_ready), .factor(factor)
    );
    wire signed [EXP_WIDTH:0] signed_numerator = {1'b0, numerator};
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
            product_q <= signed_numerator * signed_factor + HALF;
            c_read_q2 <= c_read_q;
            out_data <= result;
            out_valid <= c_read_q2;
        end
        if (rst) {c_read_q, c_read_q2, out_valid} <= 0;
    end

    generate
        if (SKIP == 0) begin : every_slot
            assign a_counts = 1'b1;
            assign b_counts = 1'b1;
        end else begin : window
            softmax_window #(
                .SKIP(SKIP), .LOAD_SIZE(LOAD_SIZE), .ROWS(ROWS), .TILES(TILES)
            ) slots (
                .clk(clk), .rst(rst), .a_step(take), .a_last(a_last), .a_counts(a_counts),
                .b_begin(b_begin), .b_step(b_read), .b_counts(b_counts)
            );
        end
    endgenerate
endmodule

`default_nettype wire

// Softmax of the score codes of one query and head, row after row of N_WINDOW words.
//
// e[s] = exp_table[max - in[s]];  sum of e = mantissa * 2^exponent to eight significant bits
// out[s] = requantize(e[s] * reciprocal_table[mantissa - 128], OUT_SHIFT - HIGHEST + exponent)
//
// Three stages at a time, on three rows: A stores the scores and finds their maximum, B looks up the
// exponentials and adds them, C multiplies. A word a cycle; between two rows B takes 3 clocks, C
// CLOCKS + 1 (scale_factor.sv). Slots before the first key do not count and give 0.

`default_nettype none

module integer_softmax #(
    parameter N_WINDOW = 64,
    // Slots without a key in the rows of the first tile; LOAD_SIZE fewer in every next one. ROWS are the
    // rows of a tile, TILES those of an image.
    parameter SKIP = 0,
    parameter LOAD_SIZE = 64,
    parameter ROWS = 24,
    parameter TILES = 8,
    parameter IN_WIDTH = 8,
    parameter IN_SIGNED = 1,
    parameter EXP_WIDTH = 8,
    parameter SUM_WIDTH = 14,
    parameter RECIPROCAL_WIDTH = 9,
    // Exponent of the largest sum, and how far below it that of the least one lies.
    parameter HIGHEST = 6,
    parameter SHIFTS = 6,
    // At exponent HIGHEST.
    parameter OUT_SHIFT = 13,
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 0,
    // 1 for double buffers in block RAM.
    parameter BLOCK = 0,
    parameter EXP_TABLE_FILE = "exp_table.hex",
    parameter RECIPROCAL_TABLE_FILE = "reciprocal_table.hex"
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
    localparam ADDRESS = $clog2(2 * N_WINDOW);

    // Stage A. Scores count from the lowest code.
    localparam [IN_WIDTH-1:0] LOWEST = IN_SIGNED << (IN_WIDTH - 1);
    wire [IN_WIDTH-1:0] score = in_data ^ LOWEST;
    wire [ADDRESS-1:0] a_address;
    wire a_last, a_counts;
    // A row is complete and B has not begun with it.
    reg scores_wait;
    wire b_begin;
    assign in_ready = !scores_wait;
    wire take = in_valid && in_ready;
    halves #(.WORDS(N_WINDOW), .ADDRESS(ADDRESS)) a_words (
        .clk(clk), .rst(rst), .step(take), .address(a_address), .last(a_last)
    );
    reg [IN_WIDTH-1:0] highest;
    always @(posedge clk) begin
        if (rst || b_begin) highest <= 0;
        else if (take && a_counts && score > highest) highest <= score;
        if (rst || b_begin) scores_wait <= 0;
        else if (take && a_last) scores_wait <= 1;
    end

    // Stage B.
    reg b_busy, b_reading;
    // A sum is complete and C has not begun with it.
    reg sum_waits;
    wire c_begin;
    assign b_begin = !b_busy && scores_wait;
    wire b_read = b_reading && !sum_waits;
    wire [ADDRESS-1:0] b_address;
    wire b_last, b_counts;
    halves #(.WORDS(N_WINDOW), .ADDRESS(ADDRESS)) b_words (
        .clk(clk), .rst(rst), .step(b_read), .address(b_address), .last(b_last)
    );
    wire [IN_WIDTH-1:0] b_score;
    block_ram #(.WIDTH(IN_WIDTH), .WORDS(2 * N_WINDOW), .ADDRESS(ADDRESS), .BLOCK(BLOCK)) scores (
        .clk(clk), .write(take), .write_address(a_address), .write_data(score),
        .read(b_read), .read_address(b_address), .read_data(b_score)
    );

    reg [EXP_WIDTH-1:0] exp_words[0:(1<<IN_WIDTH)-1];
    initial $readmemh(EXP_TABLE_FILE, exp_words);
    reg [IN_WIDTH-1:0] top;
    wire [IN_WIDTH-1:0] distance = top - b_score;
    reg score_valid, score_last, score_counts;
    reg exp_valid, exp_last;
    reg [ADDRESS-1:0] score_address, exp_address;
    reg [EXP_WIDTH-1:0] exponential;
    reg [SUM_WIDTH-1:0] sum;
    always @(posedge clk) begin
        if (b_begin) top <= highest;
        if (rst || exp_valid && exp_last) b_busy <= 0;
        else if (b_begin) b_busy <= 1;
        if (rst || c_begin) sum_waits <= 0;
        else if (exp_valid && exp_last) sum_waits <= 1;
        if (rst || b_read && b_last) b_reading <= 0;
        else if (b_begin) b_reading <= 1;

        score_valid <= b_read && !rst;
        score_last <= b_last;
        score_counts <= b_counts;
        score_address <= b_address;
        exp_valid <= score_valid && !rst;
        exp_last <= score_last;
        exp_address <= score_address;
        exponential <= score_counts ? exp_words[distance] : {EXP_WIDTH{1'b0}};
        if (rst || c_begin) sum <= 0;
        else if (exp_valid) sum <= sum + {{(SUM_WIDTH - EXP_WIDTH) {1'b0}}, exponential};
    end

    // Stage C.
    localparam FACTOR_WIDTH = RECIPROCAL_WIDTH + SHIFTS;
    localparam LEAST = EXP_WIDTH + FACTOR_WIDTH;
    localparam PRODUCT = (LEAST > OUT_SHIFT ? LEAST : OUT_SHIFT) + 2;
    localparam [PRODUCT-1:0] HALF = OUT_SHIFT == 0 ? {PRODUCT{1'b0}} : {{(PRODUCT - 1) {1'b0}}, 1'b1} << (OUT_SHIFT - 1);
    reg c_busy, c_valid, product_valid;
    wire move = !out_valid || out_ready;
    wire factor_ready;
    assign c_begin = !c_busy && sum_waits && (move || !c_valid);
    wire c_read = c_busy && factor_ready && move;
    wire [ADDRESS-1:0] c_address;
    wire c_last;
    halves #(.WORDS(N_WINDOW), .ADDRESS(ADDRESS)) c_words (
        .clk(clk), .rst(rst), .step(c_read), .address(c_address), .last(c_last)
    );
    wire [EXP_WIDTH-1:0] numerator;
    block_ram #(.WIDTH(EXP_WIDTH), .WORDS(2 * N_WINDOW), .ADDRESS(ADDRESS), .BLOCK(BLOCK)) exps (
        .clk(clk), .write(exp_valid), .write_address(exp_address), .write_data(exponential),
        .read(c_read), .read_address(c_address), .read_data(numerator)
    );
    wire [FACTOR_WIDTH-1:0] factor;
    scale_factor #(
        .WIDTH(SUM_WIDTH), .ROOT(0), .HIGHEST(HIGHEST), .SHIFTS(SHIFTS),
        .TABLE_WIDTH(RECIPROCAL_WIDTH), .TABLE_FILE(RECIPROCAL_TABLE_FILE)
    ) reciprocal (
        .clk(clk), .rst(rst), .load(c_begin), .sum(sum), .ready(factor_ready), .factor(factor)
    );
    wire signed [EXP_WIDTH:0] signed_numerator = {1'b0, numerator};
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
            product <= signed_numerator * signed_factor + HALF;
            product_valid <= c_valid;
            out_data <= result;
            out_valid <= product_valid;
        end
        if (rst) {c_valid, product_valid, out_valid} <= 0;
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

// Linear layer with power-of-two weights: PE outputs at a time of TOKENS tokens, an input a cycle for all of them.
//
// in:      a code a word, N_IN words a token
// out:     a code a word, N_OUT words a token; with OUT_WORDS the N_OUT codes of a token in one word
// load:    one token, or two, into one half of a RAM, while the work reads the other; sparse: blocks of 16 inputs into RAMs of
//          the elements, two blocks each, after that RAM where a token is read more than once or with another one
// work:    see pot_linear_sequence.sv and the elements
// write:   see pot_linear_leaf.sv and pot_linear_requantize.sv
// weights: a word a step for all outputs, the lowest bits for the first; its bits see the elements. With SPARSE the
//          input's place in its block comes on top
// drained: bucket only: an output's bucket of that power of two has no weight in this row; word 0 is zero

`default_nettype none

module pot_linear #(
    parameter N_IN = 96,
    parameter N_OUT = 96,
    parameter PE = 24,
    parameter TOKENS = 1,
    // 0: shift, 1: bucket, 2: dsp
    parameter ELEMENT = 1,
    parameter SPARSE = 0,
    parameter IN_WIDTH = 8,
    parameter IN_SIGNED = 1,
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    parameter OUT_WORDS = 1,
    parameter WORD_WIDTH = 5,
    parameter POWERS = 7,
    parameter FACTOR_BITS = 0,
    parameter SUM_WIDTH = 14,
    parameter TOTAL_WIDTH = 24,
    parameter BIAS_WIDTH = 20,
    parameter FIXED_SHIFT = 0,
    parameter SHIFT_WIDTH = 2,
    parameter OUT_SHIFT = 10,
    parameter BLOCK_RAM = 1,
    parameter BLOCK_ROM = 0,
    parameter RESULTS = 1,
    parameter LEAF = 12,
    parameter FIRST_PLACES = 32,
    parameter WEIGHTS_FILE = "weights.hex",
    parameter DRAINED_FILE = "drained.hex",
    parameter CONSTANTS_FILE = "constants.hex"
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [IN_WIDTH-1:0] in_data,
    output wire out_valid,
    input wire out_ready,
    output wire [OUT_WORDS*OUT_WIDTH-1:0] out_data
);
    localparam BUCKET = ELEMENT == 1;
    localparam X_WIDTH = IN_SIGNED != 0 ? IN_WIDTH : IN_WIDTH + 1;
    localparam POWER_WIDTH = BUCKET ? $clog2(POWERS + 1) : POWERS > 2 ? $clog2(POWERS) : 1;
    localparam RESULT_WIDTH = BUCKET ? SUM_WIDTH + POWERS - 1 : SUM_WIDTH;

    // Sizes of the work.
    localparam BLOCK = 16, KEPT = 8, INDEX_WIDTH = 4;
    localparam ALL_BANKS = (N_OUT + PE - 1) / PE;
    // Banks that an element has buckets for; where there are four, two are worked on beside two that are drained.
    localparam PLACES = SPARSE != 0 ? 32 >> POWER_WIDTH : 1;
    localparam BESIDE = PLACES >= 4 && N_IN >= 2 * BLOCK && (TOKENS > 1 || ALL_BANKS > PLACES);
    localparam MOST_BANKS = BESIDE ? 2 : PLACES;
    localparam CHUNKS = (ALL_BANKS + MOST_BANKS - 1) / MOST_BANKS;
    localparam BANKS = (ALL_BANKS + CHUNKS - 1) / CHUNKS;
    localparam LARGE_CHUNKS = ALL_BANKS - CHUNKS * (BANKS - 1);
    localparam BANK_WIDTH = BESIDE ? 2 : BANKS > 1 ? $clog2(BANKS) : 0;
    localparam BANK_BITS = BANK_WIDTH > 0 ? BANK_WIDTH : 1;
    localparam BLOCKS = SPARSE != 0 ? N_IN / BLOCK : 1;
    localparam STEPS = SPARSE != 0 ? KEPT : N_IN;
    localparam STEP_WIDTH = STEPS > 1 ? $clog2(STEPS) : 1;
    // Sparse: blocks are filled from the token's RAM.
    localparam LATE = SPARSE != 0 && (CHUNKS > 1 || TOKENS > 1);
    localparam TOKEN_WIDTH = N_IN > 1 ? $clog2(N_IN) : 1;
    localparam DRAIN = BUCKET ? POWERS : 1;
    localparam DRAIN_WIDTH = POWER_WIDTH;
    localparam WEIGHT_WORDS = ALL_BANKS * (BLOCKS * STEPS + (BUCKET ? 1 : 0));
    localparam ADDRESS_WIDTH = WEIGHT_WORDS > 1 ? $clog2(WEIGHT_WORDS) : 1;
    localparam DRAIN_INDEX_WIDTH = $clog2(ALL_BANKS * DRAIN + 1);
    localparam CHANNELS = ALL_BANKS * PE;
    localparam CHANNEL_WIDTH = CHANNELS > 1 ? $clog2(CHANNELS) : 1;

    // Cycles from a step to its addition, and how many of them are between the memories and the leaves.
    localparam ADDITION = (BUCKET ? 2 : 3) + (FACTOR_BITS > 0 && ELEMENT != 2 ? 1 : 0);
    localparam DELAY = ADDITION - 2;

    wire full, release_, finished;
    wire [ADDRESS_WIDTH-1:0] address;
    wire [STEP_WIDTH-1:0] step;
    wire half, run, drain, last, taken;
    wire [BANK_BITS-1:0] bank;
    wire [DRAIN_WIDTH-1:0] place;
    wire [DRAIN_INDEX_WIDTH-1:0] drain_index;
    pot_linear_sequence #(
        .STEPS(STEPS), .STEP_WIDTH(STEP_WIDTH), .BLOCKS(BLOCKS), .BANKS(BANKS), .BANK_WIDTH(BANK_WIDTH),
        .BESIDE(BESIDE), .CHUNKS(CHUNKS), .LARGE_CHUNKS(LARGE_CHUNKS), .DRAIN(DRAIN), .DRAIN_WIDTH(DRAIN_WIDTH), .DRAIN_WORD(BUCKET),
        .RELEASE_EACH(SPARSE), .RELEASE_STEP(STEPS - (LATE ? 2 : 1)), .ADDRESS_WIDTH(ADDRESS_WIDTH),
        .DRAIN_INDEX_WIDTH(DRAIN_INDEX_WIDTH)
    ) sequence_(
        .clk(clk), .rst(rst), .full(full), .release_(release_), .finished(finished), .address(address), .step(step),
        .half(half), .run(run), .drain(drain), .last(last), .taken(taken), .bank_later(bank), .place(place),
        .drain_index(drain_index)
    );

    (* rom_style = "block" *) reg [PE*WORD_WIDTH-1:0] weights[0:WEIGHT_WORDS-1];
    initial $readmemh(WEIGHTS_FILE, weights);
    reg [PE*WORD_WIDTH-1:0] words;
    always @(posedge clk) words <= weights[address];

    wire [PE-1:0] untouched;
    generate
        if (BUCKET) begin : drains
            (* logic_block *) reg [PE-1:0] drained[0:ALL_BANKS*DRAIN];
            initial $readmemh(DRAINED_FILE, drained);
            assign untouched = drained[drain_index];
        end else begin : no_drains
            wire unused = &{1'b0, drain_index};
            assign untouched = 0;
        end
    endgenerate

    // Load.
    wire write;
    wire [INDEX_WIDTH:0] write_address;
    wire [TOKENS*IN_WIDTH-1:0] write_data, token_data;
    generate
        if (SPARSE == 0 || LATE) begin : tokens
            wire [TOKENS-1:0] token_write;
            wire token_full, token_release;
            wire [TOKEN_WIDTH:0] token_write_address, token_read_address;
            pot_linear_load #(.WORDS(N_IN), .INDEX_WIDTH(TOKEN_WIDTH), .TOKENS(TOKENS)) load(
                .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .write(token_write),
                .address(token_write_address), .full(token_full), .release_(token_release)
            );
            pot_linear_memory #(
                .WIDTH(IN_WIDTH), .TOKENS(TOKENS), .WORDS(2 * N_IN), .ADDRESS_WIDTH(TOKEN_WIDTH + 1), .BLOCK_RAM(BLOCK_RAM)
            ) token(
                .clk(clk), .write(token_write), .write_address(token_write_address), .write_data(in_data),
                .read_address(token_read_address), .read_data(token_data)
            );
            if (SPARSE != 0) begin : again
                wire valid, ready, block_write;
                wire [INDEX_WIDTH:0] block_address;
                reg write_later;
                reg [INDEX_WIDTH:0] write_address_later;
                pot_linear_again #(.WORDS(N_IN), .TIMES(CHUNKS), .INDEX_WIDTH(TOKEN_WIDTH)) again_(
                    .clk(clk), .rst(rst), .full(token_full), .release_(token_release), .address(token_read_address),
                    .out_valid(valid), .out_ready(ready)
                );
                pot_linear_load #(.WORDS(BLOCK), .INDEX_WIDTH(INDEX_WIDTH), .LATE(1)) load_block(
                    .clk(clk), .rst(rst), .in_valid(valid), .in_ready(ready), .write(block_write),
                    .address(block_address), .full(full), .release_(release_)
                );
                always @(posedge clk) begin
                    write_later <= block_write;
                    write_address_later <= block_address;
                end
                assign write = write_later;
                assign write_address = write_address_later;
                assign write_data = token_data;
                wire unused = &{1'b0, step};
            end else begin : whole
                pot_linear_place #(.WORDS(N_IN), .INDEX_WIDTH(TOKEN_WIDTH)) place_of_step(
                    .half(half), .index(step), .address(token_read_address)
                );
                assign full = token_full;
                assign token_release = release_;
                assign write = 0;
                assign write_address = 0;
                assign write_data = 0;
                wire unused = &{1'b0, bank};
            end
        end else begin : blocks
            pot_linear_load #(.WORDS(BLOCK), .INDEX_WIDTH(INDEX_WIDTH)) load(
                .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .write(write),
                .address(write_address), .full(full), .release_(release_)
            );
            assign write_data = in_data;
            assign token_data = 0;
            wire unused = &{1'b0, step};
        end
    endgenerate
    wire [TOKENS*X_WIDTH-1:0] x, write_x;
    genvar i;
    generate
        if (IN_SIGNED != 0) begin : signed_codes
            assign x = token_data;
            assign write_x = write_data;
        end else begin : unsigned_codes
            for (i = 0; i < TOKENS; i = i + 1) begin : codes
                assign x[i*X_WIDTH +: X_WIDTH] = {1'b0, token_data[i*IN_WIDTH +: IN_WIDTH]};
                assign write_x[i*X_WIDTH +: X_WIDTH] = {1'b0, write_data[i*IN_WIDTH +: IN_WIDTH]};
            end
        end
    endgenerate

    // The control waits for the addition.
    localparam CONTROL_WIDTH = 4 + BANK_BITS;
    wire [CONTROL_WIDTH-1:0] control[0:DELAY];
    assign control[0] = {run, drain, last, taken, bank};
    generate
        for (i = 0; i < DELAY; i = i + 1) begin : delays
            reg [CONTROL_WIDTH-1:0] later;
            always @(posedge clk) later <= control[i];
            assign control[i+1] = later;
        end
    endgenerate
    wire run_late, drain_late, last_late, taken_late;
    wire [BANK_BITS-1:0] bank_late;
    assign {run_late, drain_late, last_late, taken_late, bank_late} = control[DELAY];
    reg taken_now;
    always @(posedge clk) taken_now <= taken_late && !rst;

    // Leaves, and the OR of their results by sixes. The elements of a code stand side by side, one a token.
    localparam ELEMENTS = PE * TOKENS;
    localparam LEAVES = (ELEMENTS + LEAF - 1) / LEAF;
    localparam SIXES = (LEAF + 5) / 6;
    localparam LAST_COUNT = ELEMENTS - (LEAVES - 1) * LEAF;
    localparam CODES = LEAF / TOKENS;
    localparam FIRST_COUNT = (LEAVES - 1) * SIXES + (LAST_COUNT + 5) / 6;
    localparam SECOND_COUNT = (FIRST_COUNT + 5) / 6;
    localparam LEVELS = FIRST_COUNT == 1 ? 1 : SECOND_COUNT == 1 ? 2 : 3;
    wire advance, move;
    wire [ELEMENTS-1:0] select;
    wire [FIRST_COUNT*RESULT_WIDTH-1:0] found;
    generate
        for (i = 0; i < LEAVES; i = i + 1) begin : leaves
            localparam COUNT = i == LEAVES - 1 ? LAST_COUNT : LEAF;
            localparam GROUPS = (COUNT + 5) / 6;
            pot_linear_leaf #(
                .PE(COUNT), .TOKENS(TOKENS), .ELEMENT(ELEMENT), .SPARSE(SPARSE), .X_WIDTH(X_WIDTH),
                .SUM_WIDTH(SUM_WIDTH), .RESULT_WIDTH(RESULT_WIDTH), .POWERS(POWERS), .POWER_WIDTH(POWER_WIDTH),
                .FACTOR_BITS(FACTOR_BITS), .BANK_WIDTH(BANK_WIDTH), .INDEX_WIDTH(INDEX_WIDTH),
                .WORD_WIDTH(WORD_WIDTH), .RESULTS(RESULTS), .FIRST(i == 0)
            ) leaf(
                .clk(clk), .rst(rst), .run(run_late), .drain(drain_late), .last(last_late), .bank(bank_late),
                .zero(drain), .place(place), .untouched(untouched[i*CODES +: COUNT/TOKENS]),
                .words(words[i*CODES*WORD_WIDTH +: COUNT/TOKENS*WORD_WIDTH]), .x(x), .half(half), .write(write),
                .write_address(write_address), .write_data(write_x), .move(move), .advance(advance),
                .select_in(select[i > 0 ? i * LEAF - 1 : ELEMENTS - 1]), .select(select[i*LEAF +: COUNT]),
                .results(found[i*SIXES*RESULT_WIDTH +: GROUPS*RESULT_WIDTH])
            );
        end
    endgenerate
    wire [RESULT_WIDTH-1:0] sum;
    generate
        if (LEVELS == 1) begin : one_level
            assign sum = found;
        end else begin : more_levels
            wire [SECOND_COUNT*RESULT_WIDTH-1:0] second;
            for (i = 0; i < SECOND_COUNT; i = i + 1) begin : sixes
                localparam COUNT = FIRST_COUNT - 6 * i < 6 ? FIRST_COUNT - 6 * i : 6;
                or_registers #(.COUNT(COUNT), .WIDTH(RESULT_WIDTH)) six(
                    .clk(clk), .words(found[6*i*RESULT_WIDTH +: COUNT*RESULT_WIDTH]),
                    .word(second[i*RESULT_WIDTH +: RESULT_WIDTH])
                );
            end
            if (LEVELS == 2) begin : two_levels
                assign sum = second;
            end else begin : three_levels
                or_registers #(.COUNT(SECOND_COUNT), .WIDTH(RESULT_WIDTH)) last_level(
                    .clk(clk), .words(second), .word(sum)
                );
            end
        end
    endgenerate

    // Write.
    reg [LEVELS-1:0] moving;
    wire [LEVELS:0] moves = {moving, advance};
    always @(posedge clk) moving <= rst ? {LEVELS{1'b0}} : moves[LEVELS-1:0];
    wire valid;
    wire [OUT_WIDTH-1:0] code;
    pot_linear_requantize #(
        .TOKENS(TOKENS), .CHANNELS(N_OUT), .CHANNEL_WIDTH(CHANNEL_WIDTH), .PADDED_CHANNELS(CHANNELS),
        .SUM_WIDTH(RESULT_WIDTH), .TOTAL_WIDTH(TOTAL_WIDTH), .BIAS_WIDTH(BIAS_WIDTH), .FIXED_SHIFT(FIXED_SHIFT),
        .SHIFT_WIDTH(SHIFT_WIDTH), .OUT_SHIFT(OUT_SHIFT), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED),
        .BLOCK_ROM(BLOCK_ROM), .CONSTANTS_FILE(CONSTANTS_FILE)
    ) requantize(
        .clk(clk), .rst(rst), .next(moving[LEVELS-1]), .sum(sum), .valid(valid), .result(code)
    );
    pot_linear_write #(
        .WIDTH(OUT_WIDTH), .PE(ELEMENTS), .WORDS(OUT_WORDS), .RESULTS(RESULTS), .TOKENS(TOKENS), .CHANNELS(N_OUT),
        .FIRST_PLACES(FIRST_PLACES)
    ) write_(
        .clk(clk), .rst(rst), .taken(taken_now), .select(select), .advance(advance), .move(move), .finished(finished),
        .valid(valid), .code(code), .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data)
    );
    wire unused = moves[LEVELS];
endmodule

`default_nettype wire

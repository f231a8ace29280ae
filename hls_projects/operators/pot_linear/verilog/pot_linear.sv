// Linear layer with power-of-two weights: PE outputs of TOKENS tokens at a time, an input a cycle for all of them.
//
// Streams
//   in       a code a word, N_IN words a token
//   out      a code a word, N_OUT words a token; with OUT_WORDS = N_OUT all codes of a token in one word
//
// Parts, which work at the same time on different tokens or groups
//   load     one token, or two, into one half of the token RAM, while the work reads the other half. Sparse: blocks of
//            BLOCK inputs into RAMs of the leaves, two blocks each; from the stream, or with REPLAY from the token RAM,
//            because a token is read once for every pass.
//   work     pot_linear_sequence and the leaves with the elements. Every step takes a word of weights for all elements.
//   read-out the leaves and pot_linear_or_tree choose one result a cycle, pot_linear_requantize makes its code, and
//            pot_linear_write says when, and queues the codes for the output.
//
// Stages of a step, a cycle each
//   sequence     the step: addresses of weights and token
//   memories     weights_q, token_data; the control in run_q and its like
//   leaf         the code and the activation of every element
//   (factor)     activation times odd factor, only with FACTOR_WIDTH > 0
//   (shift)      shifted activation, or product, in all elements except bucket
//   addition     ADDITION_DELAY cycles after the sequence
// and of a result: the element's register, a gate, READ_OUT_LEVELS ORs, two stages of pot_linear_requantize, the queue.
//
// Parameters are the geometry of the layer and its folding, see hls_projects/operators/pot_linear/geometry.py, which
// explains group, pass, block and bucket. Only sizes of counters and addresses are derived from them here.

`default_nettype none

module pot_linear #(
    // Inputs and outputs of a token.
    parameter integer N_IN = 96,
    parameter integer N_OUT = 96,
    // Outputs of a group, 1 to N_OUT.
    parameter integer PE = 24,
    // Tokens that are worked on together, 1 or 2.
    parameter integer TOKENS = 1,
    // Kind of the elements, 0: shift, 1: bucket, 2: dsp.
    parameter integer ELEMENT = 1,
    // 1: zero weights take no step; the weights' words have offsets. Only with ELEMENT 1.
    parameter integer SPARSE = 0,
    // Results of an element, 1 or 2: with 2 the next one can be finished while one is read out.
    parameter integer RESULT_BUFFERS = 1,

    // Groups of outputs, and the passes in which they are worked on: PASS_GROUPS groups in each of the first
    // LARGE_PASSES passes, one fewer in the others. Without SPARSE a pass is one group.
    parameter integer GROUPS = 4,
    parameter integer PASSES = 4,
    parameter integer PASS_GROUPS = 1,
    parameter integer LARGE_PASSES = 4,
    // 1: groups are drained during the next pass, see pot_linear_sequence.
    parameter integer OVERLAP = 0,
    // 1: blocks of inputs are loaded from the token RAM for every pass. Only with SPARSE.
    parameter integer REPLAY = 0,
    // Inputs of a block of a sparse layer, a power of two.
    parameter integer BLOCK = 16,
    // Blocks of a token, and steps of a group and block. Without SPARSE one block of N_IN steps.
    parameter integer BLOCKS = 1,
    parameter integer STEPS = 96,
    // Cycles in which a group is drained: POWERS with ELEMENT 1, else 1.
    parameter integer DRAIN_CYCLES = 7,
    // Words of the weight memory.
    parameter integer WEIGHT_WORDS = 388,
    // Bits that tell apart the buckets of the groups that an element has at the same time.
    parameter integer BUCKET_SET_WIDTH = 0,

    // Cycles from a step to its addition, at least 2.
    parameter integer ADDITION_DELAY = 2,
    // Elements of a leaf, a multiple of TOKENS and of FAN_IN; words that an OR of the read-out combines; its levels.
    parameter integer LEAF = 12,
    parameter integer FAN_IN = 6,
    parameter integer READ_OUT_LEVELS = 2,
    // Selections left when new results, and buffered results, may come; slots of queues. See pot_linear_write.
    parameter integer FINISH_EARLY = 3,
    parameter integer MOVE_EARLY = 1,
    parameter integer FIRST_SLOTS = 32,
    parameter integer RESERVED_SLOTS = 8,

    // Codes: bits, whether signed (1) or not (0), and codes of an output word (1 or N_OUT).
    parameter integer IN_WIDTH = 8,
    parameter integer IN_SIGNED = 1,
    parameter integer OUT_WIDTH = 8,
    parameter integer OUT_SIGNED = 1,
    parameter integer OUT_WORDS = 1,
    // Bits of an input as a signed number.
    parameter integer X_WIDTH = 8,
    // Weights: bits of an offset in a block, of the odd factor (0 to 2), of the power or the bucket, of a whole weight
    // in the memory; how many powers of two there are.
    parameter integer OFFSET_WIDTH = 4,
    parameter integer FACTOR_WIDTH = 0,
    parameter integer POWER_WIDTH = 3,
    parameter integer WORD_WIDTH = 5,
    parameter integer POWERS = 7,
    // Bits of an element's sum or bucket, and of its result.
    parameter integer SUM_WIDTH = 14,
    parameter integer RESULT_WIDTH = 20,
    // The requantizer, see there.
    parameter integer TOTAL_WIDTH = 24,
    parameter integer BIAS_WIDTH = 20,
    parameter integer SHIFT_WIDTH = 2,
    parameter integer FIXED_SHIFT = 0,
    parameter integer OUT_SHIFT = 10,
    // Where the token RAM lies, 1: block RAM, 0: LUTs.
    parameter integer BLOCK_RAM = 1,
    // Paths of the memories for $readmemh; layout.py says what is in them.
    parameter WEIGHTS_FILE = "weights.hex",
    parameter DRAINED_FILE = "drained.hex",
    parameter CONSTANTS_FILE = "constants.hex"
) (
    input wire clk,
    input wire rst,
    // Tokens that come in.
    input wire in_valid,
    output wire in_ready,
    input wire [IN_WIDTH-1:0] in_data,
    // Tokens that go out.
    output wire out_valid,
    input wire out_ready,
    output wire [OUT_WORDS*OUT_WIDTH-1:0] out_data
);
    localparam integer BUCKET = ELEMENT == 1 ? 1 : 0;
    localparam integer ELEMENTS = PE * TOKENS;
    localparam integer PADDED = GROUPS * PE;
    localparam integer LARGE_GROUPS = LARGE_PASSES * PASS_GROUPS;

    generate
        if (N_IN < 1 || N_OUT < 1) $error("pot_linear: N_IN and N_OUT must be at least 1");
        if (PE < 1 || PADDED < N_OUT || PADDED - PE >= N_OUT)
            $error("pot_linear: GROUPS must be N_OUT / PE, rounded up");
        if (TOKENS != 1 && TOKENS != 2) $error("pot_linear: TOKENS must be 1 or 2");
        if (ELEMENT < 0 || ELEMENT > 2) $error("pot_linear: ELEMENT must be 0, 1 or 2");
        if (SPARSE != 0 && BUCKET == 0) $error("pot_linear: SPARSE needs ELEMENT 1");
        if (LARGE_GROUPS + (PASSES - LARGE_PASSES) * (PASS_GROUPS - 1) != GROUPS)
            $error("pot_linear: the groups of all passes must be GROUPS");
        if (SPARSE == 0 && (PASS_GROUPS != 1 || BLOCKS != 1 || STEPS != N_IN || OVERLAP != 0 || REPLAY != 0))
            $error("pot_linear: without SPARSE a pass must be one group and a block the token");
        if (SPARSE != 0 && (BLOCKS * BLOCK != N_IN || BLOCK != 1 << OFFSET_WIDTH))
            $error("pot_linear: BLOCKS must be N_IN / BLOCK, and BLOCK must be 2^OFFSET_WIDTH");
        if (SPARSE != 0 && (REPLAY != 0) != (PASSES > 1 || TOKENS > 1))
            $error("pot_linear: REPLAY must be 1 where a token is read more than once, or with another one");
        if (WEIGHT_WORDS != GROUPS * (BLOCKS * STEPS + BUCKET))
            $error("pot_linear: WEIGHT_WORDS must be a word a step, with buckets one more a group");
        if (DRAIN_CYCLES != (BUCKET != 0 ? POWERS : 1))
            $error("pot_linear: DRAIN_CYCLES must be POWERS with buckets, else 1");
        if (ADDITION_DELAY != (BUCKET != 0 ? 2 : 3) + (FACTOR_WIDTH > 0 ? 1 : 0))
            $error("pot_linear: ADDITION_DELAY must be that of the elements");
        if (LEAF < 1 || LEAF % TOKENS != 0 || LEAF % FAN_IN != 0)
            $error("pot_linear: LEAF must be a multiple of TOKENS and of FAN_IN");
        if (FAN_IN ** READ_OUT_LEVELS < ELEMENTS
            || (READ_OUT_LEVELS > 1 && FAN_IN ** (READ_OUT_LEVELS - 1) >= ELEMENTS))
            $error("pot_linear: READ_OUT_LEVELS must be as many as PE * TOKENS elements need");
        if (OUT_WORDS != 1 && OUT_WORDS != N_OUT) $error("pot_linear: OUT_WORDS must be 1 or N_OUT");
        if (X_WIDTH != IN_WIDTH + (IN_SIGNED != 0 ? 0 : 1))
            $error("pot_linear: X_WIDTH must be that of a signed input");
    endgenerate

    localparam integer STEP_WIDTH = STEPS > 1 ? $clog2(STEPS) : 1;
    localparam integer INDEX_WIDTH = N_IN > 1 ? $clog2(N_IN) : 1;
    localparam integer ADDRESS_WIDTH = WEIGHT_WORDS > 1 ? $clog2(WEIGHT_WORDS) : 1;
    localparam integer DRAIN_INDEX_WIDTH = $clog2(GROUPS * DRAIN_CYCLES + 1);
    localparam integer SET_WIDTH = BUCKET_SET_WIDTH > 0 ? BUCKET_SET_WIDTH : 1;
    genvar i;

    // Sequence. A replayed block is written a cycle late, so it can be released a cycle earlier.
    wire block_full, release_block, results_free;
    wire [ADDRESS_WIDTH-1:0] weight_address;
    wire [STEP_WIDTH-1:0] step;
    wire second_buffer, run_q, drain_q, finish_q, done_q;
    wire [SET_WIDTH-1:0] bucket_set_q;
    wire [POWER_WIDTH-1:0] bucket_q;
    wire [DRAIN_INDEX_WIDTH-1:0] drain_index_q;
    pot_linear_sequence #(
        .STEPS(STEPS), .STEP_WIDTH(STEP_WIDTH), .BLOCKS(BLOCKS), .PASSES(PASSES), .PASS_GROUPS(PASS_GROUPS),
        .LARGE_PASSES(LARGE_PASSES), .OVERLAP(OVERLAP), .BUCKET_SET_WIDTH(BUCKET_SET_WIDTH),
        .DRAIN_CYCLES(DRAIN_CYCLES), .BUCKET_WIDTH(POWER_WIDTH), .DRAIN_WORD(BUCKET), .RELEASE_EACH_PASS(SPARSE),
        .RELEASE_STEP(STEPS - (REPLAY != 0 ? 2 : 1)), .ADDRESS_WIDTH(ADDRESS_WIDTH),
        .DRAIN_INDEX_WIDTH(DRAIN_INDEX_WIDTH)
    ) sequencer(
        .clk(clk), .rst(rst), .block_full(block_full), .release_block(release_block), .results_free(results_free),
        .weight_address(weight_address), .step(step), .second_buffer(second_buffer), .run_q(run_q), .drain_q(drain_q),
        .finish_q(finish_q), .done_q(done_q), .bucket_set_q(bucket_set_q), .bucket_q(bucket_q),
        .drain_index_q(drain_index_q)
    );

    // Memories of the weights, and of buckets without a weight. Block RAM has the register of `weights_q` in it.
    (* rom_style = "block" *) reg [PE*WORD_WIDTH-1:0] weights[0:WEIGHT_WORDS-1];
    initial $readmemh(WEIGHTS_FILE, weights);
    reg [PE*WORD_WIDTH-1:0] weights_q;
    always @(posedge clk) weights_q <= weights[weight_address];

    wire [PE-1:0] untouched;
    generate
        if (BUCKET != 0) begin : drains
            (* logic_block *) reg [PE-1:0] drained[0:GROUPS*DRAIN_CYCLES];
            initial $readmemh(DRAINED_FILE, drained);
            assign untouched = drained[drain_index_q];
        end else begin : no_drains
            wire unused = &{1'b0, drain_index_q};
            assign untouched = 0;
        end
    endgenerate

    // Load. `block_...` is what is written into the leaves' RAMs of blocks, of a sparse layer.
    wire block_write;
    wire [OFFSET_WIDTH:0] block_address;
    wire [TOKENS*IN_WIDTH-1:0] block_data, token_data;
    generate
        if (SPARSE == 0 || REPLAY != 0) begin : tokens
            wire [TOKENS-1:0] token_write;
            wire token_full, release_token;
            wire [INDEX_WIDTH:0] token_write_address, token_read_address;
            pot_linear_load #(.WORDS(N_IN), .INDEX_WIDTH(INDEX_WIDTH), .TOKENS(TOKENS)) load(
                .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .write_enable(token_write),
                .write_address(token_write_address), .buffer_full(token_full), .release_buffer(release_token)
            );
            pot_linear_memory #(
                .WIDTH(IN_WIDTH), .TOKENS(TOKENS), .WORDS(2 * N_IN), .ADDRESS_WIDTH(INDEX_WIDTH + 1),
                .BLOCK_RAM(BLOCK_RAM)
            ) token_ram(
                .clk(clk), .write_enable(token_write), .write_address(token_write_address), .write_data(in_data),
                .read_address(token_read_address), .read_data(token_data)
            );
            if (SPARSE != 0) begin : replayed
                wire valid, ready, load_write;
                wire [OFFSET_WIDTH:0] load_address;
                pot_linear_replay #(.WORDS(N_IN), .PASSES(PASSES), .INDEX_WIDTH(INDEX_WIDTH)) replay(
                    .clk(clk), .rst(rst), .buffer_full(token_full), .release_buffer(release_token),
                    .read_address(token_read_address), .out_valid(valid), .out_ready(ready)
                );
                pot_linear_load #(.WORDS(BLOCK), .INDEX_WIDTH(OFFSET_WIDTH), .WRITE_DELAY(1)) load_block(
                    .clk(clk), .rst(rst), .in_valid(valid), .in_ready(ready), .write_enable(load_write),
                    .write_address(load_address), .buffer_full(block_full), .release_buffer(release_block)
                );
                // The token RAM answers a cycle later.
                reg load_write_q;
                reg [OFFSET_WIDTH:0] load_address_q;
                always @(posedge clk) begin
                    load_write_q <= load_write;
                    load_address_q <= load_address;
                end
                assign block_write = load_write_q;
                assign block_address = load_address_q;
                assign block_data = token_data;
                wire unused = &{1'b0, step};
            end else begin : dense
                pot_linear_buffer_address #(.WORDS(N_IN), .INDEX_WIDTH(INDEX_WIDTH)) place_step(
                    .second(second_buffer), .index(step), .address(token_read_address)
                );
                assign block_full = token_full;
                assign release_token = release_block;
                assign block_write = 0;
                assign block_address = 0;
                assign block_data = 0;
                wire unused = &{1'b0, bucket_set_q};
            end
        end else begin : blocks
            pot_linear_load #(.WORDS(BLOCK), .INDEX_WIDTH(OFFSET_WIDTH)) load(
                .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .write_enable(block_write),
                .write_address(block_address), .buffer_full(block_full), .release_buffer(release_block)
            );
            assign block_data = in_data;
            assign token_data = 0;
            wire unused = &{1'b0, step};
        end
    endgenerate

    // Inputs as signed numbers.
    wire [TOKENS*X_WIDTH-1:0] x, block_x;
    generate
        if (IN_SIGNED != 0) begin : signed_codes
            assign x = token_data;
            assign block_x = block_data;
        end else begin : unsigned_codes
            for (i = 0; i < TOKENS; i = i + 1) begin : codes
                assign x[i*X_WIDTH +: X_WIDTH] = {1'b0, token_data[i*IN_WIDTH +: IN_WIDTH]};
                assign block_x[i*X_WIDTH +: X_WIDTH] = {1'b0, block_data[i*IN_WIDTH +: IN_WIDTH]};
            end
        end
    endgenerate

    // The control waits until the addition: the sequence's register and the leaf's are two of ADDITION_DELAY cycles.
    localparam integer CONTROL_WIDTH = 4 + SET_WIDTH;
    localparam integer DELAY = ADDITION_DELAY - 2;
    wire [CONTROL_WIDTH-1:0] control[0:DELAY];
    assign control[0] = {run_q, drain_q, finish_q, done_q, bucket_set_q};
    generate
        for (i = 0; i < DELAY; i = i + 1) begin : delays
            reg [CONTROL_WIDTH-1:0] control_q;
            always @(posedge clk) control_q <= control[i];
            assign control[i+1] = control_q;
        end
    endgenerate
    wire leaf_run, leaf_drain, leaf_finish, leaf_done;
    wire [SET_WIDTH-1:0] leaf_bucket_set;
    assign {leaf_run, leaf_drain, leaf_finish, leaf_done, leaf_bucket_set} = control[DELAY];
    reg leaf_done_q;
    always @(posedge clk) leaf_done_q <= leaf_done && !rst;

    // Leaves. The elements of a code stand side by side, one a token.
    localparam integer LEAVES = (ELEMENTS + LEAF - 1) / LEAF;
    localparam integer LAST_LEAF = ELEMENTS - (LEAVES - 1) * LEAF;
    localparam integer LEAF_CODES = LEAF / TOKENS;
    localparam integer LEAF_ORS = LEAF / FAN_IN;
    localparam integer ORS = (ELEMENTS + FAN_IN - 1) / FAN_IN;
    wire advance, move_results;
    wire [ELEMENTS-1:0] select;
    wire [ORS*RESULT_WIDTH-1:0] leaf_results;
    generate
        for (i = 0; i < LEAVES; i = i + 1) begin : leaves
            localparam integer COUNT = i == LEAVES - 1 ? LAST_LEAF : LEAF;
            localparam integer COUNT_ORS = (COUNT + FAN_IN - 1) / FAN_IN;
            pot_linear_leaf #(
                .ELEMENTS(COUNT), .TOKENS(TOKENS), .ELEMENT(ELEMENT), .SPARSE(SPARSE), .X_WIDTH(X_WIDTH),
                .SUM_WIDTH(SUM_WIDTH), .RESULT_WIDTH(RESULT_WIDTH), .POWERS(POWERS), .POWER_WIDTH(POWER_WIDTH),
                .FACTOR_WIDTH(FACTOR_WIDTH), .BUCKET_SET_WIDTH(BUCKET_SET_WIDTH), .OFFSET_WIDTH(OFFSET_WIDTH),
                .WORD_WIDTH(WORD_WIDTH), .RESULT_BUFFERS(RESULT_BUFFERS), .FAN_IN(FAN_IN), .FIRST(i == 0 ? 1 : 0)
            ) leaf(
                .clk(clk), .rst(rst), .run(leaf_run), .drain(leaf_drain), .finish(leaf_finish),
                .bucket_set(leaf_bucket_set), .no_x(drain_q), .bucket(bucket_q),
                .untouched(untouched[i*LEAF_CODES +: COUNT/TOKENS]),
                .words(weights_q[i*LEAF_CODES*WORD_WIDTH +: COUNT/TOKENS*WORD_WIDTH]), .x(x),
                .second_buffer(second_buffer), .write_enable(block_write), .write_address(block_address),
                .write_data(block_x), .move_results(move_results), .advance(advance),
                .select_in(select[i > 0 ? i * LEAF - 1 : ELEMENTS - 1]), .select(select[i*LEAF +: COUNT]),
                .results(leaf_results[i*LEAF_ORS*RESULT_WIDTH +: COUNT_ORS*RESULT_WIDTH])
            );
        end
    endgenerate

    // Read-out: the sum that has been selected READ_OUT_LEVELS cycles before.
    wire [RESULT_WIDTH-1:0] sum;
    pot_linear_or_tree #(.COUNT(ORS), .WIDTH(RESULT_WIDTH), .FAN_IN(FAN_IN)) read_out(
        .clk(clk), .words(leaf_results), .word(sum)
    );
    reg [READ_OUT_LEVELS-1:0] selected_q;
    wire [READ_OUT_LEVELS:0] selected = {selected_q, advance};
    always @(posedge clk) selected_q <= rst ? {READ_OUT_LEVELS{1'b0}} : selected[READ_OUT_LEVELS-1:0];
    wire unused = selected[READ_OUT_LEVELS];

    wire code_valid;
    wire [OUT_WIDTH-1:0] code;
    pot_linear_requantize #(
        .TOKENS(TOKENS), .CHANNELS(N_OUT), .PADDED_CHANNELS(PADDED), .SUM_WIDTH(RESULT_WIDTH),
        .TOTAL_WIDTH(TOTAL_WIDTH), .BIAS_WIDTH(BIAS_WIDTH), .FIXED_SHIFT(FIXED_SHIFT), .SHIFT_WIDTH(SHIFT_WIDTH),
        .OUT_SHIFT(OUT_SHIFT), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED), .CONSTANTS_FILE(CONSTANTS_FILE)
    ) requantizer(
        .clk(clk), .rst(rst), .next(selected_q[READ_OUT_LEVELS-1]), .sum(sum), .valid(code_valid), .result(code)
    );
    pot_linear_write #(
        .WIDTH(OUT_WIDTH), .ELEMENTS(ELEMENTS), .WORDS(OUT_WORDS), .RESULT_BUFFERS(RESULT_BUFFERS),
        .FINISH_EARLY(FINISH_EARLY), .MOVE_EARLY(MOVE_EARLY), .TOKENS(TOKENS), .CHANNELS(N_OUT),
        .FIRST_SLOTS(FIRST_SLOTS), .RESERVED_SLOTS(RESERVED_SLOTS)
    ) writer(
        .clk(clk), .rst(rst), .results_done(leaf_done_q), .select(select), .advance(advance),
        .move_results(move_results), .results_free(results_free), .code_valid(code_valid), .code(code),
        .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data)
    );
endmodule

`default_nettype wire

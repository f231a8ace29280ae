// The steps of a token, one a cycle: chunks of outputs, blocks of inputs, banks of outputs, inputs of a block.
//
// A bank is a group of as many outputs as there are elements. Dense has one bank a chunk and one block, the token.
// After the last block of a bank its buckets are drained, or its sums taken, in DRAIN cycles of which the last waits
// until the results of the bank before are read out.
//
// BESIDE: chunks have two banks, the last one may have one, and use one half of the buckets and the other in turns. So
// a chunk's banks are drained beside the work on the next one, the first before its first block and the second half-way
// through, which leaves time to read out the results between the two. Those of the last chunk, which may not wait for
// another token, are drained as above.

`default_nettype none

module pot_linear_sequence #(
    parameter STEPS = 96,
    parameter STEP_WIDTH = 7,
    parameter BLOCKS = 1,
    parameter BANKS = 1,
    // Bits of a bank's place among the buckets.
    parameter BANK_WIDTH = 0,
    parameter BESIDE = 0,
    parameter CHUNKS = 4,
    // So many chunks have BANKS banks, the others one fewer.
    parameter LARGE_CHUNKS = 4,
    parameter DRAIN = 7,
    parameter DRAIN_WIDTH = 3,
    // 1: the weight memory has a word of zeros for the drain after the steps of a bank.
    parameter DRAIN_WORD = 1,
    // 1: a block is read once a chunk; 0: once a token.
    parameter RELEASE_EACH = 0,
    // The step of a block's last bank in which it is released.
    parameter RELEASE_STEP = 95,
    parameter ADDRESS_WIDTH = 9,
    parameter DRAIN_INDEX_WIDTH = 5,
    parameter BANK_BITS = BANK_WIDTH > 0 ? BANK_WIDTH : 1
) (
    input wire clk,
    input wire rst,
    input wire full,
    output wire release_,
    input wire finished,
    // Of this clock's step.
    output reg [ADDRESS_WIDTH-1:0] address,
    output reg [STEP_WIDTH-1:0] step,
    output reg half,
    // A cycle later.
    output reg run,
    output reg drain,
    output reg last,
    output reg taken,
    output reg [BANK_BITS-1:0] bank_later,
    output reg [DRAIN_WIDTH-1:0] place,
    output reg [DRAIN_INDEX_WIDTH-1:0] drain_index
);
    localparam BLOCK_WIDTH = BLOCKS > 1 ? $clog2(BLOCKS) : 1;
    localparam CHUNK_WIDTH = CHUNKS > 1 ? $clog2(CHUNKS) : 1;
    localparam LAST_STEP = STEPS - 1;
    localparam LAST_BLOCK = BLOCKS - 1;
    localparam LAST_CHUNK = CHUNKS - 1;
    localparam LAST_BANK = BANKS - 1;
    localparam SMALL_LAST_BANK = BANKS > 1 ? BANKS - 2 : 0;

    reg [BLOCK_WIDTH-1:0] block;
    reg [CHUNK_WIDTH-1:0] chunk;
    reg [BANK_BITS-1:0] bank;
    reg [DRAIN_WIDTH-1:0] drained;
    reg [DRAIN_INDEX_WIDTH-1:0] drains;
    reg draining, busy;

    // Whether this chunk's banks, and whether those of the chunk before, are drained beside the next one's work.
    wire defers, owes;
    wire half_way;
    wire [BANK_BITS-1:0] place_of_bank;

    wire many;
    generate
        if (LARGE_CHUNKS == CHUNKS) begin : equal
            assign many = 1;
        end else begin : unequal
            assign many = chunk < LARGE_CHUNKS[CHUNK_WIDTH-1:0];
        end
    endgenerate
    wire last_step = step == LAST_STEP[STEP_WIDTH-1:0];
    wire last_bank = bank == (many ? LAST_BANK[BANK_BITS-1:0] : SMALL_LAST_BANK[BANK_BITS-1:0]);
    wire last_block = block == LAST_BLOCK[BLOCK_WIDTH-1:0];
    wire last_chunk = chunk == LAST_CHUNK[CHUNK_WIDTH-1:0];
    wire last_drain = drained == DRAIN[DRAIN_WIDTH-1:0];

    wire go = draining ? !(last_drain && busy) : full || step != 0;
    wire rests = !go || !draining;
    wire step_done = go && !draining && last_step;
    wire bank_done = go && draining && last_drain;
    wire own_done = bank_done && !owes;
    wire bank_next = last_block && !defers ? own_done : step_done;
    wire chunk_done = bank_next && last_bank && last_block;
    wire token_done = own_done && last_bank && last_chunk;
    wire free = last_bank && (RELEASE_EACH != 0 || last_chunk);
    assign release_ = go && !draining && step == RELEASE_STEP[STEP_WIDTH-1:0] && free;

    generate
        if (BESIDE != 0) begin : beside
            localparam HALF_WAY = BLOCKS / 2 - 1;
            reg [1:0] owed;
            reg bucket_half;
            assign defers = !last_chunk;
            assign owes = owed != 0;
            assign half_way = owed[0] && last_bank && block == HALF_WAY[BLOCK_WIDTH-1:0];
            assign place_of_bank = owes && draining ? {!bucket_half, owed[0]} : {bucket_half, bank[0]};
            always @(posedge clk) begin
                if (chunk_done && defers) owed <= 2;
                else if (bank_done && owes) owed <= owed - 1'b1;
                if (chunk_done) bucket_half <= !bucket_half;
                if (rst) begin
                    owed <= 0;
                    bucket_half <= 0;
                end
            end
        end else begin : after
            assign defers = 0;
            assign owes = 0;
            assign half_way = 0;
            assign place_of_bank = bank;
        end
    endgenerate

    always @(posedge clk) begin
        if (go && !draining) step <= last_step ? {STEP_WIDTH{1'b0}} : step + 1'b1;
        if (step_done && (last_block ? last_bank || !defers : half_way)) draining <= 1;
        if (bank_done) draining <= 0;
        if (bank_done || !draining) drained <= 1;
        else if (go) drained <= drained + 1'b1;
        if (bank_next) bank <= last_bank ? {BANK_BITS{1'b0}} : bank + 1'b1;
        if (bank_next && last_bank) block <= last_block ? {BLOCK_WIDTH{1'b0}} : block + 1'b1;
        if (chunk_done) chunk <= last_chunk ? {CHUNK_WIDTH{1'b0}} : chunk + 1'b1;
        if (token_done) address <= 0;
        else if (DRAIN_WORD != 0 ? (draining ? bank_done : go) : go && !draining) address <= address + 1'b1;
        if (token_done) drains <= 1;
        else if (go && draining) drains <= drains + 1'b1;
        if (step_done && free) half <= !half;
        if (bank_done) busy <= 1;
        else if (finished) busy <= 0;

        run <= go;
        drain <= go && draining;
        last <= bank_done || rst;
        taken <= bank_done && !rst;
        bank_later <= place_of_bank;
        if (rests) place <= 0;
        else place <= drained;
        if (rests) drain_index <= 0;
        else drain_index <= drains;
        if (rst) begin
            step <= 0;
            draining <= 0;
            drained <= 1;
            bank <= 0;
            block <= 0;
            chunk <= 0;
            address <= 0;
            drains <= 1;
            half <= 0;
            busy <= 0;
        end
    end
endmodule

`default_nettype wire

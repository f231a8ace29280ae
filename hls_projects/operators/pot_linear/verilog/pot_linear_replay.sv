// Read side of the token RAM of a sparse layer: a token's words in order, one a cycle, once for every pass of groups.
//
// The RAM answers `read_address` a cycle later, so the data of the stream come a cycle after its handshake.

`default_nettype none

module pot_linear_replay #(
    // Words of a token, at least 1.
    parameter integer WORDS = 96,
    // How often a token is read, at least 1.
    parameter integer PASSES = 2,
    // Bits of an index, 2^INDEX_WIDTH >= WORDS.
    parameter integer INDEX_WIDTH = 7
) (
    input wire clk,
    input wire rst,
    // A buffer with a token, or two, can be read; it is released with its last word in the last pass.
    input wire buffer_full,
    output wire release_buffer,
    output wire [INDEX_WIDTH:0] read_address,
    // Handshake of the words.
    output wire out_valid,
    input wire out_ready
);
    localparam integer PASS_WIDTH = PASSES > 1 ? $clog2(PASSES) : 1;
    localparam integer LAST = WORDS - 1;
    localparam integer LAST_PASS = PASSES - 1;

    generate
        if (WORDS < 1) $error("pot_linear_replay: WORDS must be at least 1");
        if (PASSES < 1) $error("pot_linear_replay: PASSES must be at least 1");
    endgenerate

    reg [INDEX_WIDTH-1:0] index;
    reg [PASS_WIDTH-1:0] pass;
    // Which buffer is read.
    reg second_buffer;
    pot_linear_buffer_address #(.WORDS(WORDS), .INDEX_WIDTH(INDEX_WIDTH)) place_word(
        .second(second_buffer), .index(index), .address(read_address)
    );
    assign out_valid = buffer_full;
    wire move = out_valid && out_ready;
    wire pass_done = move && index == LAST[INDEX_WIDTH-1:0];
    wire last_pass = pass == LAST_PASS[PASS_WIDTH-1:0];
    assign release_buffer = pass_done && last_pass;

    always @(posedge clk) begin
        if (move) index <= pass_done ? {INDEX_WIDTH{1'b0}} : index + 1'b1;
        if (pass_done) pass <= last_pass ? {PASS_WIDTH{1'b0}} : pass + 1'b1;
        if (release_buffer) second_buffer <= !second_buffer;
        if (rst) begin
            index <= 0;
            pass <= 0;
            second_buffer <= 0;
        end
    end
endmodule

`default_nettype wire

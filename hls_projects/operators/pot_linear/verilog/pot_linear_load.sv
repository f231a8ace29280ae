// Write side of two buffers: where a stream's words go, and which buffers are full.
//
// With two TOKENS a buffer has a word of each token at every address, and the first token's words come first.

`default_nettype none

module pot_linear_load #(
    // Words of a token in a buffer, at least 1.
    parameter integer WORDS = 96,
    // Bits of an index, 2^INDEX_WIDTH >= WORDS.
    parameter integer INDEX_WIDTH = 7,
    // Cycles from a buffer's last word to `buffer_full`, less one: 1 where words are written a cycle late, else 0.
    parameter integer WRITE_DELAY = 0,
    // Tokens of a buffer, 1 or 2.
    parameter integer TOKENS = 1
) (
    input wire clk,
    input wire rst,
    // The stream; its data go to the RAM directly.
    input wire in_valid,
    output wire in_ready,
    // In the cycle in which a word is taken: for which token it is, and where it goes.
    output wire [TOKENS-1:0] write_enable,
    output wire [INDEX_WIDTH:0] write_address,
    // Whether a buffer can be read. It is free again in the cycle after `release_buffer`.
    output wire buffer_full,
    input wire release_buffer
);
    localparam integer LAST = WORDS - 1;

    generate
        if (WORDS < 1) $error("pot_linear_load: WORDS must be at least 1");
        if (WRITE_DELAY != 0 && WRITE_DELAY != 1) $error("pot_linear_load: WRITE_DELAY must be 0 or 1");
        if (TOKENS != 1 && TOKENS != 2) $error("pot_linear_load: TOKENS must be 1 or 2");
    endgenerate

    reg [INDEX_WIDTH-1:0] index;
    // Which buffer is written, and how many are full or being read: at two no word is taken.
    reg second_buffer;
    reg [1:0] count;
    assign in_ready = !count[1];
    pot_linear_buffer_address #(.WORDS(WORDS), .INDEX_WIDTH(INDEX_WIDTH)) place_word(
        .second(second_buffer), .index(index), .address(write_address)
    );
    wire take = in_valid && in_ready;
    wire token_done = take && index == LAST[INDEX_WIDTH-1:0];
    wire filled;
    generate
        if (TOKENS > 1) begin : two_tokens
            reg second_token;
            assign write_enable = {take && second_token, take && !second_token};
            assign filled = token_done && second_token;
            always @(posedge clk) begin
                if (token_done) second_token <= !second_token;
                if (rst) second_token <= 0;
            end
        end else begin : one_token
            assign write_enable = take;
            assign filled = token_done;
        end
    endgenerate

    generate
        if (WRITE_DELAY != 0) begin : delayed
            // Counts buffers whose last word is in the RAM; `count` above counts it as soon as it is taken.
            reg filled_q;
            reg [1:0] readable;
            assign buffer_full = readable != 0;
            always @(posedge clk) begin
                filled_q <= filled && !rst;
                if (filled_q && !release_buffer) readable <= readable + 1'b1;
                if (!filled_q && release_buffer) readable <= readable - 1'b1;
                if (rst) readable <= 0;
            end
        end else begin : at_once
            assign buffer_full = count != 0;
        end
    endgenerate

    always @(posedge clk) begin
        if (take) index <= token_done ? {INDEX_WIDTH{1'b0}} : index + 1'b1;
        if (filled) second_buffer <= !second_buffer;
        if (filled && !release_buffer) count <= count + 1'b1;
        if (!filled && release_buffer) count <= count - 1'b1;
        if (rst) begin
            index <= 0;
            second_buffer <= 0;
            count <= 0;
        end
    end
endmodule

`default_nettype wire

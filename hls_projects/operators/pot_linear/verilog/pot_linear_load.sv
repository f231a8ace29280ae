// Counts the words of a stream into one of two blocks: where a word goes, whether a block is full, which one is next.
//
// With two TOKENS a block has a word of each at every address, the first token's words come first. `write` has a bit
// for each of them. `write` and `address` are of the clock in which the word is taken. A block is free again the clock after `release_`,
// and full the clock after its last word, or with LATE one cycle later.

`default_nettype none

module pot_linear_load #(
    parameter WORDS = 96,
    parameter INDEX_WIDTH = 7,
    parameter LATE = 0,
    parameter TOKENS = 1
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    output wire [TOKENS-1:0] write,
    output wire [INDEX_WIDTH:0] address,
    output wire full,
    input wire release_
);
    localparam LAST = WORDS - 1;
    reg [INDEX_WIDTH-1:0] index;
    reg half;
    reg [1:0] count;
    assign in_ready = !count[1];
    pot_linear_place #(.WORDS(WORDS), .INDEX_WIDTH(INDEX_WIDTH)) place(.half(half), .index(index), .address(address));
    wire taken = in_valid && in_ready;
    wire token_done = taken && index == LAST[INDEX_WIDTH-1:0];
    wire filled;
    generate
        if (TOKENS > 1) begin : two_tokens
            reg second;
            assign write = {taken && second, taken && !second};
            assign filled = token_done && second;
            always @(posedge clk) begin
                if (token_done) second <= !second;
                if (rst) second <= 0;
            end
        end else begin : one_token
            assign write = taken;
            assign filled = token_done;
        end
    endgenerate
    generate
        if (LATE != 0) begin : late
            reg filled_later;
            reg [1:0] ready;
            assign full = ready != 0;
            always @(posedge clk) begin
                filled_later <= filled && !rst;
                if (filled_later && !release_) ready <= ready + 1'b1;
                if (!filled_later && release_) ready <= ready - 1'b1;
                if (rst) ready <= 0;
            end
        end else begin : prompt
            assign full = count != 0;
        end
    endgenerate
    always @(posedge clk) begin
        if (taken) index <= token_done ? {INDEX_WIDTH{1'b0}} : index + 1'b1;
        if (filled) half <= !half;
        if (filled && !release_) count <= count + 1'b1;
        if (!filled && release_) count <= count - 1'b1;
        if (rst) begin
            index <= 0;
            half <= 0;
            count <= 0;
        end
    end
endmodule

`default_nettype wire

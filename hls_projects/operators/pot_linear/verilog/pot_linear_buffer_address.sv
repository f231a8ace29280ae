// Address of a word in a RAM that holds two buffers of WORDS words one after the other, without a gap.
//
// The address is index + (second ? WORDS : 0). The bits of the index below the lowest bit of WORDS that is set pass
// through; the adder has only the bits above. Combinational.

`default_nettype none

module pot_linear_buffer_address #(
    // Words of a buffer, at least 1.
    parameter integer WORDS = 96,
    // Bits of an index, 2^INDEX_WIDTH >= WORDS.
    parameter integer INDEX_WIDTH = 7
) (
    // Whether the word is in the second buffer.
    input wire second,
    // Index of the word in its buffer.
    input wire [INDEX_WIDTH-1:0] index,
    output wire [INDEX_WIDTH:0] address
);
    generate
        if (WORDS < 1) $error("pot_linear_buffer_address: WORDS must be at least 1");
        if (1 << INDEX_WIDTH < WORDS) $error("pot_linear_buffer_address: INDEX_WIDTH is too small for WORDS");
    endgenerate

    // Bits of the index that are the same in both buffers.
    function integer trailing_zeros;
        input integer words;
        for (trailing_zeros = 0; words % (2 << trailing_zeros) == 0; trailing_zeros = trailing_zeros + 1) ;
    endfunction
    localparam integer SAME = trailing_zeros(WORDS);
    localparam integer HIGH = INDEX_WIDTH + 1 - SAME;
    localparam integer START = WORDS >> SAME;

    wire [HIGH-1:0] high;
    generate
        if (HIGH > 1) begin : added
            assign high = {1'b0, index[INDEX_WIDTH-1:SAME]} + (second ? START[HIGH-1:0] : {HIGH{1'b0}});
        end else begin : aligned
            assign high = second;
        end
        if (SAME > 0) begin : low
            assign address = {high, index[SAME-1:0]};
        end else begin : no_low
            assign address = high;
        end
    endgenerate
endmodule

`default_nettype wire

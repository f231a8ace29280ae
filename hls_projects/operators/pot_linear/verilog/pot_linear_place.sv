// Where a word of one of two blocks lies in a RAM that holds them one after the other, without a gap.

`default_nettype none

module pot_linear_place #(
    parameter WORDS = 96,
    parameter INDEX_WIDTH = 7
) (
    input wire half,
    input wire [INDEX_WIDTH-1:0] index,
    output wire [INDEX_WIDTH:0] address
);
    // Bits of the index that the second block's place does not change.
    function integer same;
        input integer words;
        for (same = 0; words % (2 << same) == 0; same = same + 1) ;
    endfunction
    localparam SAME = same(WORDS);
    localparam CHANGED = INDEX_WIDTH + 1 - SAME;
    localparam PLACE = WORDS >> SAME;

    wire [CHANGED-1:0] high;
    generate
        if (CHANGED > 1) begin : moved
            assign high = {1'b0, index[INDEX_WIDTH-1:SAME]} + (half ? PLACE[CHANGED-1:0] : {CHANGED{1'b0}});
        end else begin : aligned
            assign high = half;
        end
        if (SAME > 0) begin : lower
            assign address = {high, index[SAME-1:0]};
        end else begin : whole
            assign address = high;
        end
    endgenerate
endmodule

`default_nettype wire

// Which slots of the rows of integer_softmax.sv have a key: all but the first SKIP in the first tile of a
// image, and LOAD_SIZE fewer of these in every next tile.

`default_nettype none

module softmax_window #(
    parameter SKIP = 8,
    parameter LOAD_SIZE = 8,
    parameter ROWS = 24,
    parameter TILES = 8
) (
    input wire clk,
    input wire rst,
    // A word of stage A, the last one of a row.
    input wire a_step,
    input wire a_last,
    output wire a_counts,
    // Stage B takes over the row that A has ended; a word of B.
    input wire b_begin,
    input wire b_step,
    output wire b_counts
);
    localparam WIDTH = $clog2(SKIP + 1);
    // Slots to skip in the rows of the tile, before the next word of A's row and of B's, and in B's next row.
    reg [WIDTH-1:0] tile_skip, a_skip, b_skip, next_skip;
    assign a_counts = a_skip == 0;
    assign b_counts = b_skip == 0;
    wire row_end = a_step && a_last;
    wire [1:0] done;
    loop #(.COUNT(ROWS)) rows (.clk(clk), .rst(rst), .step(row_end), .inner(1'b1), .done(done[0]));
    loop #(.COUNT(TILES)) tiles (.clk(clk), .rst(rst), .step(row_end), .inner(done[0]), .done(done[1]));
    wire [WIDTH-1:0] fewer = tile_skip < LOAD_SIZE[WIDTH-1:0] ? {WIDTH{1'b0}} : tile_skip - LOAD_SIZE[WIDTH-1:0];
    wire [WIDTH-1:0] following = done[1] ? SKIP[WIDTH-1:0] : done[0] ? fewer : tile_skip;

    always @(posedge clk) begin
        if (row_end) begin
            tile_skip <= following;
            a_skip <= following;
            next_skip <= tile_skip;
        end else if (a_step && !a_counts) a_skip <= a_skip - 1;
        if (b_begin) b_skip <= next_skip;
        else if (b_step && !b_counts) b_skip <= b_skip - 1;
        if (rst) begin
            tile_skip <= SKIP[WIDTH-1:0];
            a_skip <= SKIP[WIDTH-1:0];
        end
    end
endmodule

`default_nettype wire

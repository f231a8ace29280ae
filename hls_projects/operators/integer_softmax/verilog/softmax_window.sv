// Tells stages A and B of integer_softmax which slots of a row have a key: all but the first SKIP in the rows of an
// image's first tile of queries, and LOAD_SIZE fewer are skipped in each next tile.

`default_nettype none

module softmax_window #(
    // Slots to skip in the first tile, a multiple of LOAD_SIZE and not 0, and how many fewer in each next one.
    parameter SKIP = 8,
    parameter LOAD_SIZE = 8,
    // Rows of a tile, and tiles of an image.
    parameter ROWS = 24,
    parameter TILES = 8
) (
    input wire clk,
    input wire rst,
    // A takes a slot's score, which may be the last one of a row; the slot has a key.
    input wire a_step,
    input wire a_last,
    output wire a_counts,
    // B begins with the row that A has completed; it reads a slot's score; the slot has a key.
    input wire b_begin,
    input wire b_step,
    output wire b_counts
);
    localparam WIDTH = $clog2(SKIP + 1);

`ifndef __ICARUS__
    generate
        if (LOAD_SIZE < 1 || SKIP < LOAD_SIZE || SKIP % LOAD_SIZE != 0)
            $error("softmax_window: SKIP must be a multiple of LOAD_SIZE and not 0");
        if (ROWS < 1 || TILES < 1) $error("softmax_window: ROWS and TILES must be at least 1");
    endgenerate
`endif

    // Slots to skip in the rows of A's tile; those of them that A, and B, has not passed in its row; and those of the
    // row that B begins with next.
    reg [WIDTH-1:0] tile_skip_q, a_skip_q, b_skip_q, next_skip_q;
    assign a_counts = a_skip_q == 0;
    assign b_counts = b_skip_q == 0;
    wire row_end = a_step && a_last;
    wire last_row, last_tile;
    /* verilator lint_off PINCONNECTEMPTY */
    loop_counter #(.COUNT(ROWS)) rows (
        .clk(clk), .rst(rst), .step(row_end), .inner(1'b1), .cut(1'b0), .count(), .last(last_row)
    );
    loop_counter #(.COUNT(TILES), .NESTED(1)) tiles (
        .clk(clk), .rst(rst), .step(row_end), .inner(last_row), .cut(1'b0), .count(), .last(last_tile)
    );
    /* verilator lint_on PINCONNECTEMPTY */
    wire [WIDTH-1:0] fewer = tile_skip_q < LOAD_SIZE[WIDTH-1:0] ? {WIDTH{1'b0}} : tile_skip_q - LOAD_SIZE[WIDTH-1:0];
    // Slots to skip in A's next row.
    wire [WIDTH-1:0] tile_skip_d = last_tile ? SKIP[WIDTH-1:0] : last_row ? fewer : tile_skip_q;

    always @(posedge clk) begin
        if (row_end) begin
            tile_skip_q <= tile_skip_d;
            a_skip_q <= tile_skip_d;
            next_skip_q <= tile_skip_q;
        end else if (a_step && !a_counts) a_skip_q <= a_skip_q - 1;
        if (b_begin) b_skip_q <= next_skip_q;
        else if (b_step && !b_counts) b_skip_q <= b_skip_q - 1;
        if (rst) begin
            tile_skip_q <= SKIP[WIDTH-1:0];
            a_skip_q <= SKIP[WIDTH-1:0];
        end
    end
endmodule

`default_nettype wire

// Pixels in raster order to patches, each value sent through its channel's table.
//
// The pixels of a row of blocks, BLOCK_HEIGHT * PATCH_SIZE lines of the image, come into one half of a
// RAM, a pixel a cycle, while those of the row before leave from the other half, a code a cycle.

`default_nettype none

module patch_reader #(
    parameter IMAGE_SIZE = 32,
    parameter PATCH_SIZE = 4,
    parameter N_CHANNELS = 3,
    // In patches; blocks leave row by row, and so do the patches of a block.
    parameter BLOCK_HEIGHT = 1,
    parameter BLOCK_WIDTH = 8,
    parameter OUT_WIDTH = 8,
    parameter TABLE_FILE = "table.hex"
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [8*N_CHANNELS-1:0] in_data,
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
    localparam LINES = BLOCK_HEIGHT * PATCH_SIZE;
    localparam PIXELS = LINES * IMAGE_SIZE;
    localparam ADDRESS = PIXELS > 1 ? $clog2(PIXELS) : 1;
    localparam CHANNEL_WIDTH = N_CHANNELS > 1 ? $clog2(N_CHANNELS) : 1;

    // Halves that are full, one of them perhaps being read.
    reg [1:0] full;
    assign in_ready = !full[1];
    wire take = in_valid && in_ready;
    wire move = !out_valid || out_ready;
    wire step = full != 0 && move;

    wire [ADDRESS-1:0] writing;
    wire filled;
    reg writing_half;
    counter #(.COUNT(PIXELS), .WIDTH(ADDRESS)) pixels (
        .clk(clk), .rst(rst), .step(take), .value(writing), .last(filled)
    );

    // The loops of the reader, the innermost one first: `done` where it and those within it end.
    wire [5:0] done;
    wire [CHANNEL_WIDTH-1:0] channel;
    counter #(.COUNT(N_CHANNELS), .WIDTH(CHANNEL_WIDTH)) channels (
        .clk(clk), .rst(rst), .step(step), .value(channel), .last(done[0])
    );
    loop #(.COUNT(PATCH_SIZE)) columns (.clk(clk), .rst(rst), .step(step), .inner(done[0]), .done(done[1]));
    loop #(.COUNT(PATCH_SIZE)) rows (.clk(clk), .rst(rst), .step(step), .inner(done[1]), .done(done[2]));
    loop #(.COUNT(BLOCK_WIDTH)) across (.clk(clk), .rst(rst), .step(step), .inner(done[2]), .done(done[3]));
    loop #(.COUNT(BLOCK_HEIGHT)) down (.clk(clk), .rst(rst), .step(step), .inner(done[3]), .done(done[4]));
    loop #(.COUNT(IMAGE_SIZE / PATCH_SIZE / BLOCK_WIDTH)) blocks (
        .clk(clk), .rst(rst), .step(step), .inner(done[4]), .done(done[5])
    );

    // From a pixel to the next one: in the line, in the next line of the patch, the first one of the next
    // patch, of the next row of patches, and of the next block.
    localparam NEXT_LINE = IMAGE_SIZE - PATCH_SIZE + 1;
    localparam NEXT_PATCH = 1 - (PATCH_SIZE - 1) * IMAGE_SIZE;
    localparam NEXT_ROW = IMAGE_SIZE - BLOCK_WIDTH * PATCH_SIZE + 1;
    localparam NEXT_BLOCK = 1 - (LINES - 1) * IMAGE_SIZE;
    localparam [ADDRESS-1:0] ONE = 1;
    wire [ADDRESS-1:0] distance =
        done[4] ? NEXT_BLOCK[ADDRESS-1:0] : done[3] ? NEXT_ROW[ADDRESS-1:0] :
        done[2] ? NEXT_PATCH[ADDRESS-1:0] : done[1] ? NEXT_LINE[ADDRESS-1:0] : ONE;
    reg [ADDRESS-1:0] reading;
    reg reading_half;

    always @(posedge clk) begin
        if (take && filled) writing_half <= !writing_half;
        if (step && done[0]) reading <= done[5] ? {ADDRESS{1'b0}} : reading + distance;
        if (step && done[5]) reading_half <= !reading_half;
        if ((take && filled) != (step && done[5])) full <= step && done[5] ? full - 1 : full + 1;
        if (rst) begin
            writing_half <= 0;
            reading <= 0;
            reading_half <= 0;
            full <= 0;
        end
    end

    wire [8*N_CHANNELS-1:0] pixel;
    block_ram #(.WIDTH(8 * N_CHANNELS), .WORDS(2 << ADDRESS), .ADDRESS(ADDRESS + 1), .BLOCK(1)) lines (
        .clk(clk),
        .write(take), .write_address({writing_half, writing}), .write_data(in_data),
        .read(step), .read_address({reading_half, reading}), .read_data(pixel)
    );

    reg [OUT_WIDTH-1:0] table_words[0:N_CHANNELS*256-1];
    initial $readmemh(TABLE_FILE, table_words);
    reg [CHANNEL_WIDTH-1:0] pixel_channel;
    reg pixel_valid;
    wire [$clog2(N_CHANNELS)+7:0] place;
    generate
        if (N_CHANNELS > 1) begin : several
            assign place = {pixel_channel, pixel[8*pixel_channel+:8]};
        end else begin : single
            assign place = pixel;
            wire unused = pixel_channel;
        end
    endgenerate
    always @(posedge clk) begin
        if (move) begin
            pixel_valid <= step;
            pixel_channel <= channel;
            out_valid <= pixel_valid;
            out_data <= table_words[place];
        end
        if (rst) {pixel_valid, out_valid} <= 0;
    end
endmodule

`default_nettype wire

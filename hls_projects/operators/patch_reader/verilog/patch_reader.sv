// Pixels in raster order to patches, with every value sent through the table of its channel.
//
// The pixels of a row of blocks, BLOCK_HEIGHT * PATCH_SIZE lines of the image, come into one half of a double buffer, a
// pixel a cycle, while those of the row before leave from the other half, a code a cycle.
//
// Throughput: one code out a cycle; latency: two cycles from the last pixel of a row of blocks to its first code.

`default_nettype none

module patch_reader #(
    // Pixels of a side of the square image, a multiple of PATCH_SIZE.
    parameter IMAGE_SIZE = 32,
    // Pixels of a side of a square patch, at least 1.
    parameter PATCH_SIZE = 4,
    // Channels of a pixel, at least 1.
    parameter N_CHANNELS = 3,
    // Patches of a block's sides; both divide IMAGE_SIZE / PATCH_SIZE. Blocks leave row by row, and so do the patches
    // of a block.
    parameter BLOCK_HEIGHT = 1,
    parameter BLOCK_WIDTH = 8,
    // Bits of an output code, at least 1.
    parameter OUT_WIDTH = 8,
    // The tables in hexadecimal words, for $readmemh: 256 words for each channel.
    parameter TABLE_FILE = "table.hex"
) (
    input wire clk,
    input wire rst,
    // Pixels row by row, each of N_CHANNELS unsigned bytes, channel 0 lowest.
    input wire in_valid,
    output wire in_ready,
    input wire [8*N_CHANNELS-1:0] in_data,
    // Codes of the patches: of a patch row by row, of a pixel channel by channel.
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
`ifndef __ICARUS__
    generate
        if (PATCH_SIZE < 1 || IMAGE_SIZE < 1 || IMAGE_SIZE % PATCH_SIZE != 0)
            $error("patch_reader: IMAGE_SIZE must be a multiple of PATCH_SIZE");
        if (N_CHANNELS < 1) $error("patch_reader: N_CHANNELS must be at least 1");
        if (BLOCK_HEIGHT < 1 || IMAGE_SIZE % (PATCH_SIZE * BLOCK_HEIGHT) != 0)
            $error("patch_reader: BLOCK_HEIGHT must divide IMAGE_SIZE / PATCH_SIZE");
        if (BLOCK_WIDTH < 1 || IMAGE_SIZE % (PATCH_SIZE * BLOCK_WIDTH) != 0)
            $error("patch_reader: BLOCK_WIDTH must divide IMAGE_SIZE / PATCH_SIZE");
        if (OUT_WIDTH < 1) $error("patch_reader: OUT_WIDTH must be at least 1");
    endgenerate
`endif

    // Lines and pixels of a row of blocks.
    localparam LINES = BLOCK_HEIGHT * PATCH_SIZE;
    localparam PIXELS = LINES * IMAGE_SIZE;
    localparam ADDRESS = PIXELS > 1 ? $clog2(PIXELS) : 1;
    localparam CHANNEL_WIDTH = N_CHANNELS > 1 ? $clog2(N_CHANNELS) : 1;

    // Halves that are full, 0 to 2, the one that is being read included.
    reg [1:0] full_q;
    assign in_ready = !full_q[1];
    wire take = in_valid && in_ready;
    wire move = !out_valid || out_ready;
    wire step = full_q != 0 && move;

    wire [ADDRESS-1:0] write_address;
    wire filled;
    reg write_half_q;
    loop_counter #(.COUNT(PIXELS), .WIDTH(ADDRESS)) pixels (
        .clk(clk), .rst(rst), .step(take), .inner(1'b1), .cut(1'b0), .count(write_address), .last(filled)
    );

    // The loops of the reader, the innermost one first; done[n] in the last round of loop n and of all loops within it.
    wire [5:0] done;
    wire [CHANNEL_WIDTH-1:0] channel;
    loop_counter #(.COUNT(N_CHANNELS), .WIDTH(CHANNEL_WIDTH)) channels (
        .clk(clk), .rst(rst), .step(step), .inner(1'b1), .cut(1'b0), .count(channel), .last(done[0])
    );
    /* verilator lint_off PINCONNECTEMPTY */
    loop_counter #(.COUNT(PATCH_SIZE), .NESTED(1)) columns (
        .clk(clk), .rst(rst), .step(step), .inner(done[0]), .cut(1'b0), .count(), .last(done[1])
    );
    loop_counter #(.COUNT(PATCH_SIZE), .NESTED(1)) rows (
        .clk(clk), .rst(rst), .step(step), .inner(done[1]), .cut(1'b0), .count(), .last(done[2])
    );
    loop_counter #(.COUNT(BLOCK_WIDTH), .NESTED(1)) across (
        .clk(clk), .rst(rst), .step(step), .inner(done[2]), .cut(1'b0), .count(), .last(done[3])
    );
    loop_counter #(.COUNT(BLOCK_HEIGHT), .NESTED(1)) down (
        .clk(clk), .rst(rst), .step(step), .inner(done[3]), .cut(1'b0), .count(), .last(done[4])
    );
    loop_counter #(.COUNT(IMAGE_SIZE / PATCH_SIZE / BLOCK_WIDTH), .NESTED(1)) blocks (
        .clk(clk), .rst(rst), .step(step), .inner(done[4]), .cut(1'b0), .count(), .last(done[5])
    );
    /* verilator lint_on PINCONNECTEMPTY */

    // The read address moves by a distance instead of being multiplied out: to the next pixel of the line, the next
    // line of the patch, and the first pixel of the next patch, of the block's next row of patches, and of the next
    // block.
    localparam NEXT_LINE = IMAGE_SIZE - PATCH_SIZE + 1;
    localparam NEXT_PATCH = 1 - (PATCH_SIZE - 1) * IMAGE_SIZE;
    localparam NEXT_ROW = IMAGE_SIZE - BLOCK_WIDTH * PATCH_SIZE + 1;
    localparam NEXT_BLOCK = 1 - (LINES - 1) * IMAGE_SIZE;
    localparam [ADDRESS-1:0] ONE = 1;
    wire [ADDRESS-1:0] distance =
        done[4] ? NEXT_BLOCK[ADDRESS-1:0] : done[3] ? NEXT_ROW[ADDRESS-1:0] :
        done[2] ? NEXT_PATCH[ADDRESS-1:0] : done[1] ? NEXT_LINE[ADDRESS-1:0] : ONE;
    reg [ADDRESS-1:0] read_address_q;
    reg read_half_q;

    always @(posedge clk) begin
        if (take && filled) write_half_q <= !write_half_q;
        if (step && done[0]) read_address_q <= done[5] ? {ADDRESS{1'b0}} : read_address_q + distance;
        if (step && done[5]) read_half_q <= !read_half_q;
        if ((take && filled) != (step && done[5])) full_q <= step && done[5] ? full_q - 1 : full_q + 1;
        if (rst) begin
            write_half_q <= 0;
            read_address_q <= 0;
            read_half_q <= 0;
            full_q <= 0;
        end
    end

    wire [8*N_CHANNELS-1:0] pixel_q;
    block_ram #(.WIDTH(8 * N_CHANNELS), .WORDS(2 << ADDRESS), .ADDRESS(ADDRESS + 1), .BLOCK(1)) lines (
        .clk(clk),
        .write(take), .write_address({write_half_q, write_address}), .write_data(in_data),
        .read(step), .read_address({read_half_q, read_address_q}), .read_data(pixel_q)
    );

    reg [OUT_WIDTH-1:0] table_words[0:N_CHANNELS*256-1];
    initial $readmemh(TABLE_FILE, table_words);
    // Stage 1, the output register of the block RAM: a pixel, with the channel of it that is wanted.
    reg [CHANNEL_WIDTH-1:0] channel_q;
    reg pixel_valid_q;
    wire [$clog2(N_CHANNELS)+7:0] entry;
    generate
        if (N_CHANNELS > 1) begin : several
            assign entry = {channel_q, pixel_q[8*channel_q+:8]};
        end else begin : single
            assign entry = pixel_q;
            wire unused = channel_q;
        end
    endgenerate
    // Stage 2, the output: the word of the table, which is read in the same way if it is a block RAM.
    always @(posedge clk) begin
        if (move) begin
            pixel_valid_q <= step;
            channel_q <= channel;
            out_valid <= pixel_valid_q;
            out_data <= table_words[entry];
        end
        if (rst) {pixel_valid_q, out_valid} <= 0;
    end
endmodule

`default_nettype wire

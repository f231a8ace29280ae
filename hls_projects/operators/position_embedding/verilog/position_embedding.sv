// Adds a stored word to every word, after N_STORED words that are stored only; one word a cycle. These
// leave when the first word that comes in is there.
//
// out = requantize((in << IN_SHIFT) + table, OUT_SHIFT), in = 0 for the stored ones

`default_nettype none

module position_embedding #(
    // Words of an image that come out, and those before the first one that comes in.
    parameter N_WORDS = 6144,
    parameter N_STORED = 0,
    parameter IN_WIDTH = 8,
    parameter IN_SIGNED = 1,
    parameter IN_SHIFT = 0,
    parameter TABLE_WIDTH = 8,
    parameter TABLE_SIGNED = 1,
    parameter SUM_WIDTH = 10,
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    parameter OUT_SHIFT = 0,
    parameter TABLE_FILE = "table.hex"
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [IN_WIDTH-1:0] in_data,
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
    localparam ADDRESS = $clog2(N_WORDS);
    reg [TABLE_WIDTH-1:0] table_words[0:N_WORDS-1];
    initial $readmemh(TABLE_FILE, table_words);

    // `position` is the table's word for the next word out, and is read while the one before goes.
    reg [TABLE_WIDTH-1:0] position;
    reg primed;
    wire stored;
    wire free = primed && (!out_valid || out_ready);
    wire move = free && in_valid;
    wire fetch = move || !primed;
    assign in_ready = free && !stored;

    wire [ADDRESS-1:0] address;
    wire last;
    counter #(.COUNT(N_WORDS), .WIDTH(ADDRESS)) words (
        .clk(clk), .rst(rst), .step(fetch), .value(address), .last(last)
    );
    always @(posedge clk) begin
        if (fetch) position <= table_words[address];
        primed <= !rst;
    end

    generate
        if (N_STORED != 0) begin : prefix
            localparam HIGHEST = N_STORED - 1;
            reg is_stored;
            always @(posedge clk) if (fetch) is_stored <= address <= HIGHEST[ADDRESS-1:0];
            assign stored = is_stored;
        end else begin : no_prefix
            assign stored = 1'b0;
        end
    endgenerate

    wire [IN_WIDTH-1:0] x = stored ? {IN_WIDTH{1'b0}} : in_data;
    wire in_sign = IN_SIGNED != 0 && x[IN_WIDTH-1];
    wire table_sign = TABLE_SIGNED != 0 && position[TABLE_WIDTH-1];
    wire [SUM_WIDTH-1:0] wide = {{(SUM_WIDTH - IN_WIDTH) {in_sign}}, x};
    wire [SUM_WIDTH-1:0] sum = (wide << IN_SHIFT) + {{(SUM_WIDTH - TABLE_WIDTH) {table_sign}}, position};
    wire [OUT_WIDTH-1:0] result;
    requantize #(
        .WIDTH(SUM_WIDTH), .SHIFT(OUT_SHIFT), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED)
    ) rounding (
        .value(sum), .result(result)
    );

    always @(posedge clk) begin
        if (move) begin
            out_valid <= 1;
            out_data <= result;
        end else if (out_ready) out_valid <= 0;
        if (rst) out_valid <= 0;
    end
    wire unused = last;
endmodule

`default_nettype wire

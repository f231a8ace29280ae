// Adds a stored word to every word of an image, after N_STORED words that come from the table alone (the class token).
//
// out = requantize((in << IN_SHIFT) + table, OUT_SHIFT), with in = 0 for the N_STORED first words
//
// Throughput: one word a cycle; latency: one cycle. The stored words of an image leave when its first word is offered,
// not before.

`default_nettype none

module position_embedding #(
    // Words of an image that go out, at least 2.
    parameter N_WORDS = 6144,
    // How many of them come from the table alone, 0 to N_WORDS - 1.
    parameter N_STORED = 0,
    // Input codes: bits, at least 1; 1 if they are signed, else 0; left shift to the common grid, at least 0.
    parameter IN_WIDTH = 8,
    parameter IN_SIGNED = 1,
    parameter IN_SHIFT = 0,
    // Words of the table, on the common grid: bits, at least 1; 1 if they are signed, else 0.
    parameter TABLE_WIDTH = 8,
    parameter TABLE_SIGNED = 1,
    // Bits of the signed sum, at least those of the shifted input and of the table; no sum may overflow.
    parameter SUM_WIDTH = 10,
    // Output codes: bits, at least 1, or 2 if they are signed; 1 if they are signed, else 0; right shift from the
    // common grid, at least 0.
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    parameter OUT_SHIFT = 0,
    // The table in N_WORDS hexadecimal words, for $readmemh.
    parameter TABLE_FILE = "table.hex"
) (
    input wire clk,
    input wire rst,
    // N_WORDS - N_STORED codes an image.
    input wire in_valid,
    output wire in_ready,
    input wire [IN_WIDTH-1:0] in_data,
    // N_WORDS codes an image.
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
`ifndef __ICARUS__
    generate
        if (N_WORDS < 2) $error("position_embedding: N_WORDS must be at least 2");
        if (N_STORED < 0 || N_STORED >= N_WORDS) $error("position_embedding: N_STORED must be 0 to N_WORDS - 1");
        if (IN_WIDTH < 1) $error("position_embedding: IN_WIDTH must be at least 1");
        if (IN_SIGNED != 0 && IN_SIGNED != 1) $error("position_embedding: IN_SIGNED must be 0 or 1");
        if (IN_SHIFT < 0) $error("position_embedding: IN_SHIFT must be at least 0");
        if (TABLE_WIDTH < 1) $error("position_embedding: TABLE_WIDTH must be at least 1");
        if (TABLE_SIGNED != 0 && TABLE_SIGNED != 1) $error("position_embedding: TABLE_SIGNED must be 0 or 1");
        if (SUM_WIDTH < IN_WIDTH + IN_SHIFT || SUM_WIDTH < TABLE_WIDTH)
            $error("position_embedding: SUM_WIDTH must hold the shifted input and a word of the table");
    endgenerate
`endif

    localparam ADDRESS = $clog2(N_WORDS);
    reg [TABLE_WIDTH-1:0] table_words[0:N_WORDS-1];
    initial $readmemh(TABLE_FILE, table_words);

    // Stage 1: the word of the table for the next word out, fetched while the one before goes out. Block RAM needs a
    // registered read. `primed_q` is low until the first word has been fetched after a reset.
    reg [TABLE_WIDTH-1:0] position_q;
    reg primed_q;
    wire stored;
    wire free = primed_q && (!out_valid || out_ready);
    wire move = free && in_valid;
    wire fetch = move || !primed_q;
    assign in_ready = free && !stored;

    wire [ADDRESS-1:0] address;
    wire last;
    loop_counter #(.COUNT(N_WORDS), .WIDTH(ADDRESS)) words (
        .clk(clk), .rst(rst), .step(fetch), .inner(1'b1), .cut(1'b0), .count(address), .last(last)
    );
    always @(posedge clk) begin
        if (fetch) position_q <= table_words[address];
        primed_q <= !rst;
    end

    generate
        if (N_STORED != 0) begin : prefix
            localparam HIGHEST = N_STORED - 1;
            // Stage 1, beside position_q: its word comes from the table alone.
            reg stored_q;
            always @(posedge clk) if (fetch) stored_q <= address <= HIGHEST[ADDRESS-1:0];
            assign stored = stored_q;
        end else begin : no_prefix
            assign stored = 1'b0;
        end
    endgenerate

    wire [IN_WIDTH-1:0] x = stored ? {IN_WIDTH{1'b0}} : in_data;
    wire in_sign = IN_SIGNED != 0 && x[IN_WIDTH-1];
    wire table_sign = TABLE_SIGNED != 0 && position_q[TABLE_WIDTH-1];
    wire [SUM_WIDTH-1:0] wide = {{(SUM_WIDTH - IN_WIDTH) {in_sign}}, x};
    wire [SUM_WIDTH-1:0] sum = (wide << IN_SHIFT) + {{(SUM_WIDTH - TABLE_WIDTH) {table_sign}}, position_q};
    wire [OUT_WIDTH-1:0] result;
    requantize #(
        .WIDTH(SUM_WIDTH), .SHIFT(OUT_SHIFT), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED)
    ) rounding (
        .value(sum), .result(result)
    );

    // Stage 2, the output: cuts the path through the adders of the sum and of the rounding.
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

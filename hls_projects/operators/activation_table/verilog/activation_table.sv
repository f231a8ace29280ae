// Any function of one code, from a table: out = table[in - lowest code].
//
// Throughput: one word a cycle; latency: one cycle.

`default_nettype none

module activation_table #(
    // Bits of an input code, at least 1; the table has 2^IN_WIDTH words.
    parameter IN_WIDTH = 8,
    // Bits of an output code, at least 1.
    parameter OUT_WIDTH = 8,
    // 1 for signed input codes, 0 for unsigned ones.
    parameter IN_SIGNED = 1,
    // The table in hexadecimal words, for $readmemh; its first word belongs to the lowest code.
    parameter TABLE_FILE = "table.hex"
) (
    input wire clk,
    input wire rst,
    // Input codes.
    input wire in_valid,
    output wire in_ready,
    input wire [IN_WIDTH-1:0] in_data,
    // Output codes.
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
`ifndef __ICARUS__
    generate
        if (IN_WIDTH < 1) $error("activation_table: IN_WIDTH must be at least 1");
        if (OUT_WIDTH < 1) $error("activation_table: OUT_WIDTH must be at least 1");
        if (IN_SIGNED != 0 && IN_SIGNED != 1) $error("activation_table: IN_SIGNED must be 0 or 1");
    endgenerate
`endif

    reg [OUT_WIDTH-1:0] table_words[0:(1<<IN_WIDTH)-1];
    initial $readmemh(TABLE_FILE, table_words);

    // In two's complement in - lowest code is `in` with its sign bit inverted.
    localparam [IN_WIDTH-1:0] LOWEST = IN_SIGNED << (IN_WIDTH - 1);
    assign in_ready = !out_valid || out_ready;

    // Output stage: the word of the table. A table in block RAM needs a registered read.
    always @(posedge clk) begin
        if (in_ready) begin
            out_valid <= in_valid;
            out_data <= table_words[in_data ^ LOWEST];
        end
        if (rst) out_valid <= 0;
    end
endmodule

`default_nettype wire

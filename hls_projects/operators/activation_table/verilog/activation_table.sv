// Any function of one code, from a table: out = table[in - lowest code], one word a cycle.

`default_nettype none

module activation_table #(
    parameter IN_WIDTH = 8,
    parameter OUT_WIDTH = 8,
    // 1 where the input is signed: the table starts at its lowest code.
    parameter IN_SIGNED = 1,
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
    reg [OUT_WIDTH-1:0] table_words[0:(1<<IN_WIDTH)-1];
    initial $readmemh(TABLE_FILE, table_words);

    localparam [IN_WIDTH-1:0] LOWEST = IN_SIGNED << (IN_WIDTH - 1);
    assign in_ready = !out_valid || out_ready;

    always @(posedge clk) begin
        if (in_ready) begin
            out_valid <= in_valid;
            out_data <= table_words[in_data ^ LOWEST];
        end
        if (rst) out_valid <= 0;
    end
endmodule

`default_nettype wire

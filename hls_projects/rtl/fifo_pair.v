// A FIFO of two words in two registers, one behind the other; a word comes out two clocks after it went in.
//
// in_ready follows out_ready in the same clock, so that a word a clock needs neither a third place nor a choice
// of what comes out.

module fifo_pair #(
    parameter WIDTH = 8
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    output reg out_valid,
    input wire out_ready,
    output reg [WIDTH-1:0] out_data
);
    reg waits;
    reg [WIDTH-1:0] waiting;
    wire move = !out_valid || out_ready;
    assign in_ready = !waits || move;

    always @(posedge clk) begin
        if (in_ready) waiting <= in_data;
        if (move) out_data <= waiting;
        if (rst) begin
            waits <= 0;
            out_valid <= 0;
        end else begin
            if (in_ready) waits <= in_valid;
            if (move) out_valid <= waits;
        end
    end
endmodule

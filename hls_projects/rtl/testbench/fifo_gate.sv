// A FIFO whose output is blocked until GATE words have gone in: a deadlock if the FIFO stores fewer.

`default_nettype none

module fifo_gate #(
    // As of fifo.
    parameter WIDTH = 8,
    parameter DEPTH = 32,
    // Words that go in before the first one may leave.
    parameter GATE = 0
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    output wire out_valid,
    input wire out_ready,
    output wire [WIDTH-1:0] out_data
);
    reg [31:0] count_q = 0;
    wire open = count_q + 1 > GATE;
    wire valid;
    assign out_valid = valid && open;
    fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) words (
        .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data),
        .out_valid(valid), .out_ready(out_ready && open), .out_data(out_data)
    );
    always @(posedge clk) if (in_valid && in_ready) count_q <= count_q + 1;
endmodule

`default_nettype wire

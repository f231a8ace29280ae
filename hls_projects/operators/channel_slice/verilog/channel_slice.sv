// The channels FIRST to FIRST + N_OUT - 1 of every token of N_IN, a word a cycle; the others are dropped.

`default_nettype none

module channel_slice #(
    parameter N_IN = 288,
    parameter N_OUT = 96,
    parameter FIRST = 96,
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
    localparam CHANNEL_WIDTH = N_IN > 1 ? $clog2(N_IN) : 1;

    wire [CHANNEL_WIDTH-1:0] channel;
    wire last;
    wire signed [CHANNEL_WIDTH:0] place = {1'b0, channel};
    wire keep = place >= FIRST && place < FIRST + N_OUT;
    wire free = !out_valid || out_ready;
    assign in_ready = free || !keep;
    counter #(.COUNT(N_IN), .WIDTH(CHANNEL_WIDTH)) channels (
        .clk(clk), .rst(rst), .step(in_valid && in_ready), .value(channel), .last(last)
    );
    wire unused = last;

    always @(posedge clk) begin
        if (free) begin
            out_valid <= in_valid && keep;
            out_data <= in_data;
        end
        if (rst) out_valid <= 0;
    end
endmodule

`default_nettype wire

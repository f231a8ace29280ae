// The channels FIRST to FIRST + N_OUT - 1 of every token of N_IN channels; it reads the others and drops them.
//
// Throughput: one word in a cycle; latency: one cycle.

`default_nettype none

module channel_slice #(
    // Channels of a token that comes in, at least 1.
    parameter N_IN = 288,
    // Channels of a token that goes out, 1 to N_IN - FIRST.
    parameter N_OUT = 96,
    // Index of the first channel that goes out, 0 to N_IN - 1.
    parameter FIRST = 96,
    // Bits of a code, at least 1.
    parameter WIDTH = 8
) (
    input wire clk,
    input wire rst,
    // Tokens of N_IN codes.
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    // Tokens of N_OUT codes.
    output reg out_valid,
    input wire out_ready,
    output reg [WIDTH-1:0] out_data
);
`ifndef __ICARUS__
    generate
        if (N_IN < 1) $error("channel_slice: N_IN must be at least 1");
        if (FIRST < 0) $error("channel_slice: FIRST must be at least 0");
        if (N_OUT < 1 || FIRST + N_OUT > N_IN) $error("channel_slice: N_OUT must be 1 to N_IN - FIRST");
        if (WIDTH < 1) $error("channel_slice: WIDTH must be at least 1");
    endgenerate
`endif

    localparam CHANNEL_WIDTH = N_IN > 1 ? $clog2(N_IN) : 1;

    wire [CHANNEL_WIDTH-1:0] channel;
    wire last;
    // With a sign bit, for FIRST may be 0 and FIRST + N_OUT may be 2^CHANNEL_WIDTH.
    wire signed [CHANNEL_WIDTH:0] index = {1'b0, channel};
    wire selected = index >= FIRST && index < FIRST + N_OUT;
    wire free = !out_valid || out_ready;
    // A channel that is dropped is read even if the output stage is occupied.
    assign in_ready = free || !selected;
    loop_counter #(.COUNT(N_IN), .WIDTH(CHANNEL_WIDTH)) channels (
        .clk(clk), .rst(rst), .step(in_valid && in_ready), .inner(1'b1), .cut(1'b0), .count(channel), .last(last)
    );
    wire unused = last;

    // Output stage: cuts the path from the input stream to the output stream.
    always @(posedge clk) begin
        if (free) begin
            out_valid <= in_valid && selected;
            out_data <= in_data;
        end
        if (rst) out_valid <= 0;
    end
endmodule

`default_nettype wire

// One stream to COPIES streams of the same words, which take a word each when they can.
//
// The next word comes in when every copy has gone, or goes in this clock: one a cycle, one cycle late.

`default_nettype none

module stream_fork #(
    parameter WIDTH = 8,
    parameter COPIES = 2
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    output reg [COPIES-1:0] out_valid,
    input wire [COPIES-1:0] out_ready,
    // The same for every copy.
    output reg [WIDTH-1:0] out_data
);
    assign in_ready = (out_valid & ~out_ready) == 0;
    wire take = in_valid && in_ready;

    always @(posedge clk) begin
        if (rst) out_valid <= 0;
        else if (take) out_valid <= {COPIES{1'b1}};
        else out_valid <= out_valid & ~out_ready;
        if (take) out_data <= in_data;
    end
endmodule

`default_nettype wire

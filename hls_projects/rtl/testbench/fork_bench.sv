// A fork whose copies go through FIFOs of 2, 4, 6... words and meet again, side by side.

`default_nettype none

module fork_bench #(
    parameter WIDTH = 8,
    parameter COPIES = 3
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    output wire out_valid,
    input wire out_ready,
    output wire [WIDTH*COPIES-1:0] out_data
);
    wire [COPIES-1:0] valid, ready, there;
    wire [WIDTH-1:0] data;
    stream_fork #(.WIDTH(WIDTH), .COPIES(COPIES)) copies (
        .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data),
        .out_valid(valid), .out_ready(ready), .out_data(data)
    );
    genvar i;
    generate
        for (i = 0; i < COPIES; i = i + 1) begin : each
            fifo #(.WIDTH(WIDTH), .DEPTH(2 * i + 2)) words (
                .clk(clk), .rst(rst), .in_valid(valid[i]), .in_ready(ready[i]), .in_data(data),
                .out_valid(there[i]), .out_ready(out_valid && out_ready), .out_data(out_data[WIDTH*i+:WIDTH])
            );
        end
    endgenerate
    assign out_valid = &there;
endmodule

`default_nettype wire

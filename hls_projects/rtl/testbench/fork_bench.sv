// A fork whose copies go through FIFOs of 2, 4, 6... words and are joined again, side by side in one word.

`default_nettype none

module fork_bench #(
    // As of stream_fork.
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
    wire [COPIES-1:0] copy_valid, copy_ready, offered;
    wire [WIDTH-1:0] data;
    stream_fork #(.WIDTH(WIDTH), .COPIES(COPIES)) copies (
        .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data),
        .out_valid(copy_valid), .out_ready(copy_ready), .out_data(data)
    );
    genvar i;
    generate
        for (i = 0; i < COPIES; i = i + 1) begin : each
            fifo #(.WIDTH(WIDTH), .DEPTH(2 * i + 2)) words (
                .clk(clk), .rst(rst), .in_valid(copy_valid[i]), .in_ready(copy_ready[i]), .in_data(data),
                .out_valid(offered[i]), .out_ready(out_valid && out_ready), .out_data(out_data[WIDTH*i+:WIDTH])
            );
        end
    endgenerate
    assign out_valid = &offered;
endmodule

`default_nettype wire

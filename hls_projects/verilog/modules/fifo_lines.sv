// The words of a short FIFO of at least two, in one shift register for each bit; out_data is the word of the last pop.

`default_nettype none

module fifo_lines #(
    parameter WIDTH = 8,
    parameter DEPTH = 32
) (
    input wire clk,
    input wire rst,
    input wire push,
    input wire pop,
    input wire [WIDTH-1:0] in_data,
    output wire empty,
    output wire not_full,
    output reg [WIDTH-1:0] out_data
);
    // Two places would be flip-flops, of which a board is as short as of LUTs.
    localparam ADDRESS = DEPTH > 2 ? $clog2(DEPTH) : 2;
    localparam HIGHEST = DEPTH - 1;
    // Place of the oldest word, -1 for none.
    reg [ADDRESS:0] oldest = {(ADDRESS + 1) {1'b1}};
    assign empty = oldest[ADDRESS];
    assign not_full = oldest != HIGHEST[ADDRESS:0];

    always @(posedge clk) begin
        if (rst) oldest <= {(ADDRESS + 1) {1'b1}};
        else if (push != pop) oldest <= oldest + (push ? {{ADDRESS{1'b0}}, 1'b1} : {(ADDRESS + 1) {1'b1}});
    end

    genvar i;
    generate
        for (i = 0; i < WIDTH; i = i + 1) begin : bits
            reg [(1<<ADDRESS)-1:0] line;
            always @(posedge clk) begin
                if (push) line <= {line[(1<<ADDRESS)-2:0], in_data[i]};
                if (pop) out_data[i] <= line[oldest[ADDRESS-1:0]];
            end
        end
    endgenerate
endmodule

`default_nettype wire

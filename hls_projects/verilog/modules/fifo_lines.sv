// The storage of a short FIFO: one addressable shift register (SRL) for each bit of a word.
//
// A push shifts every register, so that the newest word is at index 0; a pop reads the oldest word, whose index is
// counted, into the output register. Latency of a pop: one cycle.

`default_nettype none

module fifo_lines #(
    // Bits of a word, at least 1.
    parameter WIDTH = 8,
    // Number of words, 2 to 32, which is what a LUT of the 7 series stores.
    parameter DEPTH = 32
) (
    input wire clk,
    input wire rst,
    // Store `in_data`; only while `not_full`.
    input wire push,
    // Move the oldest word to `out_data`; only while not `empty`.
    input wire pop,
    input wire [WIDTH-1:0] in_data,
    output wire empty,
    output wire not_full,
    // The word of the last pop.
    output reg [WIDTH-1:0] out_data
);
`ifndef __ICARUS__
    generate
        if (WIDTH < 1) $error("fifo_lines: WIDTH must be at least 1");
        if (DEPTH < 2 || DEPTH > 32) $error("fifo_lines: DEPTH must be 2 to 32");
    endgenerate
`endif

    // Shift registers of two bits would be mapped to flip-flops, which a board lacks as soon as LUTs; those of four
    // bits are not.
    localparam ADDRESS = DEPTH > 2 ? $clog2(DEPTH) : 2;
    localparam HIGHEST = DEPTH - 1;
    // Index of the oldest word; -1 in an empty FIFO, whose sign bit is `empty`.
    reg [ADDRESS:0] oldest_q = {(ADDRESS + 1) {1'b1}};
    assign empty = oldest_q[ADDRESS];
    assign not_full = oldest_q != HIGHEST[ADDRESS:0];

    always @(posedge clk) begin
        if (rst) oldest_q <= {(ADDRESS + 1) {1'b1}};
        else if (push != pop) oldest_q <= oldest_q + (push ? {{ADDRESS{1'b0}}, 1'b1} : {(ADDRESS + 1) {1'b1}});
    end

    // Shift registers have no reset, or they would not fit in LUTs.
    genvar i;
    generate
        for (i = 0; i < WIDTH; i = i + 1) begin : bits
            reg [(1<<ADDRESS)-1:0] line_q;
            always @(posedge clk) begin
                if (push) line_q <= {line_q[(1<<ADDRESS)-2:0], in_data[i]};
                if (pop) out_data[i] <= line_q[oldest_q[ADDRESS-1:0]];
            end
        end
    endgenerate
endmodule

`default_nettype wire

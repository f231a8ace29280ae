// The storage of a long FIFO: a ring in distributed RAM or block RAM. Latency of a pop: one cycle.

`default_nettype none

module fifo_ring #(
    // Bits of a word, at least 1.
    parameter WIDTH = 8,
    // Number of words, at least 2.
    parameter DEPTH = 1024
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
    output wire [WIDTH-1:0] out_data
);
`ifndef __ICARUS__
    generate
        if (WIDTH < 1) $error("fifo_ring: WIDTH must be at least 1");
        if (DEPTH < 2) $error("fifo_ring: DEPTH must be at least 2");
    endgenerate
`endif

    // Above 256 words half a block RAM costs a board less than the hundred LUTs of distributed RAM.
    localparam BLOCK = DEPTH > 256 ? 1 : 0;
    localparam WORDS = DEPTH;
    localparam ADDRESS = $clog2(WORDS);
    localparam integer LAST = WORDS - 1;
    // The addresses, and for each a bit that flips whenever it wraps. With equal addresses the ring is empty if the
    // bits are equal, else full.
    reg [ADDRESS-1:0] write_address_q = 0;
    reg [ADDRESS-1:0] read_address_q = 0;
    reg write_round_q = 0;
    reg read_round_q = 0;
    wire met = write_address_q == read_address_q;
    assign empty = met && write_round_q == read_round_q;
    assign not_full = !(met && write_round_q != read_round_q);

    always @(posedge clk) begin
        if (rst) begin
            write_address_q <= 0;
            write_round_q <= 0;
        end else if (push) begin
            write_address_q <= write_address_q == LAST[ADDRESS-1:0] ? {ADDRESS{1'b0}} : write_address_q + 1'b1;
            write_round_q <= write_round_q ^ (write_address_q == LAST[ADDRESS-1:0]);
        end
        if (rst) begin
            read_address_q <= 0;
            read_round_q <= 0;
        end else if (pop) begin
            read_address_q <= read_address_q == LAST[ADDRESS-1:0] ? {ADDRESS{1'b0}} : read_address_q + 1'b1;
            read_round_q <= read_round_q ^ (read_address_q == LAST[ADDRESS-1:0]);
        end
    end

    // A word is never read in the cycle in which it is written: it is stored before `empty` falls.
    block_ram #(.WIDTH(WIDTH), .WORDS(WORDS), .ADDRESS(ADDRESS), .BLOCK(BLOCK)) ram (
        .clk(clk),
        .write(push), .write_address(write_address_q), .write_data(in_data),
        .read(pop), .read_address(read_address_q), .read_data(out_data)
    );
endmodule

`default_nettype wire

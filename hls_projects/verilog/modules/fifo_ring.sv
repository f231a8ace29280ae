// The words of a long FIFO, in a RAM; out_data is the word of the last pop.

`default_nettype none

module fifo_ring #(
    parameter WIDTH = 8,
    parameter DEPTH = 1024
) (
    input wire clk,
    input wire rst,
    input wire push,
    input wire pop,
    input wire [WIDTH-1:0] in_data,
    output wire empty,
    output wire not_full,
    output wire [WIDTH-1:0] out_data
);
    // Up to 256 words in distributed RAM; more take a hundred LUTs more than half a block RAM does.
    localparam BLOCK = DEPTH > 256 ? 1 : 0;
    localparam WORDS = DEPTH;
    localparam ADDRESS = $clog2(WORDS);
    localparam integer LAST = WORDS - 1;
    // The addresses, and a bit that changes with every round: it tells a full ring from an empty one.
    reg [ADDRESS-1:0] writing = 0;
    reg [ADDRESS-1:0] reading = 0;
    reg write_round = 0;
    reg read_round = 0;
    wire met = writing == reading;
    assign empty = met && write_round == read_round;
    assign not_full = !(met && write_round != read_round);

    always @(posedge clk) begin
        if (rst) begin
            writing <= 0;
            write_round <= 0;
        end else if (push) begin
            writing <= writing == LAST[ADDRESS-1:0] ? {ADDRESS{1'b0}} : writing + 1'b1;
            write_round <= write_round ^ (writing == LAST[ADDRESS-1:0]);
        end
        if (rst) begin
            reading <= 0;
            read_round <= 0;
        end else if (pop) begin
            reading <= reading == LAST[ADDRESS-1:0] ? {ADDRESS{1'b0}} : reading + 1'b1;
            read_round <= read_round ^ (reading == LAST[ADDRESS-1:0]);
        end
    end

    block_ram #(.WIDTH(WIDTH), .WORDS(WORDS), .ADDRESS(ADDRESS), .BLOCK(BLOCK)) ram (
        .clk(clk),
        .write(push), .write_address(writing), .write_data(in_data),
        .read(pop), .read_address(reading), .read_data(out_data)
    );
endmodule

`default_nettype wire

// The words of a long FIFO, in a RAM of a power of two words; out_data is the word of the last pop.

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
    localparam ADDRESS = $clog2(DEPTH);
    // One bit more than the address: it tells a full ring from an empty one.
    reg [ADDRESS:0] writing = 0;
    reg [ADDRESS:0] reading = 0;
    assign empty = writing == reading;
    assign not_full = writing != {~reading[ADDRESS], reading[ADDRESS-1:0]};

    always @(posedge clk) begin
        if (rst) writing <= 0;
        else if (push) writing <= writing + 1;
        if (rst) reading <= 0;
        else if (pop) reading <= reading + 1;
    end

    block_ram #(.WIDTH(WIDTH), .WORDS(1 << ADDRESS), .ADDRESS(ADDRESS), .BLOCK(DEPTH > 128 ? 1 : 0)) ram (
        .clk(clk),
        .write(push), .write_address(writing[ADDRESS-1:0]), .write_data(in_data),
        .read(pop), .read_address(reading[ADDRESS-1:0]), .read_data(out_data)
    );
endmodule

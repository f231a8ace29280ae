// A RAM whose words of ELEMENTS elements are written element by element and read whole.
//
// Latency of a read: one cycle; the word stays in `read_data` until the next read. The RAM has no bypass: a word
// must not be read in the cycle in which one of its elements is written.

`default_nettype none

module element_ram #(
    // Bits of an element, at least 1.
    parameter integer WIDTH = 8,
    // Elements of a word, at least 1.
    parameter integer ELEMENTS = 1,
    // Bits of an address, at least 1; the RAM has 2^ADDRESS words.
    parameter integer ADDRESS = 9,
    // 1 for block RAM, 0 for distributed RAM.
    parameter integer BLOCK = 1
) (
    input wire clk,
    // Write port: `write_data` goes to every element of the word `write_address` whose bit of `write` is high.
    input wire [ELEMENTS-1:0] write,
    input wire [ADDRESS-1:0] write_address,
    input wire [WIDTH-1:0] write_data,
    // Read port: the word of `read_address` is in `read_data` in the cycle after `read`, element 0 lowest.
    input wire read,
    input wire [ADDRESS-1:0] read_address,
    output wire [ELEMENTS*WIDTH-1:0] read_data
);
`ifndef __ICARUS__
    generate
        if (WIDTH < 1) $error("element_ram: WIDTH must be at least 1");
        if (ELEMENTS < 1) $error("element_ram: ELEMENTS must be at least 1");
        if (ADDRESS < 1) $error("element_ram: ADDRESS must be at least 1");
        if (BLOCK != 0 && BLOCK != 1) $error("element_ram: BLOCK must be 0 or 1");
    endgenerate
`endif

    generate
        if (BLOCK != 0) begin : block
            // One memory with a write enable for each element, as block RAM has for each byte. Without no_rw_check
            // Yosys adds a bypass for a word that is read while it is written.
            (* ram_style = "block", no_rw_check *)
            reg [ELEMENTS*WIDTH-1:0] words[0:(1<<ADDRESS)-1];
            reg [ELEMENTS*WIDTH-1:0] word_q;
            assign read_data = word_q;
            integer element;

            always @(posedge clk)
                for (element = 0; element < ELEMENTS; element = element + 1)
                    if (write[element]) words[write_address][element*WIDTH+:WIDTH] <= write_data;

            // The output register of the block RAM.
            always @(posedge clk) if (read) word_q <= words[read_address];
        end else begin : distributed
            // Distributed RAM has one write enable for a word, so every element has a RAM of its own.
            genvar n;
            for (n = 0; n < ELEMENTS; n = n + 1) begin : elements
                block_ram #(.WIDTH(WIDTH), .WORDS(1 << ADDRESS), .ADDRESS(ADDRESS), .BLOCK(0)) ram (
                    .clk(clk),
                    .write(write[n]), .write_address(write_address), .write_data(write_data),
                    .read(read), .read_address(read_address), .read_data(read_data[n*WIDTH+:WIDTH])
                );
            end
        end
    endgenerate
endmodule

`default_nettype wire

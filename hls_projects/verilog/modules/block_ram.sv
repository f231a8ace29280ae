// A RAM with one write port and one read port, in block RAM or in LUTs.
//
// Latency of a read: one cycle; the word stays in `read_data` until the next read. The RAM has no bypass: a word
// must not be read in the cycle in which it is written.

`default_nettype none

module block_ram #(
    // Bits of a word, at least 1.
    parameter WIDTH = 8,
    // Number of words, at least 2.
    parameter WORDS = 256,
    // Bits of an address, at least $clog2(WORDS).
    parameter ADDRESS = $clog2(WORDS),
    // 1 for block RAM, 0 for distributed RAM.
    parameter BLOCK = 0
) (
    input wire clk,
    // Write port: `write_data` goes to `write_address` at the end of a cycle with `write`.
    input wire write,
    input wire [ADDRESS-1:0] write_address,
    input wire [WIDTH-1:0] write_data,
    // Read port: the word of `read_address` is in `read_data` in the cycle after `read`.
    input wire read,
    input wire [ADDRESS-1:0] read_address,
    output reg [WIDTH-1:0] read_data
);
`ifndef __ICARUS__
    generate
        if (WIDTH < 1) $error("block_ram: WIDTH must be at least 1");
        if (WORDS < 2) $error("block_ram: WORDS must be at least 2");
        if (ADDRESS < $clog2(WORDS)) $error("block_ram: ADDRESS must be at least $clog2(WORDS)");
        if (BLOCK != 0 && BLOCK != 1) $error("block_ram: BLOCK must be 0 or 1");
    endgenerate
`endif

    // An attribute takes no parameter, so the memory is written twice. `read_data` is the RAM's output register: with
    // it the read is synchronous, as block RAM demands.
    generate
        if (BLOCK != 0) begin : block
            (* ram_style = "block" *) reg [WIDTH-1:0] words[0:WORDS-1];
            always @(posedge clk) begin
                if (write) words[write_address] <= write_data;
                if (read) read_data <= words[read_address];
            end
        end else begin : distributed
            (* ram_style = "distributed" *) reg [WIDTH-1:0] words[0:WORDS-1];
            always @(posedge clk) begin
                if (write) words[write_address] <= write_data;
                if (read) read_data <= words[read_address];
            end
        end
    endgenerate
endmodule

`default_nettype wire

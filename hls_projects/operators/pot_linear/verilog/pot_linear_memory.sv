// RAM with one port to write and one to read, in block RAM or in LUTs.
//
// A word has a part for each of TOKENS tokens; the parts are written on their own and read together.

`default_nettype none

module pot_linear_memory #(
    // Bits of a part.
    parameter integer WIDTH = 8,
    // Parts of a word.
    parameter integer TOKENS = 1,
    // Words of the RAM.
    parameter integer WORDS = 192,
    // Bits of an address, 2^ADDRESS_WIDTH >= WORDS.
    parameter integer ADDRESS_WIDTH = 8,
    // 1: block RAM, 0: LUTs.
    parameter integer BLOCK_RAM = 1
) (
    input wire clk,
    // Write: which parts, where, and the same data for each.
    input wire [TOKENS-1:0] write_enable,
    input wire [ADDRESS_WIDTH-1:0] write_address,
    input wire [WIDTH-1:0] write_data,
    // Read: the word comes a cycle after its address.
    input wire [ADDRESS_WIDTH-1:0] read_address,
    output reg [TOKENS*WIDTH-1:0] read_data
);
    generate
        if (WIDTH < 1 || TOKENS < 1) $error("pot_linear_memory: WIDTH and TOKENS must be at least 1");
        if (1 << ADDRESS_WIDTH < WORDS) $error("pot_linear_memory: ADDRESS_WIDTH is too small for WORDS");
        if (BLOCK_RAM != 0 && BLOCK_RAM != 1) $error("pot_linear_memory: BLOCK_RAM must be 0 or 1");
    endgenerate

    generate
        if (BLOCK_RAM != 0) begin : block_ram
            // One memory with write enables by part, which block RAM has.
            (* ram_style = "block" *) reg [TOKENS*WIDTH-1:0] words[0:WORDS-1];
            integer part;
            always @(posedge clk) begin
                for (part = 0; part < TOKENS; part = part + 1)
                    if (write_enable[part]) words[write_address][part*WIDTH +: WIDTH] <= write_data;
                read_data <= words[read_address];
            end
        end else begin : distributed_ram
            // A memory for each part, because LUT RAM has only one write enable.
            genvar i;
            for (i = 0; i < TOKENS; i = i + 1) begin : rams
                (* ram_style = "distributed" *) reg [WIDTH-1:0] words[0:WORDS-1];
                always @(posedge clk) begin
                    if (write_enable[i]) words[write_address] <= write_data;
                    read_data[i*WIDTH +: WIDTH] <= words[read_address];
                end
            end
        end
    endgenerate
endmodule

`default_nettype wire

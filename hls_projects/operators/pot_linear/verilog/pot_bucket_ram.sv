// Small RAM in LUTs with one address, read without a register and written at the end of the cycle.
//
// The module's borders are kept in synthesis. Otherwise Yosys takes the register of the address for one of the RAM,
// finds no such RAM, and needs half as many LUTs more.

(* keep_hierarchy = "yes" *)
`default_nettype none

module pot_bucket_ram #(
    // Bits of a word.
    parameter integer WIDTH = 14,
    // Bits of the address; the RAM has 2^ADDRESS_WIDTH words. Up to 5 a bit of all words is one LUT.
    parameter integer ADDRESS_WIDTH = 3
) (
    input wire clk,
    // The word to read and, with `write_enable`, to overwrite.
    input wire [ADDRESS_WIDTH-1:0] address,
    output wire [WIDTH-1:0] read_data,
    input wire write_enable,
    input wire [WIDTH-1:0] write_data
);
    generate
        if (WIDTH < 1 || ADDRESS_WIDTH < 1) $error("pot_bucket_ram: WIDTH and ADDRESS_WIDTH must be at least 1");
    endgenerate

    (* ram_style = "distributed" *) reg [WIDTH-1:0] words[0:(1<<ADDRESS_WIDTH)-1];
    assign read_data = words[address];
    always @(posedge clk) if (write_enable) words[address] <= write_data;
endmodule

`default_nettype wire

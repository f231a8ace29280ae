// A small RAM of look-up tables with one address, read in the clock and written at its end.
//
// A module of its own, so that synthesis does not take the address's register for one of the RAM's: it has no such
// RAM, and needs half as many look-up tables more.

(* keep_hierarchy = "yes" *)
`default_nettype none

module pot_bucket_ram #(
    parameter WIDTH = 14,
    parameter ADDRESS_WIDTH = 3
) (
    input wire clk,
    input wire write,
    input wire [ADDRESS_WIDTH-1:0] address,
    input wire [WIDTH-1:0] in,
    output wire [WIDTH-1:0] out
);
    (* ram_style = "distributed" *) reg [WIDTH-1:0] words[0:(1<<ADDRESS_WIDTH)-1];
    assign out = words[address];
    always @(posedge clk) if (write) words[address] <= in;
endmodule

`default_nettype wire

// Registered OR of up to six words: one look-up table a bit, a leg of a multiplexer whose other words are zero.

`default_nettype none

module or_registers #(
    parameter COUNT = 6,
    parameter WIDTH = 8
) (
    input wire clk,
    input wire [COUNT*WIDTH-1:0] words,
    output reg [WIDTH-1:0] word
);
    integer i;
    reg [WIDTH-1:0] any;
    always @* begin
        any = 0;
        for (i = 0; i < COUNT; i = i + 1) any = any | words[i*WIDTH +: WIDTH];
    end
    always @(posedge clk) word <= any;
endmodule

`default_nettype wire

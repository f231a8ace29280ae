// Counts steps from 0 to COUNT - 1 and begins again; `last` while it stands at COUNT - 1.

`default_nettype none

module counter #(
    parameter COUNT = 8,
    parameter WIDTH = COUNT > 1 ? $clog2(COUNT) : 1
) (
    input wire clk,
    input wire rst,
    input wire step,
    output reg [WIDTH-1:0] value,
    output wire last
);
    localparam HIGHEST = COUNT - 1;
    assign last = value == HIGHEST[WIDTH-1:0];
    always @(posedge clk) begin
        if (rst || step && last) value <= 0;
        else if (step) value <= value + 1;
    end
endmodule

`default_nettype wire

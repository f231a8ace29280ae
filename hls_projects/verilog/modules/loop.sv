// A loop around another one: it steps where the inner one is done, and is done itself with the last step.

`default_nettype none

module loop #(
    parameter COUNT = 8
) (
    input wire clk,
    input wire rst,
    input wire step,
    input wire inner,
    output wire done
);
    localparam WIDTH = COUNT > 1 ? $clog2(COUNT) : 1;
    localparam HIGHEST = COUNT - 1;
    reg [WIDTH-1:0] value;
    assign done = inner && value == HIGHEST[WIDTH-1:0];
    always @(posedge clk) begin
        if (rst || step && done) value <= 0;
        else if (step && inner) value <= value + 1;
    end
endmodule

`default_nettype wire

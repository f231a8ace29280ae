// Codes in the order in which they came, in shift registers, oldest first.
//
// `newest` is how many there are less one; its highest bit says that there is none.

`default_nettype none

module pot_linear_queue #(
    parameter WIDTH = 8,
    parameter PLACES = 16,
    parameter ADDRESS_WIDTH = $clog2(PLACES)
) (
    input wire clk,
    input wire rst,
    input wire push,
    input wire [WIDTH-1:0] code,
    input wire pop,
    output reg [ADDRESS_WIDTH:0] newest,
    output wire [WIDTH-1:0] oldest
);
    genvar i;
    generate
        for (i = 0; i < WIDTH; i = i + 1) begin : bits
            reg [PLACES-1:0] line;
            always @(posedge clk) if (push) line <= {line[PLACES-2:0], code[i]};
            assign oldest[i] = line[newest[ADDRESS_WIDTH-1:0]];
        end
    endgenerate
    always @(posedge clk) begin
        if (push && !pop) newest <= newest + 1'b1;
        if (!push && pop) newest <= newest - 1'b1;
        if (rst) newest <= {ADDRESS_WIDTH + 1{1'b1}};
    end
endmodule

`default_nettype wire

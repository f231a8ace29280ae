// Random stalls: never with seed 0, else in stretches of 16 cycles with none, few, many or nearly nothing else.

`default_nettype none

module bench_stall #(
    parameter SALT = 1
) (
    input wire clk,
    input wire rst,
    input wire [31:0] seed,
    output wire stall
);
    reg [31:0] state = 1;
    reg [3:0] cycles = 0;
    reg [3:0] density = 0;

    // Marsaglia's xorshift.
    function [31:0] following(input [31:0] x);
        begin
            following = x ^ (x << 13);
            following = following ^ (following >> 17);
            following = following ^ (following << 5);
        end
    endfunction

    assign stall = seed != 0 && state[31:28] < density;

    always @(posedge clk) begin
        cycles <= cycles + 1;
        state <= rst ? (seed ^ SALT * 32'h9e3779b9) | 1 : following(state);
        if (cycles == 0)
            case (state[25:24])
                0: density <= 0;
                1: density <= 3;
                2: density <= 9;
                default: density <= 15;
            endcase
    end
endmodule

`default_nettype wire

// Random stalls: none with seed 0, else stretches of 16 cycles with a random density of 0, 3, 9 or 15 in 16.

`default_nettype none

module bench_stall #(
    // Different for every stream of a bench, so that equal seeds give different stalls.
    parameter SALT = 1
) (
    input wire clk,
    input wire rst,
    input wire [31:0] seed,
    output wire stall
);
    reg [31:0] state_q = 1;
    reg [3:0] cycles_q = 0;
    // Stalls in 16 cycles, on average.
    reg [3:0] density_q = 0;

    // Marsaglia's xorshift generator.
    function [31:0] following(input [31:0] x);
        begin
            following = x ^ (x << 13);
            following = following ^ (following >> 17);
            following = following ^ (following << 5);
        end
    endfunction

    assign stall = seed != 0 && state_q[31:28] < density_q;

    always @(posedge clk) begin
        cycles_q <= cycles_q + 1;
        state_q <= rst ? (seed ^ SALT * 32'h9e3779b9) | 1 : following(state_q);
        if (cycles_q == 0)
            case (state_q[25:24])
                0: density_q <= 0;
                1: density_q <= 3;
                2: density_q <= 9;
                default: density_q <= 15;
            endcase
    end
endmodule

`default_nettype wire

// Feeds three multiply_accumulates with the lines of stimuli.hex, {first, add, a, d, b}, one a cycle, and prints their
// sums and ties after every cycle: a plain one, one that rounds, and one that rounds two sums and has the pre-adder.

`default_nettype none

module multiply_accumulate_tb #(
    // Lines of stimuli.hex.
    parameter integer CYCLES = 1
);
    reg [69:0] stimuli[0:CYCLES-1];
    reg clk = 0;
    integer n;
    reg first, add;
    reg [24:0] a, d;
    reg [17:0] b;
    wire [47:0] plain, rounded, pair;
    wire [2:0] tie;

    multiply_accumulate plain_mac (
        .clk(clk), .a(a), .d(d), .b(b), .first(first), .add(add), .sum(plain), .tie(tie[2])
    );
    multiply_accumulate #(.START(48'h80), .SHIFT(8)) rounded_mac (
        .clk(clk), .a(a), .d(d), .b(b), .first(first), .add(add), .sum(rounded), .tie(tie[1])
    );
    multiply_accumulate #(.START(48'h800080), .SHIFT(8), .PREADD(1)) pair_mac (
        .clk(clk), .a(a), .d(d), .b(b), .first(first), .add(add), .sum(pair), .tie(tie[0])
    );

    initial begin
        $readmemh("stimuli.hex", stimuli);
        for (n = 0; n < CYCLES; n = n + 1) begin
            {first, add, a, d, b} = stimuli[n];
            #1 clk = 1;
            #1 clk = 0;
            $display("%h %h %h %b", plain, rounded, pair, tie);
        end
        $finish;
    end
endmodule

`default_nettype wire

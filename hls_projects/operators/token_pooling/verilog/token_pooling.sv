// All tokens of an image to one: their average, or the first one (the class token).
//
// AVERAGE 1: out = requantize(sum of the tokens * MULTIPLIER, OUT_SHIFT); AVERAGE 0: the same of the first token alone
//
// Throughput: one word in a cycle; latency: two cycles. The results leave while the words of the last token come in, or
// with AVERAGE 0 those of the first one.

`default_nettype none

module token_pooling #(
    // Tokens of an image, at least 1.
    parameter N_TOKENS = 64,
    // Channels of a token, at least 1.
    parameter N_IN = 96,
    // 1 for the average, 0 for the first token.
    parameter AVERAGE = 1,
    // Positive factor, so that MULTIPLIER / 2^OUT_SHIFT is the change of grid over N_TOKENS.
    parameter MULTIPLIER = 1,
    // Input codes: bits, at least 1; 1 if they are signed, else 0.
    parameter IN_WIDTH = 8,
    parameter IN_SIGNED = 1,
    // Bits of the signed sum of N_TOKENS codes, at least IN_WIDTH.
    parameter SUM_WIDTH = 15,
    // Bits of the signed product of a sum and MULTIPLIER, at least SUM_WIDTH.
    parameter PRODUCT_WIDTH = 15,
    // Output codes: bits, at least 1, or 2 if they are signed; 1 if they are signed, else 0; right shift of the
    // product, at least 0.
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    parameter OUT_SHIFT = 5
) (
    input wire clk,
    input wire rst,
    // N_TOKENS tokens of N_IN codes an image.
    input wire in_valid,
    output wire in_ready,
    input wire [IN_WIDTH-1:0] in_data,
    // One token of N_IN codes an image.
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
`ifndef __ICARUS__
    generate
        if (N_TOKENS < 1) $error("token_pooling: N_TOKENS must be at least 1");
        if (N_IN < 1) $error("token_pooling: N_IN must be at least 1");
        if (AVERAGE != 0 && AVERAGE != 1) $error("token_pooling: AVERAGE must be 0 or 1");
        if (MULTIPLIER < 1) $error("token_pooling: MULTIPLIER must be at least 1");
        if (IN_WIDTH < 1) $error("token_pooling: IN_WIDTH must be at least 1");
        if (IN_SIGNED != 0 && IN_SIGNED != 1) $error("token_pooling: IN_SIGNED must be 0 or 1");
        if (SUM_WIDTH < IN_WIDTH) $error("token_pooling: SUM_WIDTH must be at least IN_WIDTH");
        if (PRODUCT_WIDTH < SUM_WIDTH) $error("token_pooling: PRODUCT_WIDTH must be at least SUM_WIDTH");
    endgenerate
`endif

    localparam CHANNEL_WIDTH = N_IN > 1 ? $clog2(N_IN) : 1;
    localparam TOKEN_WIDTH = N_TOKENS > 1 ? $clog2(N_TOKENS) : 1;

    // Stage 1: the total of a channel, before it is multiplied and rounded; cuts the path from the sums' RAM through
    // the adder and the multiplier to the output.
    reg signed [SUM_WIDTH-1:0] total_q;
    reg total_valid_q;
    wire move = !out_valid || out_ready;
    wire [CHANNEL_WIDTH-1:0] channel;
    wire [TOKEN_WIDTH-1:0] token;
    wire last_channel, last_token;
    // The word that comes in completes a total.
    wire completes = AVERAGE != 0 ? last_token : token == 0;
    assign in_ready = !completes || move || !total_valid_q;
    wire take = in_valid && in_ready;
    loop_counter #(.COUNT(N_IN), .WIDTH(CHANNEL_WIDTH)) channels (
        .clk(clk), .rst(rst), .step(take), .inner(1'b1), .cut(1'b0), .count(channel), .last(last_channel)
    );
    loop_counter #(.COUNT(N_TOKENS), .WIDTH(TOKEN_WIDTH)) tokens (
        .clk(clk), .rst(rst), .step(take && last_channel), .inner(1'b1), .cut(1'b0), .count(token), .last(last_token)
    );

    wire sign = IN_SIGNED != 0 && in_data[IN_WIDTH-1];
    wire [SUM_WIDTH-1:0] x = {{(SUM_WIDTH - IN_WIDTH) {sign}}, in_data};
    wire [SUM_WIDTH-1:0] sum;
    generate
        if (AVERAGE != 0) begin : average
            // A sum for each channel. The first token starts it, so that it needs no reset.
            (* ram_style = "distributed" *) reg [SUM_WIDTH-1:0] sums[0:N_IN-1];
            assign sum = x + (token == 0 ? {SUM_WIDTH{1'b0}} : sums[channel]);
            always @(posedge clk) if (take) sums[channel] <= sum;
        end else begin : first
            assign sum = x;
            wire unused = last_token || channel == 0;
        end
    endgenerate

    localparam signed [PRODUCT_WIDTH-1:0] FACTOR = MULTIPLIER;
    wire signed [PRODUCT_WIDTH-1:0] wide = {{(PRODUCT_WIDTH - SUM_WIDTH) {total_q[SUM_WIDTH-1]}}, total_q};
    wire [OUT_WIDTH-1:0] result;
    requantize #(
        .WIDTH(PRODUCT_WIDTH), .SHIFT(OUT_SHIFT), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED)
    ) rounding (
        .value(wide * FACTOR), .result(result)
    );

    // Stage 2, the output: the rounded total.
    always @(posedge clk) begin
        if (take && completes) total_q <= sum;
        if (rst) total_valid_q <= 0;
        else if (take && completes) total_valid_q <= 1;
        else if (move) total_valid_q <= 0;
        if (move) begin
            out_valid <= total_valid_q;
            out_data <= result;
        end
        if (rst) out_valid <= 0;
    end
endmodule

`default_nettype wire

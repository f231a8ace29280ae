// All tokens to one: their average, or the first one. A word in a cycle; the results leave while the
// words of the last token, or of the first, come in.
//
// average: out = requantize(sum of the tokens * MULTIPLIER, OUT_SHIFT); else of the first token alone

`default_nettype none

module token_pooling #(
    parameter N_TOKENS = 64,
    parameter N_IN = 96,
    parameter AVERAGE = 1,
    parameter MULTIPLIER = 1,
    parameter IN_WIDTH = 8,
    parameter IN_SIGNED = 1,
    parameter SUM_WIDTH = 15,
    parameter PRODUCT_WIDTH = 15,
    parameter OUT_WIDTH = 8,
    parameter OUT_SIGNED = 1,
    parameter OUT_SHIFT = 5
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [IN_WIDTH-1:0] in_data,
    output reg out_valid,
    input wire out_ready,
    output reg [OUT_WIDTH-1:0] out_data
);
    localparam CHANNEL_WIDTH = N_IN > 1 ? $clog2(N_IN) : 1;
    localparam TOKEN_WIDTH = N_TOKENS > 1 ? $clog2(N_TOKENS) : 1;

    // The total of a channel waits in `total` to be rounded into the output.
    reg signed [SUM_WIDTH-1:0] total;
    reg total_valid;
    wire move = !out_valid || out_ready;
    wire [CHANNEL_WIDTH-1:0] channel;
    wire [TOKEN_WIDTH-1:0] token;
    wire last_channel, last_token;
    wire gives = AVERAGE != 0 ? last_token : token == 0;
    assign in_ready = !gives || move || !total_valid;
    wire take = in_valid && in_ready;
    counter #(.COUNT(N_IN), .WIDTH(CHANNEL_WIDTH)) channels (
        .clk(clk), .rst(rst), .step(take), .value(channel), .last(last_channel)
    );
    counter #(.COUNT(N_TOKENS), .WIDTH(TOKEN_WIDTH)) tokens (
        .clk(clk), .rst(rst), .step(take && last_channel), .value(token), .last(last_token)
    );

    wire sign = IN_SIGNED != 0 && in_data[IN_WIDTH-1];
    wire [SUM_WIDTH-1:0] x = {{(SUM_WIDTH - IN_WIDTH) {sign}}, in_data};
    wire [SUM_WIDTH-1:0] sum;
    generate
        if (AVERAGE != 0) begin : average
            (* ram_style = "distributed" *) reg [SUM_WIDTH-1:0] sums[0:N_IN-1];
            assign sum = x + (token == 0 ? {SUM_WIDTH{1'b0}} : sums[channel]);
            always @(posedge clk) if (take) sums[channel] <= sum;
        end else begin : first
            assign sum = x;
            wire unused = last_token || channel == 0;
        end
    endgenerate

    localparam signed [PRODUCT_WIDTH-1:0] FACTOR = MULTIPLIER;
    wire signed [PRODUCT_WIDTH-1:0] wide = {{(PRODUCT_WIDTH - SUM_WIDTH) {total[SUM_WIDTH-1]}}, total};
    wire [OUT_WIDTH-1:0] result;
    requantize #(
        .WIDTH(PRODUCT_WIDTH), .SHIFT(OUT_SHIFT), .OUT_WIDTH(OUT_WIDTH), .OUT_SIGNED(OUT_SIGNED)
    ) rounding (
        .value(wide * FACTOR), .result(result)
    );

    always @(posedge clk) begin
        if (take && gives) total <= sum;
        if (rst) total_valid <= 0;
        else if (take && gives) total_valid <= 1;
        else if (move) total_valid <= 0;
        if (move) begin
            out_valid <= total_valid;
            out_data <= result;
        end
        if (rst) out_valid <= 0;
    end
endmodule

`default_nettype wire

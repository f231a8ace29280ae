// A processing element: sums of activations by the power of two of their weight, in a small RAM.
//
// step:  bucket[exponent] += sign * odd * x, one cycle; `first` starts a bucket anew, place 0 takes the zeros
// drain: sum = bucket[1] + (bucket[2] << 1) + ..., lowest first, one cycle a bucket: what is settled leaves the
//        adder's low end for `low`, so that it needs no more bits than a bucket
// Both are additions to the word read from the RAM, of x and of half the sum so far, of which one is zero: one
// look-up table a bit adds all three. An odd factor of up to 7 (FACTOR_BITS) costs one more addition, of 2x, 4x
// or -8x to x; the sign of the last is turned in the weight's code.
//
// word: first | sign | odd factor: 1, 3, 5, -7 | place, which is the power of two + 1
// `run`, `drain` and `last` come with the bucket's addition, with the word or (FACTOR_BITS) a cycle after it; x is zero
// while the buckets are drained.

`default_nettype none

module pot_element_bucket #(
    parameter X_WIDTH = 8,
    parameter SUM_WIDTH = 14,
    parameter POWERS = 7,
    parameter PLACE_WIDTH = 3,
    parameter FACTOR_BITS = 0,
    parameter BANK_WIDTH = 0,
    parameter WORD_WIDTH = 5
) (
    input wire clk,
    input wire run,
    input wire drain,
    input wire last,
    input wire [(BANK_WIDTH > 0 ? BANK_WIDTH : 1)-1:0] bank,
    input wire [WORD_WIDTH-1:0] word,
    input wire signed [X_WIDTH-1:0] x,
    output reg [SUM_WIDTH+POWERS-2:0] result
);
    localparam FACTOR_WIDTH = X_WIDTH + (FACTOR_BITS > 0 ? FACTOR_BITS + 1 : 0);

    wire first, sign;
    wire [PLACE_WIDTH-1:0] place;
    wire signed [FACTOR_WIDTH-1:0] addend;
    generate
        if (FACTOR_BITS > 0) begin : factors
            wire [FACTOR_BITS-1:0] factor = word[PLACE_WIDTH +: FACTOR_BITS];
            wire [1:0] select = {FACTOR_BITS > 1 ? factor[FACTOR_BITS-1] : 1'b0, factor[0]};
            wire signed [FACTOR_WIDTH-1:0] once = {{FACTOR_WIDTH - X_WIDTH{x[X_WIDTH-1]}}, x};
            wire [FACTOR_WIDTH-1:0] product;
            // i0 ^ (0, i1, i2 or ~i3), by i5 and i4.
            carry_lut #(.WIDTH(FACTOR_WIDTH), .RAW(1), .INIT(64'haa55_5a5a_6666_aaaa)) odd(
                .i0(once), .i1(once << 1), .i2(once << 2), .i3(once << 3),
                .i4({FACTOR_WIDTH{select[0]}}), .i5({FACTOR_WIDTH{select[1]}}), .carry_in(&select), .sum(product)
            );
            reg [FACTOR_WIDTH-1:0] product_later;
            reg first_later, sign_later;
            reg [PLACE_WIDTH-1:0] place_later;
            always @(posedge clk) begin
                product_later <= product;
                {first_later, sign_later} <= word[WORD_WIDTH-1 -: 2];
                place_later <= word[0 +: PLACE_WIDTH];
            end
            assign addend = product_later;
            assign first = first_later;
            assign sign = sign_later;
            assign place = place_later;
        end else begin : powers
            assign addend = x;
            assign {first, sign} = word[WORD_WIDTH-1 -: 2];
            assign place = word[0 +: PLACE_WIDTH];
        end
    endgenerate

    localparam ADDRESS_WIDTH = BANK_WIDTH + PLACE_WIDTH;
    wire [ADDRESS_WIDTH-1:0] address;
    generate
        if (BANK_WIDTH > 0) begin : banks
            assign address = {bank, place};
        end else begin : one_bank
            wire unused = &{1'b0, bank};
            assign address = place;
        end
    endgenerate

    reg [SUM_WIDTH-1:0] sum;
    wire [SUM_WIDTH-1:0] bucket, next;
    pot_bucket_ram #(.WIDTH(SUM_WIDTH), .ADDRESS_WIDTH(ADDRESS_WIDTH)) buckets(
        .clk(clk), .write(run), .address(address), .in(next), .out(bucket)
    );
    // (i0 & ~i1) + (i2 ^ i3 ^ i4)
    carry_lut #(.WIDTH(SUM_WIDTH), .INIT(64'hd22d_2dd2_2222_2222)) adder(
        .i0(bucket), .i1({SUM_WIDTH{first}}), .i2({{SUM_WIDTH - FACTOR_WIDTH{addend[FACTOR_WIDTH-1]}}, addend}),
        .i3({SUM_WIDTH{sign}}), .i4({sum[SUM_WIDTH-1], sum[SUM_WIDTH-1:1]}), .i5({SUM_WIDTH{1'b1}}),
        .carry_in(sign), .sum(next)
    );
    always @(posedge clk) begin
        if (last) sum <= 0;
        else if (drain) sum <= next;
    end

    generate
        if (POWERS > 2) begin : lows
            reg [POWERS-3:0] low;
            wire [POWERS-2:0] settled = {sum[0], low};
            always @(posedge clk) begin
                if (drain) low <= settled[POWERS-2:1];
                if (last) result <= {next, settled};
            end
        end else if (POWERS > 1) begin : one_low
            always @(posedge clk) if (last) result <= {next, sum[0]};
        end else begin : no_low
            always @(posedge clk) if (last) result <= next;
        end
    endgenerate
endmodule

`default_nettype wire

// Element without a shifter: sums of activations by the power of two of their weight, in a small RAM.
//
//   run    bucket[power + 1] += ± factor * x, one a cycle. `first` of a code starts its bucket again at zero, so that
//          none has to be cleared; bucket 0 takes the zeros.
//   drain  sum = bucket[1] + (bucket[2] << 1) + ..., the lowest power first, a bucket a cycle. The sum moves right
//          instead of the bucket left: what leaves it at the low end is settled and goes to `low`, so that the adder
//          needs no more bits than a bucket.
//
// Both add to the word that is read from the RAM, one x and the other half the sum so far; the other of the two is
// zero. So one adder of a LUT a bit does both.
//
// Code, from the high bit: first | sign | odd factor: 1, 3, 5, -7 | bucket.
//
//   product_q  the activation times the odd factor, with the code beside it; only with FACTOR_WIDTH > 0
//   buckets    the addition; also `sum` and `low` while buckets are drained
//   result     the last sum, until it has been read out

`default_nettype none

module pot_element_bucket #(
    // Bits of an activation, signed.
    parameter integer X_WIDTH = 8,
    // Bits of a bucket, more than those of an activation times its factor.
    parameter integer SUM_WIDTH = 14,
    // Powers of two, and so buckets that are drained, at least 1.
    parameter integer POWERS = 7,
    // Bits of a bucket's index, 2^BUCKET_WIDTH > POWERS.
    parameter integer BUCKET_WIDTH = 3,
    // Bits of the odd factor's field, 0 to 2.
    parameter integer FACTOR_WIDTH = 0,
    // Bits of the index of a set of buckets, of which a group of outputs has its own; 0 where there is one set.
    parameter integer BUCKET_SET_WIDTH = 0,
    // Bits of a code, 2 + FACTOR_WIDTH + BUCKET_WIDTH.
    parameter integer CODE_WIDTH = 5
) (
    input wire clk,
    // With the addition, that is with the code or (FACTOR_WIDTH > 0) a cycle after it: the bucket is written.
    input wire run,
    // As `run`: the bucket is drained; x is zero.
    input wire drain,
    // As `drain`, with the last bucket: the sum becomes the result and starts again at zero.
    input wire finish,
    input wire [(BUCKET_SET_WIDTH > 0 ? BUCKET_SET_WIDTH : 1)-1:0] bucket_set,
    input wire [CODE_WIDTH-1:0] code,
    input wire signed [X_WIDTH-1:0] x,
    output reg [SUM_WIDTH+POWERS-2:0] result
);
    localparam integer ADDEND_WIDTH = X_WIDTH + (FACTOR_WIDTH > 0 ? FACTOR_WIDTH + 1 : 0);
    localparam integer ADDRESS_WIDTH = BUCKET_SET_WIDTH + BUCKET_WIDTH;

    generate
        if (POWERS < 1 || 1 << BUCKET_WIDTH <= POWERS)
            $error("pot_element_bucket: BUCKET_WIDTH is too small for POWERS");
        if (FACTOR_WIDTH < 0 || FACTOR_WIDTH > 2) $error("pot_element_bucket: FACTOR_WIDTH must be 0 to 2");
        if (SUM_WIDTH <= ADDEND_WIDTH) $error("pot_element_bucket: SUM_WIDTH is too small for an activation");
        if (CODE_WIDTH != 2 + FACTOR_WIDTH + BUCKET_WIDTH)
            $error("pot_element_bucket: CODE_WIDTH is not that of a code");
    endgenerate

    // The odd factor, a stage of its own.
    wire first, sign;
    wire [BUCKET_WIDTH-1:0] bucket;
    wire signed [ADDEND_WIDTH-1:0] addend;
    generate
        if (FACTOR_WIDTH > 0) begin : factors
            wire [ADDEND_WIDTH-1:0] product;
            pot_odd_factor #(.X_WIDTH(X_WIDTH), .FACTOR_WIDTH(FACTOR_WIDTH)) odd_factor(
                .x(x), .factor(code[BUCKET_WIDTH +: FACTOR_WIDTH]), .product(product)
            );
            reg [ADDEND_WIDTH-1:0] product_q;
            reg first_q, sign_q;
            reg [BUCKET_WIDTH-1:0] bucket_q;
            always @(posedge clk) begin
                product_q <= product;
                {first_q, sign_q} <= code[CODE_WIDTH-1 -: 2];
                bucket_q <= code[0 +: BUCKET_WIDTH];
            end
            assign addend = product_q;
            assign first = first_q;
            assign sign = sign_q;
            assign bucket = bucket_q;
        end else begin : no_factors
            assign addend = x;
            assign {first, sign} = code[CODE_WIDTH-1 -: 2];
            assign bucket = code[0 +: BUCKET_WIDTH];
        end
    endgenerate

    wire [ADDRESS_WIDTH-1:0] address;
    generate
        if (BUCKET_SET_WIDTH > 0) begin : sets
            assign address = {bucket_set, bucket};
        end else begin : one_set
            wire unused = &{1'b0, bucket_set};
            assign address = bucket;
        end
    endgenerate

    // The addition to the bucket.
    reg [SUM_WIDTH-1:0] sum;
    wire [SUM_WIDTH-1:0] old_bucket, new_bucket;
    pot_bucket_ram #(.WIDTH(SUM_WIDTH), .ADDRESS_WIDTH(ADDRESS_WIDTH)) buckets(
        .clk(clk), .write_enable(run), .address(address), .write_data(new_bucket), .read_data(old_bucket)
    );
    // (i0 & ~i1) + (i2 ^ i3 ^ i4)
    carry_lut #(.WIDTH(SUM_WIDTH), .INIT(64'hd22d_2dd2_2222_2222)) adder(
        .i0(old_bucket), .i1({SUM_WIDTH{first}}),
        .i2({{SUM_WIDTH - ADDEND_WIDTH{addend[ADDEND_WIDTH-1]}}, addend}), .i3({SUM_WIDTH{sign}}),
        .i4({sum[SUM_WIDTH-1], sum[SUM_WIDTH-1:1]}), .i5({SUM_WIDTH{1'b1}}), .carry_in(sign), .sum(new_bucket)
    );
    always @(posedge clk) begin
        if (finish) sum <= 0;
        else if (drain) sum <= new_bucket;
    end

    // Settled low bits of the sum, one more with every bucket that is drained.
    generate
        if (POWERS > 2) begin : low_bits
            reg [POWERS-3:0] low;
            wire [POWERS-2:0] settled = {sum[0], low};
            always @(posedge clk) begin
                if (drain) low <= settled[POWERS-2:1];
                if (finish) result <= {new_bucket, settled};
            end
        end else if (POWERS > 1) begin : one_low_bit
            always @(posedge clk) if (finish) result <= {new_bucket, sum[0]};
        end else begin : no_low_bit
            always @(posedge clk) if (finish) result <= new_bucket;
        end
    endgenerate
endmodule

`default_nettype wire

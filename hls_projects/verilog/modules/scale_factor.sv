// The word of a table for the size of a sum, as 1 / sum or 1 / sqrt(sum), with the exponent applied as a left shift.
//
// The positive sum is m * 2^k rounded half to even, with m of eight bits (significand() of fixed_point.h). Then
// factor = table[m - 128] << (HIGHEST - k), or with ROOT table[(k odd) * 128 + m - 128] << (HIGHEST - k / 2), so that
// the user shifts right by a constant afterwards.
//
// Bit-serial, for a factor is needed once a row: one register shifts the sum left until its first one is the leading
// bit, by four or by one a cycle, then takes the word of the table, then shifts that left. The factor is ready
// CYCLES + 1 cycles after `load`, whatever the sum (scale_factor_cycles() of hls_projects/verilog/cycles.py). The
// factor of a sum of 0 is not defined.

`default_nettype none

module scale_factor #(
    // Bits of the sum, at least 1.
    parameter WIDTH = 14,
    // 1 for a table of 1 / sqrt in 256 words, 0 for one of 1 / x in 128 words.
    parameter ROOT = 0,
    // Largest k, or with ROOT largest k / 2 (rounded down), of any sum; negative for sums below 128.
    parameter HIGHEST = 6,
    // Left shifts of the word at most: HIGHEST minus the least k, or k / 2; at least 0.
    parameter SHIFTS = 6,
    // Bits of a word of the table, at least 1.
    parameter TABLE_WIDTH = 9,
    // The table in hexadecimal words, for $readmemh.
    parameter TABLE_FILE = "table.hex"
) (
    input wire clk,
    input wire rst,
    // Take `sum` and begin; only while `ready`.
    input wire load,
    input wire [WIDTH-1:0] sum,
    // `factor` is that of the last sum.
    output wire ready,
    output wire [TABLE_WIDTH+SHIFTS-1:0] factor
);
`ifndef __ICARUS__
    generate
        if (WIDTH < 1) $error("scale_factor: WIDTH must be at least 1");
        if (ROOT != 0 && ROOT != 1) $error("scale_factor: ROOT must be 0 or 1");
        if (SHIFTS < 0) $error("scale_factor: SHIFTS must be at least 0");
        if (TABLE_WIDTH < 1) $error("scale_factor: TABLE_WIDTH must be at least 1");
    endgenerate
`endif

    localparam LENGTH = WIDTH > 8 ? WIDTH : 8;
    localparam FACTOR_WIDTH = TABLE_WIDTH + SHIFTS;
    localparam REGISTER = LENGTH > FACTOR_WIDTH ? LENGTH : FACTOR_WIDTH;
    // Cycles of the first phase: at most LENGTH - 1 shifts, of which at most three are by one.
    localparam NORMALISE = (LENGTH - 4) / 4 + 3;
    localparam CYCLES = NORMALISE + 1 + SHIFTS;
    localparam EXPONENT = $clog2(LENGTH) + 1;
    localparam START = LENGTH - 8;

    // The sum, then the word of the table; one register for both, for they are never needed together.
    reg [REGISTER-1:0] value_q;
    // k of the sum if its leading bit were the register's; then how far the word has been shifted, up to HIGHEST.
    reg signed [EXPONENT-1:0] exponent_q;
    // A one that walks with `load` through all cycles: a fixed schedule, so that the latency is the same for every sum.
    reg [CYCLES-1:0] schedule_q;
    // In the first phase, and after the last one.
    reg normalise_q, done_q;
    assign ready = done_q;
    wire look_up = schedule_q[NORMALISE];
    assign factor = value_q[FACTOR_WIDTH-1:0];

    reg [TABLE_WIDTH-1:0] table_words[0:(ROOT!=0?256:128)-1];
    initial $readmemh(TABLE_FILE, table_words);

    // Seven bits after the leading one, rounded half to even; all ones become the next power of two, see mantissa[7].
    wire up;
    generate
        if (LENGTH == 8) begin : exact
            assign up = 1'b0;
        end else if (LENGTH == 9) begin : halves_only
            assign up = value_q[0] && value_q[1];
        end else begin : rounded
            assign up = value_q[LENGTH-9] && (value_q[LENGTH-8] || value_q[LENGTH-10:0] != 0);
        end
    endgenerate
    wire [7:0] mantissa = {1'b0, value_q[LENGTH-2-:7]} + {7'd0, up};
    wire [TABLE_WIDTH-1:0] word;
    wire low;
    generate
        if (ROOT != 0) begin : root
            assign word = table_words[{exponent_q[0] ^ mantissa[7], mantissa[6:0]}];
            assign low = exponent_q >>> 1 != HIGHEST[EXPONENT-1:0];
        end else begin : reciprocal
            assign word = table_words[mantissa[6:0]];
            assign low = exponent_q != HIGHEST[EXPONENT-1:0];
        end
    endgenerate

    wire by_four = normalise_q && value_q[LENGTH-1-:4] == 0;
    wire shift = normalise_q ? !value_q[LENGTH-1] : low && !done_q;
    // What value_q takes next, coded in two bits: so each of its bits is a function of six inputs, one LUT.
    wire [1:0] choice = load ? 2'd0 : look_up ? 2'd1 : by_four ? 2'd2 : 2'd3;
    // What is added to the exponent, in its two lowest bits; the upper bits are ones in the first phase, else zeros.
    // That is minus four or one for a shift of the sum, the carry of the rounding, and one, or two with ROOT, for a
    // shift of the word.
    wire [1:0] change = look_up ? {1'b0, mantissa[7]} : normalise_q ? {2{!by_four}} : ROOT != 0 ? 2'd2 : 2'd1;
    always @(posedge clk) begin
        if (load || look_up || shift) begin
            case (choice)
                2'd0: value_q <= {{(REGISTER - WIDTH) {1'b0}}, sum};
                2'd1: value_q <= {{(REGISTER - TABLE_WIDTH) {1'b0}}, word};
                2'd2: value_q <= value_q << 4;
                2'd3: value_q <= value_q << 1;
            endcase
        end

        if (load) exponent_q <= START[EXPONENT-1:0];
        else if (look_up || shift) exponent_q <= exponent_q + {{(EXPONENT - 2) {normalise_q}}, change};

        schedule_q <= rst ? {CYCLES{1'b0}} : {schedule_q[CYCLES-2:0], load};
        if (rst || schedule_q[NORMALISE-1]) normalise_q <= 0;
        else if (load) normalise_q <= 1;
        if (rst || schedule_q[CYCLES-1]) done_q <= 1;
        else if (load) done_q <= 0;
    end
endmodule

`default_nettype wire

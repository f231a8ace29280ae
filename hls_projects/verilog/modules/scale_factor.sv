// A word of a table for the size of a sum, shifted left so that a shift right by a constant follows it.
//
// The positive sum is m * 2^k rounded half to even, m of eight bits (significand() of fixed_point.h). Then
// factor = table[m - 128] << (HIGHEST - k), or with ROOT table[(k odd) * 128 + m - 128] << (HIGHEST - k / 2).
//
// One register does it all, a shift by four or one a cycle: first the sum moves left until its first bit
// is the leading one, then the word of the table moves left. It is ready CLOCKS + 1 cycles after `load`,
// whatever the sum. A sum of 0 gives some factor.

`default_nettype none

module scale_factor #(
    parameter WIDTH = 14,
    parameter ROOT = 0,
    // Largest k, or k / 2, and how far below it the least one lies.
    parameter HIGHEST = 6,
    parameter SHIFTS = 6,
    parameter TABLE_WIDTH = 9,
    parameter TABLE_FILE = "table.hex"
) (
    input wire clk,
    input wire rst,
    input wire load,
    input wire [WIDTH-1:0] sum,
    output wire ready,
    output wire [TABLE_WIDTH+SHIFTS-1:0] factor
);
    localparam LENGTH = WIDTH > 8 ? WIDTH : 8;
    localparam FACTOR_WIDTH = TABLE_WIDTH + SHIFTS;
    localparam REGISTER = LENGTH > FACTOR_WIDTH ? LENGTH : FACTOR_WIDTH;
    // Of LENGTH - 1 shifts or fewer at most three are single ones.
    localparam NORMALISE = (LENGTH - 4) / 4 + 3;
    localparam CLOCKS = NORMALISE + 1 + SHIFTS;
    localparam EXPONENT = $clog2(LENGTH) + 1;
    localparam START = LENGTH - 8;

    reg [REGISTER-1:0] value;
    reg signed [EXPONENT-1:0] exponent;
    // A cycle of the schedule after the other; the sum moves, then comes the word of the table.
    reg [CLOCKS-1:0] schedule;
    reg normalise, done;
    assign ready = done;
    wire look_up = schedule[NORMALISE];
    assign factor = value[FACTOR_WIDTH-1:0];

    reg [TABLE_WIDTH-1:0] table_words[0:(ROOT!=0?256:128)-1];
    initial $readmemh(TABLE_FILE, table_words);

    // Seven bits after the leading one, rounded; all ones become the next power of two.
    wire up;
    generate
        if (LENGTH == 8) begin : exact
            assign up = 1'b0;
        end else if (LENGTH == 9) begin : halves_only
            assign up = value[0] && value[1];
        end else begin : rounded
            assign up = value[LENGTH-9] && (value[LENGTH-8] || value[LENGTH-10:0] != 0);
        end
    endgenerate
    wire [7:0] mantissa = {1'b0, value[LENGTH-2-:7]} + {7'd0, up};
    wire [TABLE_WIDTH-1:0] word;
    wire low;
    generate
        if (ROOT != 0) begin : root
            assign word = table_words[{exponent[0] ^ mantissa[7], mantissa[6:0]}];
            assign low = exponent >>> 1 != HIGHEST[EXPONENT-1:0];
        end else begin : reciprocal
            assign word = table_words[mantissa[6:0]];
            assign low = exponent != HIGHEST[EXPONENT-1:0];
        end
    endgenerate

    wire by_four = normalise && value[LENGTH-1-:4] == 0;
    wire shift = normalise ? !value[LENGTH-1] : low && !done;
    // What the register takes next, in two bits: one function of six inputs a bit.
    wire [1:0] next = load ? 2'd0 : look_up ? 2'd1 : by_four ? 2'd2 : 2'd3;
    // What the exponent changes by: minus four or one; the carry of the rounding; one or two back.
    wire [1:0] change = look_up ? {1'b0, mantissa[7]} : normalise ? {2{!by_four}} : ROOT != 0 ? 2'd2 : 2'd1;
    always @(posedge clk) begin
        if (load || look_up || shift) begin
            case (next)
                2'd0: value <= {{(REGISTER - WIDTH) {1'b0}}, sum};
                2'd1: value <= {{(REGISTER - TABLE_WIDTH) {1'b0}}, word};
                2'd2: value <= value << 4;
                2'd3: value <= value << 1;
            endcase
        end

        if (load) exponent <= START[EXPONENT-1:0];
        else if (look_up || shift) exponent <= exponent + {{(EXPONENT - 2) {normalise}}, change};

        schedule <= rst ? {CLOCKS{1'b0}} : {schedule[CLOCKS-2:0], load};
        if (rst || schedule[NORMALISE-1]) normalise <= 0;
        else if (load) normalise <= 1;
        if (rst || schedule[CLOCKS-1]) done <= 1;
        else if (load) done <= 0;
    end
endmodule

`default_nettype wire

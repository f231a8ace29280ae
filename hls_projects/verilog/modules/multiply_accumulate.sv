// A multiply-accumulate in one DSP48E1 slice (UG479): sum = (first ? START : sum) + (add ? (a + d) * b : 0).
//
// Latency: `a`, `d` and `b` pass two input registers, the product's register and the accumulator, so that the sum has
// their product four cycles after them. `first` and `add` pass one register; they come two cycles after their data and
// two before the sum.
//
// `tie` says that the low SHIFT bits of the sum are 0. With START = 2^(SHIFT-1), half a unit of the result, dropping
// those bits rounds half up, and half to even differs in a tie only: the slice's convergent rounding by its pattern
// detector. Synthesis instantiates the slice, for inference reaches neither the detector nor START; simulation takes
// the model beside it (tests/hls_projects/verilog/test_multiply_accumulate.py compares them).

`default_nettype none

module multiply_accumulate #(
    // What an accumulation starts from.
    parameter [47:0] START = 48'd0,
    // Bits that `tie` looks at, 0 to 47; 0 for no `tie`.
    parameter integer SHIFT = 0,
    // 1 for the pre-adder, a + d; 0 where `d` is ignored.
    parameter integer PREADD = 0
) (
    input wire clk,
    // Signed factors.
    input wire [24:0] a,
    input wire [24:0] d,
    input wire [17:0] b,
    // Begin a new sum; add the product, else keep what is there. Two cycles after their data.
    input wire first,
    input wire add,
    // Signed sum, and whether its low SHIFT bits are 0.
    output wire [47:0] sum,
    output wire tie
);
`ifndef __ICARUS__
    generate
        if (SHIFT < 0 || SHIFT > 47) $error("multiply_accumulate: SHIFT must be 0 to 47");
        if (PREADD != 0 && PREADD != 1) $error("multiply_accumulate: PREADD must be 0 or 1");
    endgenerate
`endif

    localparam [47:0] LOW = (48'd1 << SHIFT) - 48'd1;
    wire detected;
    assign tie = SHIFT != 0 && detected;

`ifdef SYNTHESIS
    // Multiplexers of the slice: Z takes P or C, which is START; X and Y together the product or 0.
    wire [6:0] opmode = {2'b01, first, 1'b0, add, 1'b0, add};

    // Registers: two at a and b (with the pre-adder one of a's is behind it), one each at the product, the sum, OPMODE.
    DSP48E1 #(
        .AREG(PREADD != 0 ? 1 : 2),
        .ACASCREG(PREADD != 0 ? 1 : 2),
        .DREG(1),
        .ADREG(1),
        .BREG(2),
        .BCASCREG(2),
        .CREG(1),
        .MREG(1),
        .PREG(1),
        .OPMODEREG(1),
        .ALUMODEREG(0),
        .INMODEREG(0),
        .CARRYINREG(0),
        .CARRYINSELREG(0),
        .USE_DPORT(PREADD != 0 ? "TRUE" : "FALSE"),
        .USE_MULT("MULTIPLY"),
        .USE_SIMD("ONE48"),
        .USE_PATTERN_DETECT("PATDET"),
        .SEL_PATTERN("PATTERN"),
        .SEL_MASK("MASK"),
        .PATTERN(48'd0),
        .MASK(~LOW)
    ) dsp (
        .CLK(clk),
        .A({{5{a[24]}}, a}),
        .B(b),
        .C(START),
        .D(d),
        .OPMODE(opmode),
        .ALUMODE(4'b0000),
        .INMODE(PREADD != 0 ? 5'b00100 : 5'b00000),
        .CARRYIN(1'b0),
        .CARRYINSEL(3'b000),
        .P(sum),
        .PATTERNDETECT(detected),
        .CEA1(1'b1),
        .CEA2(1'b1),
        .CEAD(1'b1),
        .CEALUMODE(1'b1),
        .CEB1(1'b1),
        .CEB2(1'b1),
        .CEC(1'b1),
        .CECARRYIN(1'b1),
        .CECTRL(1'b1),
        .CED(1'b1),
        .CEINMODE(1'b1),
        .CEM(1'b1),
        .CEP(1'b1),
        .RSTA(1'b0),
        .RSTALLCARRYIN(1'b0),
        .RSTALUMODE(1'b0),
        .RSTB(1'b0),
        .RSTC(1'b0),
        .RSTCTRL(1'b0),
        .RSTD(1'b0),
        .RSTINMODE(1'b0),
        .RSTM(1'b0),
        .RSTP(1'b0),
        .ACIN(30'd0),
        .BCIN(18'd0),
        .PCIN(48'd0),
        .CARRYCASCIN(1'b0),
        .MULTSIGNIN(1'b0),
        .ACOUT(),
        .BCOUT(),
        .PCOUT(),
        .CARRYCASCOUT(),
        .CARRYOUT(),
        .MULTSIGNOUT(),
        .OVERFLOW(),
        .PATTERNBDETECT(),
        .UNDERFLOW()
    );
`else
    // Stages 1 and 2: the input registers of the slice.
    reg signed [24:0] a_q, a_q2;
    reg signed [17:0] b_q, b_q2;
    // Stage 3: the multiplier's register, and OPMODE's beside it.
    reg signed [42:0] product_q;
    reg first_q, add_q;
    // Stage 4: the accumulator.
    reg [47:0] sum_q;
    wire unused = &{1'b0, d};

    assign sum = sum_q;
    assign detected = (sum_q & LOW) == 48'd0;

    always @(posedge clk) begin
        a_q <= PREADD != 0 ? a + d : a;
        a_q2 <= a_q;
        b_q <= b;
        b_q2 <= b_q;
        product_q <= a_q2 * b_q2;
        first_q <= first;
        add_q <= add;
        sum_q <= (first_q ? START : sum_q) + (add_q ? {{5{product_q[42]}}, product_q} : 48'd0);
    end
`endif
endmodule

`default_nettype wire

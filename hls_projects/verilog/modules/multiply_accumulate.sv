// A multiply-accumulate in a DSP48E1: sum = (first ? START : sum) + (add ? (a + d) * b : 0).
//
// `first` and `add` come two cycles after their a, d and b; the sum two cycles after them. `tie` tells that
// the low SHIFT bits of the sum are 0: with START = 2^(SHIFT-1) dropping them rounds half up, and half to
// even differs from it there only (the convergent rounding of the pattern detector, UG479). `d` needs
// PREADD = 1. The slice is instantiated for synthesis, for what is inferred has neither the detector nor the start;
// simulators take the description beside it.

`default_nettype none

module multiply_accumulate #(
    parameter [47:0] START = 48'd0,
    parameter integer SHIFT = 0,
    parameter integer PREADD = 0
) (
    input wire clk,
    input wire [24:0] a,
    input wire [24:0] d,
    input wire [17:0] b,
    input wire first,
    input wire add,
    output wire [47:0] sum,
    output wire tie
);
    localparam [47:0] LOW = (48'd1 << SHIFT) - 48'd1;
    wire detected;
    assign tie = SHIFT != 0 && detected;

`ifdef SYNTHESIS
    // Z: P or C; X and Y: the product or 0.
    wire [6:0] opmode = {2'b01, first, 1'b0, add, 1'b0, add};

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
    reg signed [24:0] a1, a2;
    reg signed [17:0] b1, b2;
    reg signed [42:0] product;
    reg [47:0] accumulator;
    reg first_in, add_in;
    wire unused = &{1'b0, d};

    assign sum = accumulator;
    assign detected = (accumulator & LOW) == 48'd0;

    always @(posedge clk) begin
        a1 <= PREADD != 0 ? a + d : a;
        a2 <= a1;
        b1 <= b;
        b2 <= b1;
        product <= a2 * b2;
        first_in <= first;
        add_in <= add;
        accumulator <= (first_in ? START : accumulator) + (add_in ? {{5{product[42]}}, product} : 48'd0);
    end
`endif
endmodule

`default_nettype wire

// An adder of one look-up table (LUT) a bit: sum = addend + (addend ^ differ) + carry_in.
//
// Both addends are functions of the inputs i0 to i5 that the table computes bit by bit; synthesisers left to
// themselves map such an adder to two or three tables a bit. A bit of the carry chain of the 7 series (UG474) takes
// `differ`, whether the bits of the two addends differ, and one of the two bits. A table of five inputs has two
// outputs: INIT[63:32] gives `differ` for {i4, i3, i2, i1, i0}, INIT[31:0] the addend's bit. With RAW the table of six
// inputs gives `differ` for {i5, i4, i3, i2, i1, i0}, and the addend's bit is i0 itself.
//
// Combinational. Synthesis takes the cells of the 7 series, simulation the model beside them;
// tests/hls_projects/verilog/test_carry_lut.py proves them equal.

`default_nettype none

module carry_lut #(
    // Bits of the sum, at least 1.
    parameter WIDTH = 8,
    // 1 for one table of six inputs, 0 for two outputs of five inputs.
    parameter RAW = 0,
    // The contents of every bit's table.
    parameter [63:0] INIT = 64'd0
) (
    // Bit b of i0 to i5 are the inputs of the table of bit b; i5 counts with RAW only.
    input wire [WIDTH-1:0] i0,
    input wire [WIDTH-1:0] i1,
    input wire [WIDTH-1:0] i2,
    input wire [WIDTH-1:0] i3,
    input wire [WIDTH-1:0] i4,
    input wire [WIDTH-1:0] i5,
    // Added to the sum: 1 completes a negation in two's complement.
    input wire carry_in,
    output wire [WIDTH-1:0] sum
);
`ifndef __ICARUS__
    generate
        if (WIDTH < 1) $error("carry_lut: WIDTH must be at least 1");
        if (RAW != 0 && RAW != 1) $error("carry_lut: RAW must be 0 or 1");
    endgenerate
`endif

    localparam CHAINS = (WIDTH + 3) / 4;
    genvar i;
    wire [4*CHAINS-1:0] differ, addend;
`ifdef SYNTHESIS
    wire [4*CHAINS-1:0] full;
    wire [4*CHAINS:0] carry;
    assign carry[0] = 1'b0;
    generate
        for (i = 0; i < WIDTH; i = i + 1) begin : bits
            if (RAW != 0) begin : raw
                assign addend[i] = i0[i];
                LUT6 #(.INIT(INIT)) lut(
                    .I0(i0[i]), .I1(i1[i]), .I2(i2[i]), .I3(i3[i]), .I4(i4[i]), .I5(i5[i]), .O(differ[i])
                );
            end else begin : made
                // With I5 high O6 is the upper half of INIT and O5 the lower one.
                LUT6_2 #(.INIT(INIT)) lut(
                    .I0(i0[i]), .I1(i1[i]), .I2(i2[i]), .I3(i3[i]), .I4(i4[i]), .I5(1'b1),
                    .O6(differ[i]), .O5(addend[i])
                );
            end
        end
        // A chain has four bits; the last one may have fewer to add.
        if (4 * CHAINS > WIDTH) begin : rest
            assign differ[4*CHAINS-1:WIDTH] = 0;
            assign addend[4*CHAINS-1:WIDTH] = 0;
        end
        for (i = 0; i < CHAINS; i = i + 1) begin : chains
            CARRY4 chain(
                .CI(carry[4*i]), .CYINIT(i == 0 ? carry_in : 1'b0), .DI(addend[4*i +: 4]), .S(differ[4*i +: 4]),
                .O(full[4*i +: 4]), .CO(carry[4*i+1 +: 4])
            );
        end
    endgenerate
    assign sum = full[WIDTH-1:0];
`else
    generate
        for (i = 0; i < WIDTH; i = i + 1) begin : bits
            assign differ[i] = RAW != 0 ? INIT[{i5[i], i4[i], i3[i], i2[i], i1[i], i0[i]}]
                                        : INIT[{1'b1, i4[i], i3[i], i2[i], i1[i], i0[i]}];
            assign addend[i] = RAW != 0 ? i0[i] : INIT[{1'b0, i4[i], i3[i], i2[i], i1[i], i0[i]}];
        end
        if (4 * CHAINS > WIDTH) begin : rest
            assign differ[4*CHAINS-1:WIDTH] = 0;
            assign addend[4*CHAINS-1:WIDTH] = 0;
        end
    endgenerate
    wire [WIDTH-1:0] one = addend[WIDTH-1:0];
    assign sum = one + (one ^ differ[WIDTH-1:0]) + {{(WIDTH - 1) {1'b0}}, carry_in};
    wire unused = &{1'b0, i5, addend, differ};
`endif
endmodule

`default_nettype wire

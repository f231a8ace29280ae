// An adder of one look-up table a bit: sum = addend + carry_in, with both addends made in the table.
//
// A bit of the 7 series' carry chain takes P, whether the two addends' bits differ, and any of the two. A table of
// five inputs has two outputs: INIT[63:32] is P of {i4, i3, i2, i1, i0}, INIT[31:0] the addend's bit. With RAW the
// table is INIT of {i5, i4, i3, i2, i1, i0}, and the addend's bit is i0 itself.
// Synthesisers map such an adder to two or three tables a bit when they are left to it.

`default_nettype none

module carry_lut #(
    parameter WIDTH = 8,
    parameter RAW = 0,
    parameter [63:0] INIT = 64'd0
) (
    input wire [WIDTH-1:0] i0,
    input wire [WIDTH-1:0] i1,
    input wire [WIDTH-1:0] i2,
    input wire [WIDTH-1:0] i3,
    input wire [WIDTH-1:0] i4,
    input wire [WIDTH-1:0] i5,
    input wire carry_in,
    output wire [WIDTH-1:0] sum
);
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
                LUT6 #(.INIT(INIT)) table_(
                    .I0(i0[i]), .I1(i1[i]), .I2(i2[i]), .I3(i3[i]), .I4(i4[i]), .I5(i5[i]), .O(differ[i])
                );
            end else begin : made
                LUT6_2 #(.INIT(INIT)) table_(
                    .I0(i0[i]), .I1(i1[i]), .I2(i2[i]), .I3(i3[i]), .I4(i4[i]), .I5(1'b1),
                    .O6(differ[i]), .O5(addend[i])
                );
            end
        end
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

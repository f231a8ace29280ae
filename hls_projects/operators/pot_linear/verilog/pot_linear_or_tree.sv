// OR of COUNT words, of which all are zero except one: levels of registered ORs of FAN_IN words each.
//
// The word comes as many cycles later as FAN_IN must be multiplied with itself to reach COUNT; one word passes through.

`default_nettype none

module pot_linear_or_tree #(
    // Words, at least 1.
    parameter integer COUNT = 36,
    // Bits of a word.
    parameter integer WIDTH = 20,
    // Words of an OR, at least 2: inputs of a LUT.
    parameter integer FAN_IN = 6
) (
    input wire clk,
    input wire [COUNT*WIDTH-1:0] words,
    output wire [WIDTH-1:0] word
);
    localparam integer ORS = (COUNT + FAN_IN - 1) / FAN_IN;

    generate
        if (COUNT < 1) $error("pot_linear_or_tree: COUNT must be at least 1");
        if (FAN_IN < 2) $error("pot_linear_or_tree: FAN_IN must be at least 2");
    endgenerate

    genvar i;
    generate
        if (COUNT == 1) begin : one_word
            wire unused = &{1'b0, clk};
            assign word = words;
        end else begin : level
            wire [ORS*WIDTH-1:0] found;
            for (i = 0; i < ORS; i = i + 1) begin : ors
                localparam integer OF = COUNT - FAN_IN * i < FAN_IN ? COUNT - FAN_IN * i : FAN_IN;
                or_registers #(.COUNT(OF), .WIDTH(WIDTH)) registers(
                    .clk(clk), .words(words[FAN_IN*i*WIDTH +: OF*WIDTH]), .word(found[i*WIDTH +: WIDTH])
                );
            end
            pot_linear_or_tree #(.COUNT(ORS), .WIDTH(WIDTH), .FAN_IN(FAN_IN)) next_levels(
                .clk(clk), .words(found), .word(word)
            );
        end
    endgenerate
endmodule

`default_nettype wire

// Queue of codes in shift registers: a new code moves all others on, the oldest one is selected by its slot.

`default_nettype none

module pot_linear_queue #(
    // Bits of a code.
    parameter integer WIDTH = 8,
    // Codes that the queue holds, at least 2.
    parameter integer SLOTS = 16,
    // Bits of a slot's index; follows from SLOTS, not to be set.
    parameter integer SLOT_WIDTH = $clog2(SLOTS)
) (
    input wire clk,
    input wire rst,
    // Into the queue, which must have a free slot.
    input wire push,
    input wire [WIDTH-1:0] code,
    // Out of the queue, which must not be empty.
    input wire pop,
    output wire [WIDTH-1:0] oldest,
    // Number of codes minus one, which is the oldest one's slot; the highest bit says that there is none.
    output reg [SLOT_WIDTH:0] oldest_slot
);
    generate
        if (SLOTS < 2) $error("pot_linear_queue: SLOTS must be at least 2");
        if (SLOT_WIDTH != $clog2(SLOTS)) $error("pot_linear_queue: SLOT_WIDTH must be left to its default");
    endgenerate

    genvar i;
    generate
        for (i = 0; i < WIDTH; i = i + 1) begin : bits
            // A shift register without reset, as LUTs have it.
            reg [SLOTS-1:0] line;
            always @(posedge clk) if (push) line <= {line[SLOTS-2:0], code[i]};
            assign oldest[i] = line[oldest_slot[SLOT_WIDTH-1:0]];
        end
    endgenerate

    always @(posedge clk) begin
        if (push && !pop) oldest_slot <= oldest_slot + 1'b1;
        if (!push && pop) oldest_slot <= oldest_slot - 1'b1;
        if (rst) oldest_slot <= {SLOT_WIDTH + 1{1'b1}};
    end
endmodule

`default_nettype wire

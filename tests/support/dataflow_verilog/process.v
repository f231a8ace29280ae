// A sequential process that carries out `length` instructions of a program, `images` times.
//
// An instruction is {delay, ports}, 32 + 32 bits: wait `delay` cycles, then move a word at every one of the
// `ports` in the first cycle in which all of their FIFOs allow it. `rest` cycles pass after the last one of
// an image. The program is stored outside: `index` selects an instruction. Port p is bit p of the busses. A port that
// is read has its FIFO's state in `in_valid`, one that is written in `out_ready`; the other bit is 0. Both come from
// registers of the FIFO, or from its reader, so that ports may wait for each other without a combinational loop.
// Sizes are inputs and not parameters, so that all processes with equally many ports are one module.

module process #(
    parameter PORTS = 1
) (
    input wire clock,
    input wire [31:0] length,
    input wire [31:0] rest,
    input wire [31:0] images,
    output reg [31:0] index,
    /* verilator lint_off UNUSEDSIGNAL */
    input wire [63:0] instruction,
    /* verilator lint_on UNUSEDSIGNAL */
    input wire [PORTS-1:0] in_valid,
    output wire [PORTS-1:0] in_ready,
    output wire [PORTS-1:0] out_valid,
    input wire [PORTS-1:0] out_ready
);
    /* verilator no_inline_module */ // inlined a hundred times it takes a minute to compile
    reg [31:0] image = 0;
    reg [31:0] waited = 0;
    reg [31:0] extra = 0;
    initial index = 0;

    wire [PORTS-1:0] ports = instruction[PORTS-1:0];
    wire last = index == length - 1;

    wire ready = waited == instruction[63:32] + extra && image != images;
    wire done = ready && (ports & ~(in_valid | out_ready)) == 0;
    assign in_ready = done ? ports & in_valid : 0;
    assign out_valid = done ? ports & out_ready : 0;

    always @(posedge clock) begin
        if (done) begin
            waited <= 0;
            extra <= last ? rest : 0;
            index <= last ? 0 : index + 1;
            if (last) image <= image + 1;
        end else if (!ready) waited <= waited + 1;
    end
endmodule

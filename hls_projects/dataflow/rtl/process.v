// A sequential process that carries out `length` instructions of a program, `pictures` times.
//
// An instruction is {delay, port, is_write}, 32 + 8 + 1 bits: wait `delay` cycles, then read or write a
// word at `port` as soon as the FIFO there allows. `rest` cycles pass after the last one of a picture. The
// program lies outside: `place` asks for an instruction. Port p is bit p of the busses. Sizes are inputs,
// so that all processes with as many ports are one module.

module process #(
    parameter PORTS = 1
) (
    input wire clock,
    input wire [31:0] length,
    input wire [31:0] rest,
    input wire [31:0] pictures,
    output reg [31:0] place,
    input wire [40:0] instruction,
    input wire [PORTS-1:0] in_valid,
    output wire [PORTS-1:0] in_ready,
    output wire [PORTS-1:0] out_valid,
    input wire [PORTS-1:0] out_ready
);
    reg [31:0] picture = 0;
    reg [31:0] waited = 0;
    reg [31:0] extra = 0;
    initial place = 0;

    wire is_write = instruction[0];
    wire [7:0] port = instruction[8:1];
    wire last = place == length - 1;

    wire ready = waited == instruction[40:9] + extra && picture != pictures;
    assign in_ready = {{(PORTS - 1) {1'b0}}, ready && !is_write} << port;
    assign out_valid = {{(PORTS - 1) {1'b0}}, ready && is_write} << port;
    wire done = ready && (is_write ? out_ready[port] : in_valid[port]);

    always @(posedge clock) begin
        if (done) begin
            waited <= 0;
            extra <= last ? rest : 0;
            place <= last ? 0 : place + 1;
            if (last) picture <= picture + 1;
        end else if (!ready) waited <= waited + 1;
    end
endmodule

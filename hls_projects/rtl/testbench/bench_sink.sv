// Reads a stream, one word a cycle or with random stalls, and logs the cycle and the data of every word to <NAME>.log.
//
// It ends the simulation with a message if a word that is offered changes or disappears before it is taken, or if more
// words come than are expected.

`default_nettype none

module bench_sink #(
    // Name of the stream and of the log.
    parameter NAME = "out",
    // Bits of a word.
    parameter WIDTH = 8,
    // Different for every stream of a bench, so that their stalls differ.
    parameter SALT = 1
) (
    input wire clk,
    input wire rst,
    // Cycles since the simulation began.
    input wire [31:0] cycle,
    // Of the random stalls; 0 for none.
    input wire [31:0] seed,
    // Words that may come.
    input wire [31:0] expected,
    // The stream.
    input wire valid,
    output reg ready,
    input wire [WIDTH-1:0] data
);
    integer log;
    reg [31:0] count = 0;
    // The last cycle's word, if it was offered and not taken.
    reg waits_q = 0;
    reg [WIDTH-1:0] data_q = 0;
    wire stall;

    initial begin
        log = $fopen({NAME, ".log"}, "w");
        ready = 0;
    end

    bench_stall #(.SALT(SALT)) stalls (.clk(clk), .rst(rst), .seed(seed), .stall(stall));

    always @(posedge clk) begin
        ready <= !rst && !stall;
        waits_q <= !rst && valid && !ready;
        data_q <= data;
        if (!rst && valid && ready) begin
            count <= count + 1;
            $fdisplay(log, "%0d %h", cycle, data);
            if (count == expected) begin
                $display("more than %0d words of %s", expected, NAME);
                $finish;
            end
        end
        if (!rst && waits_q && (!valid || data != data_q)) begin
            $display("a waiting word of %s changes or goes away in cycle %0d", NAME, cycle);
            $finish;
        end
    end
endmodule

`default_nettype wire

// Takes a stream, one word a cycle or with random stalls, and logs every word and when it came.
//
// A word that waits may neither change nor go away, and no more than the expected number may come.

`default_nettype none

module bench_sink #(
    parameter NAME = "out",
    parameter WIDTH = 8,
    parameter SALT = 1
) (
    input wire clk,
    input wire rst,
    input wire [31:0] cycle,
    input wire [31:0] seed,
    input wire [31:0] expected,
    input wire valid,
    output reg ready,
    input wire [WIDTH-1:0] data
);
    integer log;
    reg [31:0] count = 0;
    reg waits = 0;
    reg [WIDTH-1:0] held = 0;
    wire stall;

    initial begin
        log = $fopen({NAME, ".log"}, "w");
        ready = 0;
    end

    bench_stall #(.SALT(SALT)) stalls (.clk(clk), .rst(rst), .seed(seed), .stall(stall));

    always @(posedge clk) begin
        ready <= !rst && !stall;
        waits <= !rst && valid && !ready;
        held <= data;
        if (!rst && valid && ready) begin
            count <= count + 1;
            $fdisplay(log, "%0d %h", cycle, data);
            if (count == expected) begin
                $display("more than %0d words of %s", expected, NAME);
                $finish;
            end
        end
        if (!rst && waits && (!valid || data != held)) begin
            $display("a waiting word of %s changes or goes away in clock %0d", NAME, cycle);
            $finish;
        end
    end
endmodule

`default_nettype wire

// Writes the words of the file <NAME>.hex to a stream, one a cycle or with random gaps, and logs the cycle in which
// each was taken to <NAME>.log.

/* verilator lint_off BLKSEQ */
`default_nettype none

module bench_source #(
    // Name of the stream, of the file and of the log.
    parameter NAME = "in",
    // Bits of a word.
    parameter WIDTH = 8,
    // Different for every stream of a bench, so that their gaps differ.
    parameter SALT = 1
) (
    input wire clk,
    input wire rst,
    // Cycles since the simulation began.
    input wire [31:0] cycle,
    // Of the random gaps; 0 for none.
    input wire [31:0] seed,
    // The stream.
    output reg valid,
    input wire ready,
    output reg [WIDTH-1:0] data
);
    integer words, log, got;
    reg [WIDTH-1:0] word;
    wire stall;

    initial begin
        words = $fopen({NAME, ".hex"}, "r");
        log = $fopen({NAME, ".log"}, "w");
        valid = 0;
    end

    bench_stall #(.SALT(SALT)) stalls (.clk(clk), .rst(rst), .seed(seed), .stall(stall));

    always @(posedge clk) begin
        if (valid && ready) $fdisplay(log, "%0d", cycle);
        if (rst) valid <= 0;
        else if (!valid || ready) begin
            got = 0;
            // For Verilator 5.006 $fscanf is no use of `words`: without the comparison it drops its value between cycles.
            // (A comment must not begin with its name: it takes that for an instruction.)
            if (!stall && words != 0) got = $fscanf(words, "%h", word);
            valid <= got == 1;
            data <= word;
        end
    end
endmodule

`default_nettype wire

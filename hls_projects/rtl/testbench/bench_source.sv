// Sends the words of the file <NAME>.hex, one a cycle or with random gaps, and logs when each was taken.

/* verilator lint_off BLKSEQ */
`default_nettype none

module bench_source #(
    parameter NAME = "in",
    parameter WIDTH = 8,
    parameter SALT = 1
) (
    input wire clk,
    input wire rst,
    input wire [31:0] cycle,
    input wire [31:0] seed,
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
            // To the eyes of Verilator 5.006 $fscanf does not use `words`, and without this use it forgets it between cycles.
            if (!stall && words != 0) got = $fscanf(words, "%h", word);
            valid <= got == 1;
            data <= word;
        end
    end
endmodule

`default_nettype wire

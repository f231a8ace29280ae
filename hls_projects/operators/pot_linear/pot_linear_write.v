// The results of a bank, one a clock: moves the selection of the elements along and queues the finished codes.
//
// With two RESULTS an element's result waits beside the one that is read out, until `move` brings it there.
// A code is in the queue at most eight clocks after its selection; a selection is made while the queue holds eight
// codes or fewer, so that sixteen places do. The last layer's codes leave together, in one word (WORDS).

module pot_linear_write #(
    parameter WIDTH = 8,
    parameter WORDS = 1,
    parameter RESULTS = 1
) (
    input wire clk,
    input wire rst,
    // The elements have results in the next clock; the selection is at the last of them.
    input wire taken,
    input wire at_last,
    output wire advance,
    output wire move,
    // The elements can have new results.
    output wire finished,
    // Into the queue.
    input wire valid,
    input wire [WIDTH-1:0] code,
    output wire out_valid,
    input wire out_ready,
    output wire [WORDS*WIDTH-1:0] out_data
);
    reg active;
    // Codes in the queue less one: -1 is none.
    reg [4:0] newest;
    assign advance = active && (newest[4] || !newest[3]);
    wire read_out = advance && at_last;
    wire start;
    generate
        if (RESULTS == 2) begin : two_results
            reg pending, moved;
            assign move = pending && (!active || read_out);
            assign start = moved;
            assign finished = move;
            always @(posedge clk) begin
                if (taken) pending <= 1;
                else if (move) pending <= 0;
                moved <= move;
                if (rst) pending <= 0;
            end
        end else begin : one_result
            assign move = 0;
            assign start = taken;
            assign finished = read_out;
        end
    endgenerate
    wire queued = !newest[4];
    wire pop;
    wire [WIDTH-1:0] oldest;
    genvar i;
    generate
        for (i = 0; i < WIDTH; i = i + 1) begin : queue
            reg [15:0] line;
            always @(posedge clk) if (valid) line <= {line[14:0], code[i]};
            assign oldest[i] = line[newest[3:0]];
        end
    endgenerate
    always @(posedge clk) begin
        if (start) active <= 1;
        else if (read_out) active <= 0;
        if (valid && !pop) newest <= newest + 1'b1;
        if (!valid && pop) newest <= newest - 1'b1;
        if (rst) begin
            active <= 0;
            newest <= 5'b11111;
        end
    end

    generate
        if (WORDS == 1) begin : narrow
            assign out_valid = queued;
            assign out_data = oldest;
            assign pop = queued && out_ready;
        end else begin : wide
            localparam COUNT_WIDTH = $clog2(WORDS + 1);
            reg [COUNT_WIDTH-1:0] count;
            reg [WORDS*WIDTH-1:0] word;
            assign out_valid = count == WORDS[COUNT_WIDTH-1:0];
            assign out_data = word;
            assign pop = queued && !out_valid;
            always @(posedge clk) begin
                if (pop) word <= {oldest, word[WORDS*WIDTH-1:WIDTH]};
                if (rst || (out_valid && out_ready)) count <= 0;
                else if (pop) count <= count + 1'b1;
            end
        end
    endgenerate
endmodule

// The results of a bank, one a clock: moves the selection of the elements along and queues the finished codes.
//
// The elements can have new results when the last one is selected. They are told so three selections before, which from
// then on do not stop, for that long it takes until new results come. With two RESULTS an element's result waits beside
// the one that is read out, until `move` brings it there.
// A code is in the queue at most seven clocks after its selection; a selection is made while the queue holds four
// codes or fewer, so that sixteen places do. The last layer's codes leave together, in one word (WORDS).

module pot_linear_write #(
    parameter WIDTH = 8,
    parameter PE = 12,
    parameter WORDS = 1,
    parameter RESULTS = 1
) (
    input wire clk,
    input wire rst,
    // The elements have results in the next clock.
    input wire taken,
    // Its only zero is at the selected element.
    input wire [PE-1:0] select,
    output wire advance,
    output wire move,
    output wire finished,
    // Into the queue.
    input wire valid,
    input wire [WIDTH-1:0] code,
    output wire out_valid,
    input wire out_ready,
    output wire [WORDS*WIDTH-1:0] out_data
);
    localparam EARLY = PE > 3 ? 3 : PE - 1;
    localparam MOVE_EARLY = PE > 1 ? 1 : 0;
    reg active, sure;
    // Codes in the queue less one: -1 is none.
    reg [4:0] newest;
    assign advance = active && (sure || newest[4] || newest[3:2] == 0);
    wire near = advance && !select[PE-1-EARLY];
    wire read_out = advance && !select[PE-1];
    wire start;
    generate
        if (RESULTS == 2) begin : two_results
            reg pending, moved, told;
            wire wants = pending || taken;
            // Results that have moved up begin to be read out.
            wire may = wants && !moved;
            assign move = may && (!active || read_out || (advance && !select[PE-1-MOVE_EARLY]));
            assign start = moved;
            assign finished = may && !told && (!active || near || sure);
            always @(posedge clk) begin
                pending <= wants && !move;
                told <= (told || finished) && !move;
                moved <= move;
                if (rst) begin
                    pending <= 0;
                    told <= 0;
                    moved <= 0;
                end
            end
        end else begin : one_result
            assign move = 0;
            assign start = taken;
            assign finished = near;
        end
    endgenerate
    wire unused = &{1'b0, select};
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
        sure <= (sure || near) && !read_out;
        if (valid && !pop) newest <= newest + 1'b1;
        if (!valid && pop) newest <= newest - 1'b1;
        if (rst) begin
            active <= 0;
            sure <= 0;
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

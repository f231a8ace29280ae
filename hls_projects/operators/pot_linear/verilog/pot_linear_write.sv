// The results of a bank, one a cycle: moves the selection of the elements along and queues the finished codes.
//
// The elements can have new results when the last one is selected. They are told so three selections before, which from
// then on do not stop, for that long it takes until new results come. With two RESULTS an element's result waits beside
// the one that is read out, until `move` brings it there.
// A code is in the queue at most seven cycles after its selection; a selection is made while the queue holds four
// codes or fewer, so that sixteen places do. The last layer's codes leave together, in one word (WORDS).
//
// With two TOKENS codes come in turns, the first token's and the second's, and leave a token at a time: the second's
// wait in a queue for a whole token. While they leave, the next pair's queue up. The first token's queue holds up to
// FIRST_PLACES - 8 codes when a selection is made; the second's has as many places more than a token,
// and so has room whenever the first's has.

`default_nettype none

module pot_linear_write #(
    parameter WIDTH = 8,
    parameter PE = 12,
    parameter WORDS = 1,
    parameter RESULTS = 1,
    parameter TOKENS = 1,
    // Codes of a token, places for those of the first of two.
    parameter CHANNELS = 96,
    parameter FIRST_PLACES = 32
) (
    input wire clk,
    input wire rst,
    // The elements have results in the next cycle.
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
    wire room;
    assign advance = active && (sure || room);
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
    always @(posedge clk) begin
        if (start) active <= 1;
        else if (read_out) active <= 0;
        sure <= (sure || near) && !read_out;
        if (rst) begin
            active <= 0;
            sure <= 0;
        end
    end

    wire queued, pop;
    wire [WIDTH-1:0] oldest;
    generate
        if (TOKENS == 1) begin : one_token
            wire [4:0] newest;
            pot_linear_queue #(.WIDTH(WIDTH), .PLACES(16)) queue(
                .clk(clk), .rst(rst), .push(valid), .code(code), .pop(pop), .newest(newest), .oldest(oldest)
            );
            assign room = newest[4] || newest[3:2] == 0;
            assign queued = !newest[4];
            wire unused_bits = &{1'b0, newest};
        end else begin : two_tokens
            localparam FIRST_WIDTH = $clog2(FIRST_PLACES), SECOND_WIDTH = $clog2(CHANNELS + FIRST_PLACES);
            localparam COUNT_WIDTH = CHANNELS > 1 ? $clog2(CHANNELS) : 1;
            localparam LAST = CHANNELS - 1;
            wire [FIRST_WIDTH:0] first_newest;
            wire [SECOND_WIDTH:0] second_newest;
            wire [WIDTH-1:0] first_oldest, second_oldest;
            // Whose code comes, whose leave, and how many of these have left.
            reg second_comes, second_leaves;
            reg [COUNT_WIDTH-1:0] left;
            pot_linear_queue #(.WIDTH(WIDTH), .PLACES(FIRST_PLACES)) first(
                .clk(clk), .rst(rst), .push(valid && !second_comes), .code(code), .pop(pop && !second_leaves),
                .newest(first_newest), .oldest(first_oldest)
            );
            pot_linear_queue #(.WIDTH(WIDTH), .PLACES(CHANNELS + FIRST_PLACES)) second(
                .clk(clk), .rst(rst), .push(valid && second_comes), .code(code), .pop(pop && second_leaves),
                .newest(second_newest), .oldest(second_oldest)
            );
            localparam FULL = FIRST_PLACES / 8 - 1;
            assign room = first_newest[FIRST_WIDTH] || first_newest[FIRST_WIDTH-1:3] < FULL[FIRST_WIDTH-4:0];
            assign queued = second_leaves ? !second_newest[SECOND_WIDTH] : !first_newest[FIRST_WIDTH];
            assign oldest = second_leaves ? second_oldest : first_oldest;
            wire unused_bits = &{1'b0, first_newest, second_newest};
            wire last_left = left == LAST[COUNT_WIDTH-1:0];
            always @(posedge clk) begin
                if (valid) second_comes <= !second_comes;
                if (pop) left <= last_left ? {COUNT_WIDTH{1'b0}} : left + 1'b1;
                if (pop && last_left) second_leaves <= !second_leaves;
                if (rst) begin
                    second_comes <= 0;
                    second_leaves <= 0;
                    left <= 0;
                end
            end
        end
    endgenerate

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

`default_nettype wire

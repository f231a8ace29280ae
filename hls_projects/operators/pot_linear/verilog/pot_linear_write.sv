// The results of a group, one a cycle: moves the selection of the elements on and queues the finished codes.
//
// Elements can take new results when the last one is selected. FINISH_EARLY selections before that they are told so,
// because it takes as long until new results come; from then on selections do not stop. With two RESULT_BUFFERS an
// element's result waits in a buffer beside the one that is read out, until `move_results` brings it there.
//
// A code is in the queue at most seven cycles after its selection. One token: a selection is made while the queue holds
// up to four codes, so that QUEUE_SLOTS slots are enough. The codes of the last layer leave together, in one word.
//
// With two TOKENS codes come in turns, the first token's and the second one's, and leave a token at a time. The second
// token's codes wait for a whole token in a queue; while they leave, the next pair's codes come into the queues. The
// first token's queue holds up to FIRST_SLOTS - RESERVED_SLOTS codes when a selection is made. The second one's has a
// whole token's slots more, and so has room whenever the first one's has.

`default_nettype none

module pot_linear_write #(
    // Bits of a code.
    parameter integer WIDTH = 8,
    // Elements of a group, of all tokens.
    parameter integer ELEMENTS = 12,
    // Codes of an output word: 1, or all CHANNELS.
    parameter integer WORDS = 1,
    // Results of an element, 1 or 2.
    parameter integer RESULT_BUFFERS = 1,
    // Selections that may be left when the next results are told that they may come, and when those that wait move up.
    parameter integer FINISH_EARLY = 3,
    parameter integer MOVE_EARLY = 1,
    // Tokens whose codes come in turns, 1 or 2.
    parameter integer TOKENS = 1,
    // Codes of a token.
    parameter integer CHANNELS = 96,
    // Slots of the queue of the first of two tokens, a multiple of RESERVED_SLOTS.
    parameter integer FIRST_SLOTS = 32,
    // Slots that must be free for a selection, a power of two of at least 8.
    parameter integer RESERVED_SLOTS = 8
) (
    input wire clk,
    input wire rst,
    // The elements have results in the next cycle.
    input wire results_done,
    // Selection of an element's result; its only zero is at the selected element.
    input wire [ELEMENTS-1:0] select,
    output wire advance,
    output wire move_results,
    // New results may come, see FINISH_EARLY.
    output wire results_free,
    // Codes, some cycles after their selection.
    input wire code_valid,
    input wire [WIDTH-1:0] code,
    // The output stream.
    output wire out_valid,
    input wire out_ready,
    output wire [WORDS*WIDTH-1:0] out_data
);
    localparam integer QUEUE_SLOTS = 16;

    generate
        if (WORDS != 1 && WORDS != CHANNELS) $error("pot_linear_write: WORDS must be 1 or CHANNELS");
        if (RESULT_BUFFERS != 1 && RESULT_BUFFERS != 2) $error("pot_linear_write: RESULT_BUFFERS must be 1 or 2");
        if (FINISH_EARLY < 0 || FINISH_EARLY >= ELEMENTS || MOVE_EARLY < 0 || MOVE_EARLY >= ELEMENTS)
            $error("pot_linear_write: FINISH_EARLY and MOVE_EARLY must be below ELEMENTS");
        if (TOKENS != 1 && TOKENS != 2) $error("pot_linear_write: TOKENS must be 1 or 2");
        if (RESERVED_SLOTS < 8 || 1 << $clog2(RESERVED_SLOTS) != RESERVED_SLOTS)
            $error("pot_linear_write: RESERVED_SLOTS must be a power of two of at least 8");
        if (FIRST_SLOTS <= RESERVED_SLOTS || FIRST_SLOTS % RESERVED_SLOTS != 0)
            $error("pot_linear_write: FIRST_SLOTS must be a multiple of RESERVED_SLOTS");
    endgenerate

    // Selection. `active`: results are being read out; `sure`: the remaining selections do not stop.
    reg active, sure;
    wire room;
    assign advance = active && (sure || room);
    wire near_end = advance && !select[ELEMENTS-1-FINISH_EARLY];
    wire read_out = advance && !select[ELEMENTS-1];
    wire start;
    generate
        if (RESULT_BUFFERS == 2) begin : two_buffers
            // `pending`: results wait in the elements; `moved`: they have moved up in the last cycle; `told`: the next
            // results have been told that they may come.
            reg pending, moved, told;
            wire waiting = pending || results_done;
            // Results that have moved up begin to be read out, so the next ones wait for a cycle.
            wire may_move = waiting && !moved;
            assign move_results =
                may_move && (!active || read_out || (advance && !select[ELEMENTS-1-MOVE_EARLY]));
            assign start = moved;
            assign results_free = may_move && !told && (!active || near_end || sure);
            always @(posedge clk) begin
                pending <= waiting && !move_results;
                told <= (told || results_free) && !move_results;
                moved <= move_results;
                if (rst) begin
                    pending <= 0;
                    told <= 0;
                    moved <= 0;
                end
            end
        end else begin : one_buffer
            assign move_results = 0;
            assign start = results_done;
            assign results_free = near_end;
        end
    endgenerate
    wire unused = &{1'b0, select};
    always @(posedge clk) begin
        if (start) active <= 1;
        else if (read_out) active <= 0;
        sure <= (sure || near_end) && !read_out;
        if (rst) begin
            active <= 0;
            sure <= 0;
        end
    end

    // Queues.
    wire queued, pop;
    wire [WIDTH-1:0] oldest;
    generate
        if (TOKENS == 1) begin : one_token
            wire [4:0] oldest_slot;
            pot_linear_queue #(.WIDTH(WIDTH), .SLOTS(QUEUE_SLOTS)) queue(
                .clk(clk), .rst(rst), .push(code_valid), .code(code), .pop(pop), .oldest_slot(oldest_slot),
                .oldest(oldest)
            );
            assign room = oldest_slot[4] || oldest_slot[3:2] == 0;
            assign queued = !oldest_slot[4];
            wire unused_bits = &{1'b0, oldest_slot};
        end else begin : two_tokens
            localparam integer SECOND_SLOTS = CHANNELS + FIRST_SLOTS;
            localparam integer FIRST_WIDTH = $clog2(FIRST_SLOTS), SECOND_WIDTH = $clog2(SECOND_SLOTS);
            localparam integer COUNT_WIDTH = CHANNELS > 1 ? $clog2(CHANNELS) : 1;
            localparam integer LAST = CHANNELS - 1;
            localparam integer LOW = $clog2(RESERVED_SLOTS);
            localparam integer FULL = FIRST_SLOTS / RESERVED_SLOTS - 1;
            wire [FIRST_WIDTH:0] first_slot;
            wire [SECOND_WIDTH:0] second_slot;
            wire [WIDTH-1:0] first_oldest, second_oldest;
            // Whose code comes next, whose codes leave, and how many of these have left.
            reg second_comes, second_leaves;
            reg [COUNT_WIDTH-1:0] left;
            pot_linear_queue #(.WIDTH(WIDTH), .SLOTS(FIRST_SLOTS)) first(
                .clk(clk), .rst(rst), .push(code_valid && !second_comes), .code(code), .pop(pop && !second_leaves),
                .oldest_slot(first_slot), .oldest(first_oldest)
            );
            pot_linear_queue #(.WIDTH(WIDTH), .SLOTS(SECOND_SLOTS)) second(
                .clk(clk), .rst(rst), .push(code_valid && second_comes), .code(code), .pop(pop && second_leaves),
                .oldest_slot(second_slot), .oldest(second_oldest)
            );
            assign room = first_slot[FIRST_WIDTH] || first_slot[FIRST_WIDTH-1:LOW] < FULL[FIRST_WIDTH-1-LOW:0];
            assign queued = second_leaves ? !second_slot[SECOND_WIDTH] : !first_slot[FIRST_WIDTH];
            assign oldest = second_leaves ? second_oldest : first_oldest;
            wire unused_bits = &{1'b0, first_slot, second_slot};
            wire last_left = left == LAST[COUNT_WIDTH-1:0];
            always @(posedge clk) begin
                if (code_valid) second_comes <= !second_comes;
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

    // The output: codes as they are, or a word of all.
    generate
        if (WORDS == 1) begin : narrow
            assign out_valid = queued;
            assign out_data = oldest;
            assign pop = queued && out_ready;
        end else begin : wide
            localparam integer COUNT_WIDTH = $clog2(WORDS + 1);
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

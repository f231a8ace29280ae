// Up to a dozen elements with their own copies of the activation and of the control, and the read-out of their results.
//
// The copies keep the fan-out of every register low. Synthesis would share them again, so the module's borders are
// kept.
//
// Results are read out one at a time: `select` has its only zero at the one that is read; the others are replaced by
// zeros, and all are combined by registered ORs of FAN_IN words. With two TOKENS elements stand in pairs that share a
// code, one for each token's activation.
//
//   code, x_q    the code and the activation of every element
//   (elements)   see pot_element_bucket, pot_element_shift and pot_element_dsp
//   waiting      a result beside the one that is read out, only with RESULT_BUFFERS = 2
//   gate         the result that is read out, zeros in the others
//   results      the OR of FAN_IN gates

(* keep_hierarchy = "yes" *)
`default_nettype none

module pot_linear_leaf #(
    // Elements, a multiple of TOKENS.
    parameter integer ELEMENTS = 12,
    // Tokens that are worked on together, 1 or 2.
    parameter integer TOKENS = 1,
    // Kind of an element, 0: shift, 1: bucket, 2: dsp.
    parameter integer ELEMENT = 1,
    // 1: every code has the offset of its input in the block. Only with buckets.
    parameter integer SPARSE = 0,
    // Widths, see pot_linear.
    parameter integer X_WIDTH = 8,
    parameter integer SUM_WIDTH = 14,
    parameter integer RESULT_WIDTH = 20,
    parameter integer POWERS = 7,
    parameter integer POWER_WIDTH = 3,
    parameter integer FACTOR_WIDTH = 0,
    parameter integer BUCKET_SET_WIDTH = 0,
    parameter integer OFFSET_WIDTH = 4,
    parameter integer WORD_WIDTH = 5,
    // 2: a result waits beside the one that is read out; 1: the elements hold it.
    parameter integer RESULT_BUFFERS = 1,
    // Words that a registered OR combines.
    parameter integer FAN_IN = 6,
    // 1 where the first element is the first of all leaves.
    parameter integer FIRST = 1,
    // Widths of ports; follow from others, not to be set.
    parameter integer CODES = ELEMENTS / TOKENS,
    parameter integer ORS = (ELEMENTS + FAN_IN - 1) / FAN_IN,
    parameter integer SET_WIDTH = BUCKET_SET_WIDTH > 0 ? BUCKET_SET_WIDTH : 1
) (
    input wire clk,
    input wire rst,
    // Control of the elements, a cycle before their last stage.
    input wire run,
    input wire drain,
    input wire finish,
    input wire [SET_WIDTH-1:0] bucket_set,
    // With the words: no activation, because buckets are drained; which bucket; of which codes it has no sum.
    input wire no_x,
    input wire [POWER_WIDTH-1:0] bucket,
    input wire [CODES-1:0] untouched,
    input wire [CODES*WORD_WIDTH-1:0] words,
    // Dense: the activation of each token, with the words.
    input wire [TOKENS*X_WIDTH-1:0] x,
    // Sparse: which of two blocks is read, a cycle before the words, and what is written into the RAM of blocks.
    input wire second_buffer,
    input wire write_enable,
    input wire [OFFSET_WIDTH:0] write_address,
    input wire [TOKENS*X_WIDTH-1:0] write_data,
    // Read-out: `move_results` fills the second buffer, a cycle later; `advance` moves the selection on.
    input wire move_results,
    input wire advance,
    input wire select_in,
    output reg [ELEMENTS-1:0] select,
    output wire [ORS*RESULT_WIDTH-1:0] results
);
    localparam integer CODE_WIDTH = WORD_WIDTH - (SPARSE != 0 ? OFFSET_WIDTH : 0);
    localparam integer READERS = 3;
    genvar i, j, k;

    generate
        if (TOKENS < 1 || ELEMENTS != CODES * TOKENS) $error("pot_linear_leaf: ELEMENTS must be a multiple of TOKENS");
        if (ELEMENT < 0 || ELEMENT > 2) $error("pot_linear_leaf: ELEMENT must be 0, 1 or 2");
        if (SPARSE != 0 && ELEMENT != 1) $error("pot_linear_leaf: SPARSE needs ELEMENT 1");
        if (RESULT_BUFFERS != 1 && RESULT_BUFFERS != 2) $error("pot_linear_leaf: RESULT_BUFFERS must be 1 or 2");
        if (RESULT_WIDTH != (ELEMENT == 1 ? SUM_WIDTH + POWERS - 1 : SUM_WIDTH))
            $error("pot_linear_leaf: RESULT_WIDTH is not that of the element");
    endgenerate

    // The control's copies.
    reg run_q, drain_q, finish_q;
    reg [SET_WIDTH-1:0] bucket_set_q;
    always @(posedge clk) begin
        run_q <= run;
        drain_q <= drain;
        finish_q <= finish;
        bucket_set_q <= bucket_set;
    end

    // Codes. A drained bucket's index is set in their registers, where the memory gives a word of zeros; an untouched
    // bucket starts again at zero, like the first weight of its power.
    wire [CODE_WIDTH-1:0] codes[0:CODES-1];
    wire [X_WIDTH-1:0] xs[0:ELEMENTS-1];
    generate
        for (i = 0; i < CODES; i = i + 1) begin : code_registers
            reg [CODE_WIDTH-1:0] code;
            for (j = 0; j < CODE_WIDTH; j = j + 1) begin : bits
                if (ELEMENT == 1 && j < POWER_WIDTH) begin : bucket_bit
                    always @(posedge clk) if (bucket[j]) code[j] <= 1; else code[j] <= words[i*WORD_WIDTH + j];
                end else if (ELEMENT == 1 && j == CODE_WIDTH - 1) begin : first_bit
                    always @(posedge clk) if (untouched[i]) code[j] <= 1; else code[j] <= words[i*WORD_WIDTH + j];
                end else begin : other_bit
                    always @(posedge clk) code[j] <= words[i*WORD_WIDTH + j];
                end
            end
            assign codes[i] = code;
        end
        if (ELEMENT != 1) begin : no_buckets
            wire unused = &{1'b0, bucket, untouched, no_x};
        end
    endgenerate

    // Activations: one for all elements, or a RAM of two blocks for every READERS codes: LUT RAM has so many ports.
    generate
        if (SPARSE != 0) begin : rams
            reg write_enable_q, second_buffer_q;
            reg [OFFSET_WIDTH:0] write_address_q;
            reg [TOKENS*X_WIDTH-1:0] write_data_q;
            always @(posedge clk) begin
                write_enable_q <= write_enable;
                write_address_q <= write_address;
                write_data_q <= write_data;
                second_buffer_q <= second_buffer;
            end
            for (i = 0; i < CODES; i = i + READERS) begin : shared
                (* ram_style = "distributed" *) reg [TOKENS*X_WIDTH-1:0] ram[0:(2<<OFFSET_WIDTH)-1];
                always @(posedge clk) if (write_enable_q) ram[write_address_q] <= write_data_q;
                for (j = i; j < i + READERS && j < CODES; j = j + 1) begin : readers
                    wire [OFFSET_WIDTH-1:0] offset = words[j*WORD_WIDTH + CODE_WIDTH +: OFFSET_WIDTH];
                    reg [TOKENS*X_WIDTH-1:0] x_q;
                    always @(posedge clk) x_q <= no_x ? {TOKENS*X_WIDTH{1'b0}} : ram[{second_buffer_q, offset}];
                    for (k = 0; k < TOKENS; k = k + 1) begin : parts
                        assign xs[j*TOKENS+k] = x_q[k*X_WIDTH +: X_WIDTH];
                    end
                end
            end
            wire unused = &{1'b0, x};
        end else begin : broadcast
            reg [TOKENS*X_WIDTH-1:0] x_q;
            always @(posedge clk) x_q <= no_x ? {TOKENS*X_WIDTH{1'b0}} : x;
            for (i = 0; i < ELEMENTS; i = i + 1) begin : copies
                assign xs[i] = x_q[i%TOKENS*X_WIDTH +: X_WIDTH];
            end
            wire unused = &{1'b0, second_buffer, write_enable, write_address, write_data};
        end
    endgenerate

    wire [RESULT_WIDTH-1:0] finished[0:ELEMENTS-1];
    generate
        for (i = 0; i < ELEMENTS; i = i + 1) begin : elements
            if (ELEMENT == 1) begin : bucket_kind
                pot_element_bucket #(
                    .X_WIDTH(X_WIDTH), .SUM_WIDTH(SUM_WIDTH), .POWERS(POWERS), .BUCKET_WIDTH(POWER_WIDTH),
                    .FACTOR_WIDTH(FACTOR_WIDTH), .BUCKET_SET_WIDTH(BUCKET_SET_WIDTH), .CODE_WIDTH(CODE_WIDTH)
                ) element(
                    .clk(clk), .run(run_q), .drain(drain_q), .finish(finish_q), .bucket_set(bucket_set_q),
                    .code(codes[i/TOKENS]), .x(xs[i]), .result(finished[i])
                );
            end else if (ELEMENT == 0) begin : shift_kind
                pot_element_shift #(
                    .X_WIDTH(X_WIDTH), .SUM_WIDTH(SUM_WIDTH), .POWER_WIDTH(POWER_WIDTH), .POWERS(POWERS),
                    .FACTOR_WIDTH(FACTOR_WIDTH), .CODE_WIDTH(CODE_WIDTH)
                ) element(
                    .clk(clk), .run(run_q), .finish(finish_q), .code(codes[i/TOKENS]), .x(xs[i]), .result(finished[i])
                );
            end else begin : dsp_kind
                pot_element_dsp #(.X_WIDTH(X_WIDTH), .SUM_WIDTH(SUM_WIDTH), .CODE_WIDTH(CODE_WIDTH)) element(
                    .clk(clk), .run(run_q), .finish(finish_q), .code(codes[i/TOKENS]), .x(xs[i]), .result(finished[i])
                );
            end
        end
        if (ELEMENT != 1) begin : no_bucket_control
            wire unused = &{1'b0, drain_q, bucket_set_q};
        end
    endgenerate

    // The selection: a zero that moves through all leaves in a ring.
    wire [ELEMENTS-1:0] moved;
    generate
        if (ELEMENTS > 1) begin : ring
            assign moved = {select[ELEMENTS-2:0], select_in};
        end else begin : single
            assign moved = select_in;
        end
    endgenerate
    localparam integer START = FIRST != 0 ? 1 : 0;
    always @(posedge clk) begin
        if (rst) select <= ~START[ELEMENTS-1:0];
        else if (advance) select <= moved;
    end

    wire [RESULT_WIDTH-1:0] readable[0:ELEMENTS-1];
    generate
        if (RESULT_BUFFERS == 2) begin : two_buffers
            reg move_results_q;
            always @(posedge clk) move_results_q <= move_results;
            for (i = 0; i < ELEMENTS; i = i + 1) begin : second
                reg [RESULT_WIDTH-1:0] waiting;
                always @(posedge clk) if (move_results_q) waiting <= finished[i];
                assign readable[i] = waiting;
            end
        end else begin : one_buffer
            wire unused = &{1'b0, move_results};
            for (i = 0; i < ELEMENTS; i = i + 1) begin : direct
                assign readable[i] = finished[i];
            end
        end
    endgenerate
    wire [ELEMENTS*RESULT_WIDTH-1:0] gated;
    generate
        for (i = 0; i < ELEMENTS; i = i + 1) begin : gates
            reg [RESULT_WIDTH-1:0] gate;
            always @(posedge clk) gate <= select[i] ? {RESULT_WIDTH{1'b0}} : readable[i];
            assign gated[i*RESULT_WIDTH +: RESULT_WIDTH] = gate;
        end
        for (i = 0; i < ORS; i = i + 1) begin : ors
            localparam integer COUNT = ELEMENTS - FAN_IN * i < FAN_IN ? ELEMENTS - FAN_IN * i : FAN_IN;
            or_registers #(.COUNT(COUNT), .WIDTH(RESULT_WIDTH)) registers(
                .clk(clk), .words(gated[FAN_IN*i*RESULT_WIDTH +: COUNT*RESULT_WIDTH]),
                .word(results[i*RESULT_WIDTH +: RESULT_WIDTH])
            );
        end
    endgenerate
endmodule

`default_nettype wire

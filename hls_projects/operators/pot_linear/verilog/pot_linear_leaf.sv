// Up to a dozen processing elements with their own copies of the activation and of the control, and the read-out of
// their results: one at a time where `select` has its only zero, the others are zeros, and all are OR'ed by sixes.
//
// With two TOKENS elements stand in pairs that share a code: for the first token's activation and for the second's.
//
// The copies are registers that synthesis would share again: the module's borders are kept.

(* keep_hierarchy = "yes" *)
`default_nettype none

module pot_linear_leaf #(
    // Elements, a multiple of TOKENS.
    parameter PE = 12,
    parameter TOKENS = 1,
    // 0: shift, 1: bucket, 2: dsp
    parameter ELEMENT = 1,
    parameter SPARSE = 0,
    parameter X_WIDTH = 8,
    parameter SUM_WIDTH = 14,
    parameter RESULT_WIDTH = 20,
    parameter POWERS = 7,
    parameter POWER_WIDTH = 3,
    parameter FACTOR_BITS = 0,
    parameter BANK_WIDTH = 0,
    parameter INDEX_WIDTH = 4,
    parameter WORD_WIDTH = 5,
    // 2: a result waits beside the one that is read out.
    parameter RESULTS = 1,
    // 1 where the first element is the first of all.
    parameter FIRST = 1,
    parameter CODES = PE / TOKENS,
    parameter GROUPS = (PE + 5) / 6,
    parameter BANK_BITS = BANK_WIDTH > 0 ? BANK_WIDTH : 1
) (
    input wire clk,
    input wire rst,
    // A cycle before the elements' last stage.
    input wire run,
    input wire drain,
    input wire last,
    input wire [BANK_BITS-1:0] bank,
    // With the words: no activation; the place where all buckets are read, and which of them are empty.
    input wire zero,
    input wire [POWER_WIDTH-1:0] place,
    input wire [CODES-1:0] untouched,
    input wire [CODES*WORD_WIDTH-1:0] words,
    // Dense: the activation, with the words.
    input wire [TOKENS*X_WIDTH-1:0] x,
    // Sparse: which half of the elements' RAM is read, a cycle before the words, and what is written.
    input wire half,
    input wire write,
    input wire [INDEX_WIDTH:0] write_address,
    input wire [TOKENS*X_WIDTH-1:0] write_data,
    // Read-out; `move` brings the results to it a cycle later (RESULTS = 2).
    input wire move,
    input wire advance,
    input wire select_in,
    output reg [PE-1:0] select,
    output wire [GROUPS*RESULT_WIDTH-1:0] results
);
    localparam CODE_WIDTH = WORD_WIDTH - (SPARSE != 0 ? INDEX_WIDTH : 0);
    genvar i, j, k;

    reg run_here, drain_here, last_here;
    reg [BANK_BITS-1:0] bank_here;
    always @(posedge clk) begin
        run_here <= run;
        drain_here <= drain;
        last_here <= last;
        bank_here <= bank;
    end

    // Words: a place of all elements is set in their registers, where the memory gives zeros.
    wire [CODE_WIDTH-1:0] codes[0:CODES-1];
    wire [X_WIDTH-1:0] xs[0:PE-1];
    generate
        for (i = 0; i < CODES; i = i + 1) begin : registers
            reg [CODE_WIDTH-1:0] code;
            for (j = 0; j < CODE_WIDTH; j = j + 1) begin : bits
                if (ELEMENT == 1 && j < POWER_WIDTH) begin : placed
                    always @(posedge clk) if (place[j]) code[j] <= 1; else code[j] <= words[i*WORD_WIDTH + j];
                end else if (ELEMENT == 1 && j == CODE_WIDTH - 1) begin : first
                    always @(posedge clk) if (untouched[i]) code[j] <= 1; else code[j] <= words[i*WORD_WIDTH + j];
                end else begin : plain
                    always @(posedge clk) code[j] <= words[i*WORD_WIDTH + j];
                end
            end
            assign codes[i] = code;
        end
        if (ELEMENT != 1) begin : no_places
            wire unused = &{1'b0, place, untouched, zero};
        end
    endgenerate

    // Activations: one for all, or a RAM of two blocks for every three codes.
    generate
        if (SPARSE != 0) begin : rams
            reg write_here, half_here;
            reg [INDEX_WIDTH:0] address_here;
            reg [TOKENS*X_WIDTH-1:0] data_here;
            always @(posedge clk) begin
                write_here <= write;
                address_here <= write_address;
                data_here <= write_data;
                half_here <= half;
            end
            for (i = 0; i < CODES; i = i + 3) begin : threes
                (* ram_style = "distributed" *) reg [TOKENS*X_WIDTH-1:0] ram[0:(2<<INDEX_WIDTH)-1];
                always @(posedge clk) if (write_here) ram[address_here] <= data_here;
                for (j = i; j < i + 3 && j < CODES; j = j + 1) begin : ports
                    wire [INDEX_WIDTH-1:0] index = words[j*WORD_WIDTH + CODE_WIDTH +: INDEX_WIDTH];
                    reg [TOKENS*X_WIDTH-1:0] x_read;
                    always @(posedge clk) x_read <= zero ? {TOKENS*X_WIDTH{1'b0}} : ram[{half_here, index}];
                    for (k = 0; k < TOKENS; k = k + 1) begin : parts
                        assign xs[j*TOKENS+k] = x_read[k*X_WIDTH +: X_WIDTH];
                    end
                end
            end
            wire unused = &{1'b0, x};
        end else begin : broadcast
            reg [TOKENS*X_WIDTH-1:0] x_here;
            always @(posedge clk) x_here <= zero ? {TOKENS*X_WIDTH{1'b0}} : x;
            for (i = 0; i < PE; i = i + 1) begin : copies
                assign xs[i] = x_here[i%TOKENS*X_WIDTH +: X_WIDTH];
            end
            wire unused = &{1'b0, half, write, write_address, write_data};
        end
    endgenerate

    wire [RESULT_WIDTH-1:0] found[0:PE-1];
    generate
        for (i = 0; i < PE; i = i + 1) begin : elements
            if (ELEMENT == 1) begin : bucket
                pot_element_bucket #(
                    .X_WIDTH(X_WIDTH), .SUM_WIDTH(SUM_WIDTH), .POWERS(POWERS), .PLACE_WIDTH(POWER_WIDTH),
                    .FACTOR_BITS(FACTOR_BITS), .BANK_WIDTH(BANK_WIDTH), .WORD_WIDTH(CODE_WIDTH)
                ) element(
                    .clk(clk), .run(run_here), .drain(drain_here), .last(last_here), .bank(bank_here),
                    .word(codes[i/TOKENS]), .x(xs[i]), .result(found[i])
                );
            end else if (ELEMENT == 0) begin : shift
                pot_element_shift #(
                    .X_WIDTH(X_WIDTH), .SUM_WIDTH(SUM_WIDTH), .POWER_WIDTH(POWER_WIDTH), .POWERS(POWERS),
                    .FACTOR_BITS(FACTOR_BITS), .WORD_WIDTH(CODE_WIDTH)
                ) element(
                    .clk(clk), .run(run_here), .last(last_here), .word(codes[i/TOKENS]), .x(xs[i]), .result(found[i])
                );
            end else begin : dsp
                pot_element_dsp #(.X_WIDTH(X_WIDTH), .SUM_WIDTH(SUM_WIDTH), .WORD_WIDTH(CODE_WIDTH)) element(
                    .clk(clk), .run(run_here), .last(last_here), .word(codes[i/TOKENS]), .x(xs[i]), .result(found[i])
                );
            end
        end
        if (ELEMENT != 1) begin : no_banks
            wire unused = &{1'b0, drain_here, bank_here};
        end
    endgenerate

    wire [PE-1:0] moved;
    generate
        if (PE > 1) begin : ring
            assign moved = {select[PE-2:0], select_in};
        end else begin : alone
            assign moved = select_in;
        end
    endgenerate
    localparam START = FIRST != 0 ? 1 : 0;
    always @(posedge clk) begin
        if (rst) select <= ~START[PE-1:0];
        else if (advance) select <= moved;
    end
    wire [RESULT_WIDTH-1:0] read[0:PE-1];
    generate
        if (RESULTS == 2) begin : two_results
            reg move_here;
            always @(posedge clk) move_here <= move;
            for (i = 0; i < PE; i = i + 1) begin : waiting
                reg [RESULT_WIDTH-1:0] held;
                always @(posedge clk) if (move_here) held <= found[i];
                assign read[i] = held;
            end
        end else begin : one_result
            wire unused = &{1'b0, move};
            for (i = 0; i < PE; i = i + 1) begin : direct
                assign read[i] = found[i];
            end
        end
    endgenerate
    wire [PE*RESULT_WIDTH-1:0] gated;
    generate
        for (i = 0; i < PE; i = i + 1) begin : gates
            reg [RESULT_WIDTH-1:0] gate;
            always @(posedge clk) gate <= select[i] ? {RESULT_WIDTH{1'b0}} : read[i];
            assign gated[i*RESULT_WIDTH +: RESULT_WIDTH] = gate;
        end
        for (i = 0; i < GROUPS; i = i + 1) begin : sixes
            localparam COUNT = PE - 6 * i < 6 ? PE - 6 * i : 6;
            or_registers #(.COUNT(COUNT), .WIDTH(RESULT_WIDTH)) six(
                .clk(clk), .words(gated[6*i*RESULT_WIDTH +: COUNT*RESULT_WIDTH]),
                .word(results[i*RESULT_WIDTH +: RESULT_WIDTH])
            );
        end
    endgenerate
endmodule

`default_nettype wire

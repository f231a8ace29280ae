// Values weighted by attention probabilities, head by head: the twin of attention_values.h.
//
// in0: p, n_heads * n_window elements a token; in1: v, n_heads * head_dim elements a token; out: the same.
// Clocks, by stages that run at the same time (see attention_core):
//   values: 1 an element; a query's probabilities: 1 an element; the results: 1 an element;
//   work on a query: passes * groups of channels * max(n_window, PARALLEL_HEADS * PARALLEL_CHANNELS).

`default_nettype none

module attention_values #(
    parameter integer N_HEADS = 3,
    parameter integer HEAD_DIM = 32,
    parameter integer N_TOKENS = 64,
    parameter integer LOAD_SIZE = 64,
    parameter integer N_WINDOW = 64,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer PARALLEL_CHANNELS = 1,
    parameter integer PACKED = 0,
    parameter integer P_WIDTH = 8,
    parameter integer P_SIGNED = 0,
    parameter integer V_WIDTH = 8,
    parameter integer V_SIGNED = 1,
    parameter integer SUM_WIDTH = 22,
    parameter integer OUT_SHIFT = 8,
    parameter integer OUT_WIDTH = 8
) (
    input wire clk,
    input wire rst,
    input wire in0_valid,
    output wire in0_ready,
    input wire [P_WIDTH-1:0] in0_data,
    input wire in1_valid,
    output wire in1_ready,
    input wire [V_WIDTH-1:0] in1_data,
    output wire out_valid,
    input wire out_ready,
    output wire [OUT_WIDTH-1:0] out_data
);
    localparam integer GROUPS = (HEAD_DIM + PARALLEL_CHANNELS - 1) / PARALLEL_CHANNELS;

    attention_core #(
        .SCORES(0),
        .HEADS(N_HEADS),
        .PARALLEL_HEADS(PARALLEL_HEADS),
        .LANES(PARALLEL_CHANNELS),
        .LAST_LANES(HEAD_DIM - (GROUPS - 1) * PARALLEL_CHANNELS),
        .GROUPS(GROUPS),
        .STEPS(LOAD_SIZE),
        .UNITS(N_WINDOW / LOAD_SIZE),
        .LOAD_QUERIES(LOAD_SIZE),
        .IMAGE_LOADS(N_TOKENS / LOAD_SIZE),
        .PACKED(PACKED),
        .SHARED_WIDTH(P_WIDTH),
        .SHARED_SIGNED(P_SIGNED),
        .STORED_WIDTH(V_WIDTH),
        .STORED_SIGNED(V_SIGNED),
        .SUM_WIDTH(SUM_WIDTH),
        .SHIFT(OUT_SHIFT),
        .OUT_WIDTH(OUT_WIDTH)
    ) core (
        .clk(clk),
        .rst(rst),
        .in0_valid(in0_valid),
        .in0_ready(in0_ready),
        .in0_data(in0_data),
        .in1_valid(in1_valid),
        .in1_ready(in1_ready),
        .in1_data(in1_data),
        .out_valid(out_valid),
        .out_ready(out_ready),
        .out_data(out_data)
    );
endmodule

`default_nettype wire

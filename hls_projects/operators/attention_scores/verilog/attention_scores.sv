// Scores of every query against the keys that it sees, head by head: the twin of attention_scores.h.
//
// in0: q, n_heads * head_dim elements a token; in1: k, the same; out: n_heads * n_window scores a token.
// Clocks, by stages that run at the same time (see attention_core):
//   keys: 1 an element; a query: 1 an element; the scores: 1 an element;
//   work on a query: passes * windows' groups of keys * max(head_dim, PARALLEL_HEADS * PARALLEL_KEYS).

`default_nettype none

module attention_scores #(
    parameter integer N_HEADS = 3,
    parameter integer HEAD_DIM = 32,
    parameter integer N_TOKENS = 64,
    parameter integer LOAD_SIZE = 64,
    parameter integer N_WINDOW = 64,
    parameter integer PARALLEL_HEADS = 1,
    parameter integer PARALLEL_KEYS = 1,
    parameter integer PACKED = 0,
    parameter integer Q_WIDTH = 8,
    parameter integer Q_SIGNED = 1,
    parameter integer K_WIDTH = 8,
    parameter integer K_SIGNED = 1,
    parameter integer SUM_WIDTH = 21,
    parameter integer OUT_SHIFT = 8,
    parameter integer OUT_WIDTH = 8
) (
    input wire clk,
    input wire rst,
    input wire in0_valid,
    output wire in0_ready,
    input wire [Q_WIDTH-1:0] in0_data,
    input wire in1_valid,
    output wire in1_ready,
    input wire [K_WIDTH-1:0] in1_data,
    output wire out_valid,
    input wire out_ready,
    output wire [OUT_WIDTH-1:0] out_data
);
    localparam integer GROUPS = (LOAD_SIZE + PARALLEL_KEYS - 1) / PARALLEL_KEYS;

    attention_core #(
        .SCORES(1),
        .HEADS(N_HEADS),
        .PARALLEL_HEADS(PARALLEL_HEADS),
        .LANES(PARALLEL_KEYS),
        .LAST_LANES(LOAD_SIZE - (GROUPS - 1) * PARALLEL_KEYS),
        .GROUPS(GROUPS),
        .STEPS(HEAD_DIM),
        .UNITS(N_WINDOW / LOAD_SIZE),
        .LOAD_QUERIES(LOAD_SIZE),
        .IMAGE_LOADS(N_TOKENS / LOAD_SIZE),
        .PACKED(PACKED),
        .SHARED_WIDTH(Q_WIDTH),
        .SHARED_SIGNED(Q_SIGNED),
        .STORED_WIDTH(K_WIDTH),
        .STORED_SIGNED(K_SIGNED),
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

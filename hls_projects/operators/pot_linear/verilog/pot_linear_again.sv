// A token as often as it has chunks of outputs: the words of a full block of a RAM, in order, one a cycle.
//
// The RAM answers `address` a cycle later.

`default_nettype none

module pot_linear_again #(
    parameter WORDS = 96,
    parameter TIMES = 2,
    parameter INDEX_WIDTH = 7
) (
    input wire clk,
    input wire rst,
    input wire full,
    output wire release_,
    output wire [INDEX_WIDTH:0] address,
    output wire out_valid,
    input wire out_ready
);
    localparam TIME_WIDTH = TIMES > 1 ? $clog2(TIMES) : 1;
    localparam LAST = WORDS - 1;
    localparam LAST_TIME = TIMES - 1;
    reg [INDEX_WIDTH-1:0] index;
    reg [TIME_WIDTH-1:0] times;
    reg half;
    pot_linear_place #(.WORDS(WORDS), .INDEX_WIDTH(INDEX_WIDTH)) place(.half(half), .index(index), .address(address));
    assign out_valid = full;
    wire moves = out_valid && out_ready;
    wire last = moves && index == LAST[INDEX_WIDTH-1:0];
    wire last_time = times == LAST_TIME[TIME_WIDTH-1:0];
    assign release_ = last && last_time;
    always @(posedge clk) begin
        if (moves) index <= last ? {INDEX_WIDTH{1'b0}} : index + 1'b1;
        if (last) times <= last_time ? {TIME_WIDTH{1'b0}} : times + 1'b1;
        if (release_) half <= !half;
        if (rst) begin
            index <= 0;
            times <= 0;
            half <= 0;
        end
    end
endmodule

`default_nettype wire

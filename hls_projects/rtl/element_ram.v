// Words of ELEMENTS elements, written element by element and read as words.
//
// A word is in `read_data` a clock after its address, while `read` is high; later it stays. What is read
// in the clock in which it is written is not defined.

module element_ram #(
    parameter integer WIDTH = 8,
    parameter integer ELEMENTS = 1,
    parameter integer ADDRESS = 9
) (
    input wire clk,
    input wire [ELEMENTS-1:0] write,
    input wire [ADDRESS-1:0] write_address,
    input wire [WIDTH-1:0] write_data,
    input wire read,
    input wire [ADDRESS-1:0] read_address,
    output reg [ELEMENTS*WIDTH-1:0] read_data
);
    (* ram_style = "block", no_rw_check *)
    reg [ELEMENTS*WIDTH-1:0] words[0:(1<<ADDRESS)-1];
    integer element;

    always @(posedge clk)
        for (element = 0; element < ELEMENTS; element = element + 1)
            if (write[element]) words[write_address][element*WIDTH+:WIDTH] <= write_data;

    always @(posedge clk) if (read) read_data <= words[read_address];
endmodule

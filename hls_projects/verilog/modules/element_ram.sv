// Words of ELEMENTS elements, written element by element and read as words.
//
// A word is in `read_data` a cycle after its address, while `read` is high; later it stays. What is read
// in the clock in which it is written is not defined.

`default_nettype none

module element_ram #(
    parameter integer WIDTH = 8,
    parameter integer ELEMENTS = 1,
    parameter integer ADDRESS = 9,
    // 1 for block RAM, 0 for distributed RAM.
    parameter integer BLOCK = 1
) (
    input wire clk,
    input wire [ELEMENTS-1:0] write,
    input wire [ADDRESS-1:0] write_address,
    input wire [WIDTH-1:0] write_data,
    input wire read,
    input wire [ADDRESS-1:0] read_address,
    output wire [ELEMENTS*WIDTH-1:0] read_data
);
    generate
        if (BLOCK != 0) begin : block
            (* ram_style = "block", no_rw_check *)
            reg [ELEMENTS*WIDTH-1:0] words[0:(1<<ADDRESS)-1];
            reg [ELEMENTS*WIDTH-1:0] word;
            assign read_data = word;
            integer element;

            always @(posedge clk)
                for (element = 0; element < ELEMENTS; element = element + 1)
                    if (write[element]) words[write_address][element*WIDTH+:WIDTH] <= write_data;

            always @(posedge clk) if (read) word <= words[read_address];
        end else begin : distributed
            genvar n;
            for (n = 0; n < ELEMENTS; n = n + 1) begin : elements
                block_ram #(.WIDTH(WIDTH), .WORDS(1 << ADDRESS), .ADDRESS(ADDRESS), .BLOCK(0)) bank (
                    .clk(clk),
                    .write(write[n]), .write_address(write_address), .write_data(write_data),
                    .read(read), .read_address(read_address), .read_data(read_data[n*WIDTH+:WIDTH])
                );
            end
        end
    endgenerate
endmodule

`default_nettype wire

"""Yosys maps small modules to what they are known to take."""

from __future__ import annotations

import shutil

import pytest

from hls_projects.errors import InputError
from hls_projects.rtl.synthesis import count, synthesise
from hls_projects.verilog.twin import Memory

ADDER = """
module adder #(parameter WIDTH = 8) (input clk, input [WIDTH-1:0] a, b, output reg [WIDTH-1:0] sum);
    always @(posedge clk) sum <= a + b;
endmodule
module nested (input clk, input [7:0] a, b, output [15:0] sums);
    adders #(.COUNT(2)) some(.clk(clk), .a(a), .b(b), .sums(sums));
endmodule
module adders #(parameter COUNT = 1) (input clk, input [7:0] a, b, output [8*COUNT-1:0] sums);
    genvar i;
    generate for (i = 0; i < COUNT; i = i + 1) begin : each
        adder #(.WIDTH(8)) one(.clk(clk), .a(a), .b(b), .sum(sums[8*i +: 8]));
    end endgenerate
endmodule
"""
MEMORIES = """
module memories #(parameter ROM_FILE = "", parameter WORDS = 1024) (
    input clk, write, input [4:0] place, input [9:0] address, input [7:0] in, output [7:0] small,
    output reg [31:0] large, output reg [31:0] product);
    reg [7:0] ram [0:31];
    always @(posedge clk) if (write) ram[place] <= in;
    assign small = ram[place];
    reg [31:0] rom [0:WORDS-1];
    initial $readmemh(ROM_FILE, rom);
    always @(posedge clk) large <= rom[address];
    always @(posedge clk) product <= $signed(large[15:0]) * $signed(large[31:16]);
endmodule
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.sv"
    path.write_text(ADDER + MEMORIES)
    return path


@pytest.mark.yosys
@pytest.mark.parametrize("flatten, adders", [(False, 3), (True, 1)])
def test_adders(source, flatten, adders):
    """Three equal adders; across borders the synthesiser finds that one serves."""
    found = synthesise("adders", {"COUNT": 3}, [source], flatten=flatten)
    luts, carries = 8 * adders, 2 * adders
    assert (found.lut, found.lut_ram, found.ff, found.carry4, found.bram36, found.dsp) == (luts, 0, luts, carries, 0, 0)
    assert "Yosys" in found.creator


@pytest.mark.yosys
def test_nested_modules(source):
    assert synthesise("nested", {}, [source]).lut == 16


@pytest.mark.yosys
def test_memories(source):
    words = [(index * 2654435761) % 2**32 for index in range(1024)]
    found = synthesise("memories", {}, [source], {"rom": Memory.of(32, words)})
    assert (found.lut_ram, found.bram36, found.dsp) == (4, 1, 1)


@pytest.mark.yosys
def test_refusals(source):
    with pytest.raises(InputError, match="absent"):
        synthesise("absent", {}, [source])


def test_no_yosys(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="no yosys on the path; install it"):
        synthesise("adders", {}, [])


def test_cell_that_is_not_counted():
    cells = {"LUT6_2": 2, "SRL16E": 3, "URAM288": 1}
    with pytest.raises(InputError, match="URAM288"):
        count({"creator": "", "modules": {"\\top": {"num_cells_by_type": cells}}})

"""The files of a module, and the text of them that a measurement depends on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hls_projects
from hls_projects.verilog.sources import hardware_text, sources
from hls_projects.verilog.twin import LIBRARY

FILES = sorted(Path(hls_projects.__file__).parent.rglob("*.sv"))
# Names that docs/rtl.md excludes: delays are _q, _q2; no name ends in an underscore.
EXCLUDED = re.compile(r"\b[a-z]\w*_(?:here|now|late|later)?\b")

MODULE = """\
module stage #(parameter WIDTH = 8) (input wire clk, input wire [WIDTH-1:0] in, output reg [WIDTH-1:0] out);
    always @(posedge clk) out <= in + 1;
endmodule
"""
EQUAL = {
    "comments": MODULE.replace(";", "; // why\n/* two\nlines */"),
    "white space": "\n\n" + MODULE.replace(" ", "\n\t "),
    "net types": "`default_nettype none\n" + MODULE + "`default_nettype wire\n",
    "checks": MODULE.replace(
        "    always",
        """`ifndef __ICARUS__
    generate
        if (WIDTH < 1) $error("stage: WIDTH must be at least 1");
        if (WIDTH > (1 << $clog2(WIDTH))) begin : bad
            $error("stage: WIDTH must be (a bit) less");
        end
    endgenerate
`endif
    always""",
    ),
}
DIFFERENT = {
    "operator": MODULE.replace("+", "-"),
    "width": MODULE.replace("= 8", "= 9"),
    "directive": "`define SYNTHESIS\n" + MODULE,
    "branch": MODULE.replace("    always", "generate if (WIDTH < 1) assign out = 0; endgenerate\n always"),
}


@pytest.mark.parametrize("text", EQUAL.values(), ids=EQUAL)
def test_what_makes_no_hardware_is_ignored(text):
    assert text != MODULE and hardware_text(text) == hardware_text(MODULE)


@pytest.mark.parametrize("text", DIFFERENT.values(), ids=DIFFERENT)
def test_what_makes_hardware_is_not(text):
    assert hardware_text(text) != hardware_text(MODULE)


def test_sources_are_those_that_are_instantiated(tmp_path):
    (tmp_path / "mine.sv").write_text("module mine; fifo #(.DEPTH(2)) words (); part some_part (); endmodule\n")
    (tmp_path / "part.sv").write_text("// stream_fork\nmodule part; endmodule\n")
    (tmp_path / "spare.sv").write_text("module spare; endmodule\n")
    found = sources("mine", tmp_path)
    assert {path.stem for path in found} == {"mine", "part", "fifo", "fifo_lines", "fifo_ring", "block_ram"}
    assert found == tuple(sorted(found))


def test_the_own_folder_comes_before_the_library(tmp_path):
    (tmp_path / "fifo.sv").write_text("module fifo; endmodule\n")
    assert sources("fifo", tmp_path) == (tmp_path / "fifo.sv",)
    assert LIBRARY / "fifo.sv" in sources("fifo", tmp_path / "absent")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_follow_the_rules_of_names(path):
    text = path.read_text()
    assert re.findall(r"^module (\w+)", text, re.MULTILINE) == [path.stem]
    before, after = text.split("\nmodule ")[0], text.rsplit("endmodule", 1)[1]
    assert "`default_nettype none" in before and after.split() == ["`default_nettype", "wire"]
    assert EXCLUDED.findall(hardware_text(text)) == []


@pytest.mark.parametrize("name", ["write_", "x_here", "sum_late", "data_now"])
def test_an_excluded_name_would_be_seen(name):
    assert EXCLUDED.findall(f"reg {name};") == [name] and not EXCLUDED.findall(f"reg {name}x, later, x_q2;")

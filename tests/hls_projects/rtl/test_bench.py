"""The test bench of the twins finds what is wrong with a twin."""

from __future__ import annotations

import numpy as np
import pytest

from hls_projects.operators import ActivationTable
from hls_projects.rtl.bench import Stream, TwinError, check_twin, pack, run_twin
from hls_projects.verilog.twin import Memory, Twin
from tests.support.operators import make_operator

verilator = pytest.mark.verilator
IMAGES = np.arange(-8, 8).reshape(2, 2, 4)

# A register, and places for what goes wrong with it.
MODULE = """module stage #(parameter WIDTH = 8) (
    input wire clk, input wire rst,
    input wire in_valid, output wire in_ready, input wire [WIDTH-1:0] in_data,
    output reg out_valid, input wire out_ready, output reg [WIDTH-1:0] out_data
);
    reg [7:0] count = 0;
    assign in_ready = READY;
    always @(posedge clk) begin
        if (in_valid && in_ready) count <= count + 1;
        if (MOVE) begin out_valid <= VALID; out_data <= in_data; end
        if (rst) out_valid <= 0;
    end
endmodule
"""


class Changed(ActivationTable):
    """One code of the second image is another one."""

    def execute(self, x):
        right = super().execute(x)
        right[1, 1, 2] ^= 4
        return right


def table(cls=ActivationTable):
    operator = make_operator(ActivationTable, ["INT4"], "INT8", n_tokens=2, n_in=4, n_codes=16, table=np.arange(16) * 3)
    operator.__class__ = cls
    return operator


FREE = "!out_valid || out_ready"


def run_stage(tmp_path, inputs, outputs, *, ready=FREE, valid="in_valid && in_ready", move=FREE, width=8, stalls=0):
    text = MODULE.replace("READY", ready).replace("VALID", valid).replace("MOVE", move)
    (tmp_path / "stage.sv").write_text("/* verilator lint_off UNUSEDSIGNAL */\n" + text)
    streams = Stream("in", width, inputs), Stream("out", width, outputs)
    return run_twin(
        Twin("stage", {"WIDTH": width}), streams[:1], streams[1], folder=tmp_path, stalls=stalls, patience=200
    )


@verilator
@pytest.mark.parametrize("stalls", [0, 5])
def test_a_wrong_word_is_named(stalls):
    check_twin(table(), IMAGES, stalls=stalls)
    with pytest.raises(TwinError, match=r"^word 14 of 16 is 0x2a, not 0x2e$"):
        check_twin(table(Changed), IMAGES, stalls=stalls)


@verilator
@pytest.mark.parametrize("width", [1, 8, 33, 64, 65, 160])
def test_words_of_any_width(tmp_path, width):
    random = np.random.default_rng(width)
    words = pack(random.integers(0, 2, (50, width)), 1, width)
    taken, sent = run_stage(tmp_path, words, words, width=width)
    assert np.diff(taken).tolist() == np.diff(sent).tolist() == [1] * 49
    stalled, _ = run_stage(tmp_path, words, words, width=width, stalls=7)
    assert max(np.diff(stalled)) > 1


@verilator
def test_a_hang_says_who_waits(tmp_path):
    words = list(range(40))
    with pytest.raises(
        TwinError, match=r"^hangs with in: 20 of 40 words, valid 1, ready 0, out: 20 of 40 words, valid 0"
    ):
        run_stage(tmp_path, words, words, ready="(!out_valid || out_ready) && count < 20")
    with pytest.raises(
        TwinError, match=r"^hangs with in: 40 of 40 words, valid 0, ready 1, out: 30 of 40 words, valid 0"
    ):
        run_stage(tmp_path, words, words, valid="in_valid && count < 30")


@verilator
def test_too_many_words(tmp_path):
    with pytest.raises(TwinError, match=r"^more than 40 words of out$"):
        run_stage(tmp_path, [*range(41)], list(range(40)))


@verilator
def test_a_word_that_does_not_wait(tmp_path):
    words = list(range(200))
    with pytest.raises(TwinError, match="a waiting word of out changes or goes away"):
        run_stage(tmp_path, words, words, ready="1'b1", move="1'b1", stalls=3)


@verilator
def test_warnings_are_refused(tmp_path):
    with pytest.raises(TwinError, match=r"^verilator ended with 1: %Warning-WIDTH"):
        run_stage(tmp_path, [1], [1], valid="count")


def test_pack_puts_the_first_element_lowest():
    codes = np.array([[-1, 2], [3, -4]])
    assert pack(codes, 8) == [0xFF, 2, 3, 0xFC]
    assert pack(codes, 8, 2) == [0x02FF, 0xFC03]
    assert pack(np.array([-1] * 10), 16, 10) == [(1 << 160) - 1]


def test_memories_hold_their_words_or_refuse(tmp_path):
    twin = Twin("any", {}, {"exp_table": Memory.of(4, np.array([-8, 0, 15]))})
    twin.write_memories(tmp_path, "softmax0_")
    assert twin.files("softmax0_") == {"EXP_TABLE_FILE": "softmax0_exp_table.hex"}
    assert (tmp_path / "softmax0_exp_table.hex").read_text() == "8\n0\nf\n"
    with pytest.raises(ValueError, match="4 bits does not hold 0 to 16"):
        Memory.of(4, [0, 16])

"""The modules that the twins share: rounding against fractions, FIFOs and forks against their words."""

from __future__ import annotations

import numpy as np
import pytest
from qonnx.core.datatype import DataType

from hls_projects.rtl.bench import TESTBENCH, Stream, TwinError, pack, run_twin
from hls_projects.verilog.twin import Twin
from tests.support.operators import naive_requantize

pytestmark = pytest.mark.verilator
WORDS = np.random.default_rng(0).integers(0, 256, 300).tolist()


def values(width):
    """All values of ``width`` bits, or where they are many random ones, both ends and those near zero."""
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    if width <= 10:
        return np.arange(low, high + 1)
    random = np.random.default_rng(width).integers(low, high, 2000, endpoint=True)
    return np.concatenate([random, np.arange(-600, 600), np.arange(600) + low, high - np.arange(600)])


def run_module(module, parameters, words, width, expected, out_width, **options):
    streams = Stream("in", width, words), Stream("out", out_width, expected)
    return run_twin(Twin(module, parameters), streams[:1], streams[1], folder=TESTBENCH, **options)


@pytest.mark.parametrize(
    ("width", "shift", "out_dtype"),
    [
        (9, 0, "INT8"), (4, 0, "INT8"), (10, 1, "INT8"), (10, 1, "UINT8"), (10, 2, "UINT4"), (10, 8, "INT8"),
        (10, 8, "INT2"), (8, 6, "INT8"), (19, 9, "INT8"), (30, 12, "INT8"), (30, 13, "UINT8"), (40, 30, "INT16"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("has_half", [0, 1])
def test_requantize(width, shift, out_dtype, has_half):
    dtype = DataType[out_dtype]
    every = values(width)
    half = (1 << shift) >> 1 if has_half else 0
    every = every[every + half < 1 << (width - 1)]
    expected = np.array([naive_requantize(int(value), shift, dtype) for value in every])
    bits = dtype.bitwidth()
    parameters = {
        "WIDTH": width, "SHIFT": shift, "OUT_WIDTH": bits, "OUT_SIGNED": int(dtype.signed()), "HAS_HALF": has_half
    }  # fmt: skip
    run_module("requantize_stage", parameters, pack(every + half, width), width, pack(expected, bits), bits)


@pytest.mark.parametrize("depth", [2, 3, 8, 31, 32, 33, 128, 200])
def test_fifo(depth):
    """Words in order, one a cycle; DEPTH of them and one more while none leaves."""
    for stalls in range(3):
        taken, sent = run_module("fifo_gate", {"DEPTH": depth}, WORDS, 8, WORDS, 8, stalls=stalls)
        if not stalls:
            assert sent[0] - taken[0] == 2 and set(np.diff(sent)) == {1}
    held = depth + 1
    run_module("fifo_gate", {"DEPTH": depth, "GATE": held}, WORDS, 8, WORDS, 8)
    with pytest.raises(TwinError, match=f"^hangs with in: {held} of 300 words, valid 1, ready 0"):
        run_module("fifo_gate", {"DEPTH": depth, "GATE": held + 1}, WORDS, 8, WORDS, 8, patience=500)


def test_fifo_of_one_word():
    """The register of its writer is the FIFO: a word leaves in the cycle in which it comes."""
    for stalls in range(3):
        taken, sent = run_module("fifo_gate", {"DEPTH": 1}, WORDS, 8, WORDS, 8, stalls=stalls)
        assert list(taken) == list(sent)


def test_fifo_of_block_ram():
    """Addresses wrap more than once, and the ring is filled to its last word."""
    words = np.random.default_rng(0).integers(0, 256, 4000).tolist()
    held = 1500 + 1
    for stalls in range(3):
        run_module("fifo_gate", {"DEPTH": 1500}, words, 8, words, 8, stalls=stalls)
    run_module("fifo_gate", {"DEPTH": 1500, "GATE": held}, words, 8, words, 8)
    with pytest.raises(TwinError, match=f"^hangs with in: {held} of 4000 words"):
        run_module("fifo_gate", {"DEPTH": 1500, "GATE": held + 1}, words, 8, words, 8, patience=5000)


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_fork(copies):
    expected = [sum(word << 8 * copy for copy in range(copies)) for word in WORDS]
    for stalls in range(3):
        taken, _ = run_module("fork_bench", {"COPIES": copies}, WORDS, 8, expected, 8 * copies, stalls=stalls)
        assert (set(np.diff(taken)) == {1}) == (stalls == 0)

"""Illegal parameters end elaboration with a message that the module gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hls_projects import operators
from hls_projects.errors import InputError
from hls_projects.rtl.bench import TwinError, run_tool, verilator
from hls_projects.rtl.synthesis import synthesise
from hls_projects.verilog.twin import LIBRARY, Memory

OPERATORS = Path(operators.__file__).parent
FILES = {path.stem: path for path in (*LIBRARY.glob("*.sv"), *OPERATORS.glob("*/verilog/*.sv"))}

# (module, parameters, the message after the module's name)
ILLEGAL = [
    ("block_ram", {"BLOCK": 2}, "BLOCK must be 0 or 1"),
    ("block_ram", {"WORDS": 256, "ADDRESS": 7}, "ADDRESS must be at least $clog2(WORDS)"),
    ("double_buffer_address", {"WORDS": 8, "ADDRESS": 3}, "ADDRESS must be at least $clog2(2 * WORDS)"),
    ("element_ram", {"ELEMENTS": 0}, "ELEMENTS must be at least 1"),
    ("fifo", {"DEPTH": 0}, "DEPTH must be at least 1"),
    ("fifo", {"WIDTH": 0}, "WIDTH must be at least 1"),
    ("fifo_lines", {"DEPTH": 33}, "DEPTH must be 2 to 32"),
    ("loop_counter", {"COUNT": 0}, "COUNT must be at least 1"),
    ("loop_counter", {"COUNT": 4, "CUT": 5}, "CUT must be 1 to COUNT"),
    ("multiply_accumulate", {"SHIFT": 48}, "SHIFT must be 0 to 47"),
    ("multiply_accumulate_pair", {"WIDTH": 9}, "WIDTH must be 1 to 8"),
    ("requantize", {"OUT_WIDTH": 1, "OUT_SIGNED": 1}, "OUT_WIDTH must be at least 1, or 2 with OUT_SIGNED"),
    ("requantize", {"HAS_HALF": 2}, "HAS_HALF must be 0 or 1"),
    ("scale_factor", {"ROOT": 3}, "ROOT must be 0 or 1"),
    ("stream_fork", {"COPIES": 0}, "COPIES must be at least 1"),
    ("attention_core", {"LAST_HEADS": 2}, "LAST_HEADS must be 1 to PARALLEL_HEADS"),
    ("attention_core", {"LANES": 2, "LAST_LANES": 3}, "LAST_LANES must be 1 to LANES"),
    ("attention_core", {"SUM_LOADS": 2}, "RESULT_LOADS must be 1 with SUM_OVER_KEYS, SUM_LOADS must be 1 without"),
    ("attention_core", {"STEPS": 2}, "PERIOD must be at least SUM_LOADS * STEPS and PARALLEL_HEADS * LANES"),
    ("attention_core", {"STEPS": 2, "PERIOD": 2}, "STORED_ADDRESS must hold pass, load, group and step"),
    ("attention_core", {"SHARED_ADDRESS": 2}, "SHARED_ADDRESS must hold block, pass, load and step"),
    ("attention_core", {"RESULT_ADDRESS": 3}, "RESULT_ADDRESS must hold block, pass, head, load, group and lane"),
    ("attention_sequencer", {"LOADS_PER_IMAGE": 0}, "QUERIES_PER_LOAD and LOADS_PER_IMAGE must be at least 1"),
    ("attention_load_stored", {"RING": 1}, "RING must be at least 2"),
    ("attention_load_shared", {"ADDRESS": 2}, "ADDRESS must hold block, pass, load and step"),
    ("attention_store", {"ADDRESS": 3}, "ADDRESS must hold block, pass, head, load, group and lane"),
    ("attention_sums", {"LANES": 2, "DSPS": 2}, "PERIOD must be at least PARALLEL_HEADS * LANES"),
    ("attention_lanes", {"LANES": 2}, "DSPS must hold LANES, QUADS must hold DSPS"),
    ("attention_lanes", {"WORD_WIDTH": 16}, "WORD_WIDTH must hold the sums of a DSP and the tie of one"),
    ("attention_result", {"WORD_WIDTH": 16}, "WORD_WIDTH must hold the sums of a DSP and a tie"),
    ("channel_slice", {"N_IN": 8, "FIRST": 6, "N_OUT": 3}, "N_OUT must be 1 to N_IN - FIRST"),
    ("integer_layer_norm", {"SUM_WIDTH": 7}, "SUM_WIDTH must be at least IN_WIDTH"),
    ("integer_layer_norm", {"DIFFERENCE_WIDTH": 7}, "DIFFERENCE_WIDTH must hold a mean, a code and CENTRED_SHIFT + 2"),
    ("integer_softmax", {"SKIP": 64}, "N_WINDOW must be at least 1, SKIP 0 to N_WINDOW - 1"),
    ("layer_norm_mean", {"MULTIPLIER": 256}, "SHIFT must be at least 0, MULTIPLIER at least 1 and of MULTIPLIER_WIDTH"),
    ("softmax_window", {"SKIP": 12}, "SKIP must be a multiple of LOAD_SIZE and not 0"),
    ("patch_reader", {"IMAGE_SIZE": 30, "PATCH_SIZE": 4}, "IMAGE_SIZE must be a multiple of PATCH_SIZE"),
    ("patch_reader", {"BLOCK_WIDTH": 3}, "BLOCK_WIDTH must divide IMAGE_SIZE / PATCH_SIZE"),
    ("position_embedding", {"N_WORDS": 4, "N_STORED": 4}, "N_STORED must be 0 to N_WORDS - 1"),
    ("residual_add", {"SUM_WIDTH": 9, "IN1_SHIFT": 2}, "SUM_WIDTH must hold both shifted inputs"),
    ("token_pooling", {"MULTIPLIER": 0}, "MULTIPLIER must be at least 1"),
]


def lint(module: str, parameters: dict[str, int]) -> None:
    """Run Verilator with all warnings on a module."""
    values = [f"-G{name}={value}" for name, value in parameters.items()]
    libraries = ["-y", str(LIBRARY), "-y", str(FILES[module].parent)]
    run_tool([verilator(), "--lint-only", "-Wall", *values, *libraries, "--top-module", module, str(FILES[module])])


@pytest.mark.yosys
@pytest.mark.parametrize("module, parameters, message", ILLEGAL)
def test_yosys_rejects(module, parameters, message):
    with pytest.raises(InputError, match=re.escape(f"{module}: {message}")):
        synthesise(module, parameters, list(FILES.values()), memories(module))


@pytest.mark.verilator
@pytest.mark.parametrize("module, parameters, message", ILLEGAL)
def test_verilator_rejects(module, parameters, message):
    with pytest.raises(TwinError, match=re.escape(f"{module}: {message}")):
        lint(module, parameters)


@pytest.mark.verilator
@pytest.mark.parametrize("module", sorted({module for module, *_ in ILLEGAL}))
def test_defaults_are_legal(module):
    """So a module is rejected above for the parameters that are named there."""
    lint(module, {})


def memories(module: str) -> dict[str, Memory]:
    """Contents for the tables that a module reads."""
    return {name.lower(): Memory.of(8, [0]) for name in re.findall(r"parameter (\w+)_FILE", FILES[module].read_text())}

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
    ("channel_slice", {"N_IN": 8, "FIRST": 6, "N_OUT": 3}, "N_OUT must be 1 to N_IN - FIRST"),
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
    """Contents for the one table that some modules read."""
    return {"table": Memory.of(8, [0])} if "TABLE_FILE" in FILES[module].read_text() else {}

"""The multiply-accumulate's description for simulators, its DSP48E1 and integers in Python do the same."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from hls_projects.rtl.bench import TESTBENCH
from hls_projects.verilog.twin import LIBRARY

BENCH = "multiply_accumulate_tb"
CELLS = Path("/usr/share/yosys/xilinx/cells_sim.v")
CYCLES = 3000
# From a, d and b, and from first and add, to the sum.
DATA_CYCLES, CONTROL_CYCLES = 4, 2
WIDTHS = (1, 1, 25, 25, 18)

pytestmark = pytest.mark.verilator


def stimuli() -> list[tuple[int, int, int, int, int]]:
    """(first, add, a, d, b) of every cycle."""
    rng = random.Random(0)

    def value(bits: int) -> int:
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        return rng.choice([low, high, -1, 0, rng.randint(low, high)])

    def row(first: bool) -> tuple[int, int, int, int, int]:
        return int(first), rng.randint(0, 1), value(8), value(8) << 16, value(9)

    return [row(cycle <= DATA_CYCLES or rng.random() < 0.1) for cycle in range(CYCLES)]


def expected(start: int, shift: int, preadd: int) -> list[tuple[int, int]]:
    """Sum and tie for the data of every cycle."""
    rows, total, result = stimuli(), 0, []
    for data, control in zip(rows, rows[DATA_CYCLES - CONTROL_CYCLES :], strict=False):
        (_, _, a, d, b), (first, add, *_) = data, control
        total = (start if first else total) + add * (a + preadd * d) * b
        result.append((total % (1 << 48), int(shift > 0 and total % (1 << shift) == 0)))
    return result


def simulate(work: Path, options: Sequence[str]) -> list[list[tuple[int, int]]]:
    """Sum and tie of the three multiply-accumulates, after every cycle."""
    work.mkdir()
    words = (
        "".join(f"{number % (1 << width):0{width}b}" for number, width in zip(row, WIDTHS, strict=True))
        for row in stimuli()
    )
    (work / "stimuli.hex").write_text("".join(f"{int(word, 2):x}\n" for word in words))
    flags = ["--binary", "--timescale", "1ns/1ns", "-Wno-fatal", "-Wno-lint", "-CFLAGS", "-O0", f"-GCYCLES={CYCLES}"]
    files = [str(TESTBENCH / f"{BENCH}.sv"), str(LIBRARY / "multiply_accumulate.sv")]
    subprocess.run(
        ["verilator", *flags, "--top-module", BENCH, *options, *files], cwd=work, check=True, capture_output=True
    )
    said = subprocess.run([work / "obj_dir" / f"V{BENCH}"], cwd=work, check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in said.splitlines() if not line.startswith("-")]
    return [[(int(row[place], 16), int(row[3][place])) for row in rows] for place in range(3)]


def cell(work: Path) -> Path:
    """Yosys's model of the DSP48E1 in a file of its own."""
    text = CELLS.read_text()
    start = text.index("module DSP48E1 (")
    path = work / "DSP48E1.v"
    path.write_text(text[start : text.index("endmodule", start)] + "endmodule\n")
    return path


@pytest.mark.parametrize("instantiated", [False, True])
def test_sums_and_ties(tmp_path, instantiated):
    if shutil.which("verilator") is None or not CELLS.exists():
        pytest.skip("needs Debian's verilator and yosys")
    options = ["+define+SYNTHESIS", str(cell(tmp_path))] if instantiated else []
    plain, rounded, pair = simulate(tmp_path / "work", options)
    right = [expected(0, 0, 0), expected(1 << 7, 8, 0), expected((1 << 23) + (1 << 7), 8, 1)]
    for got, model in zip((plain, rounded, pair), right, strict=True):
        # After the edge that ends cycle n the sum has the data of cycle n - 3.
        sums = got[DATA_CYCLES - 1 :]
        assert len(sums) == CYCLES - DATA_CYCLES + 1
        assert sums == model[: len(sums)]

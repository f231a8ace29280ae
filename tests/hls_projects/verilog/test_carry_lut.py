"""The adder's look-up tables and carry chain are its behavioural model, proved for every input."""

from __future__ import annotations

import subprocess

import pytest

from hls_projects.verilog.twin import LIBRARY

# Yosys defines SYNTHESIS but with -formal.
PROOF = """
read_verilog -formal {source}
chparam {model} carry_lut
hierarchy -top carry_lut
proc
flatten
rename -top model
design -stash model
read_verilog {source}
read_verilog +/xilinx/cells_sim.v
chparam {cells} carry_lut
hierarchy -top carry_lut
proc
flatten
rename -top cells
design -stash cells
design -copy-from model model
design -copy-from cells cells
miter -equiv -flatten -make_outputs model cells miter
sat -verify -prove trigger 0 miter
"""
BUCKET, SHIFT, FACTOR, BIAS = "d22d2dd222222222", "a5995a660f33f0cc", "aa555a5a6666aaaa", "aaaa55aa5a5a6666"


def proof(tmp_path, model: str, cells: str) -> subprocess.CompletedProcess:
    (tmp_path / "proof.ys").write_text(PROOF.format(source=LIBRARY / "carry_lut.sv", model=model, cells=cells))
    return subprocess.run(["yosys", "-q", "-s", "proof.ys"], cwd=tmp_path, capture_output=True, text=True, check=False)


@pytest.mark.yosys
@pytest.mark.parametrize("width", [1, 4, 7])
@pytest.mark.parametrize("raw, init", [(0, BUCKET), (0, SHIFT), (1, FACTOR), (1, BIAS)])
def test_cells_are_the_model(tmp_path, width, raw, init):
    values = f"-set WIDTH {width} -set RAW {raw} -set INIT 64'h{init}"
    run = proof(tmp_path, values, values)
    assert run.returncode == 0, run.stderr


@pytest.mark.yosys
def test_other_tables_are_found_out(tmp_path):
    values = f"-set WIDTH 5 -set RAW 0 -set INIT 64'h{BUCKET}"
    run = proof(tmp_path, values, values.replace(BUCKET, SHIFT))
    assert "proof did fail" in run.stderr

"""The measured tables are of the modules as they are."""

from __future__ import annotations

import csv

import pytest

from hls_projects.operators import AttentionScores, AttentionValues
from hls_projects.rtl.measure_attention import GRID, MEASUREMENTS, measure

pytestmark = pytest.mark.yosys


@pytest.mark.parametrize("cls, folding", [(AttentionScores, (3, 4, 0)), (AttentionValues, (3, 4, 1))])
def test_measured_again(cls, folding):
    with (MEASUREMENTS / f"{cls.kernel}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(GRID)
    row = {name: str(value) for name, value in measure(cls, folding).items()}
    if row["creator"] != rows[0]["creator"]:
        pytest.skip(f"the table is of {rows[0]['creator']}, this is {row['creator']}")
    assert row == rows[GRID.index(folding)]

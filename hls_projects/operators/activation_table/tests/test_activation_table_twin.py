"""The twin in Verilog sends every code through the table, a word a cycle."""

from __future__ import annotations

import numpy as np
import pytest
from qonnx.core.datatype import DataType

from hls_projects.operators import ActivationTable
from hls_projects.rtl.bench import check_twin
from tests.support.operators import limits, make_operator

pytestmark = pytest.mark.verilator


@pytest.mark.parametrize("types", [("INT8", "INT8"), ("UINT8", "INT8"), ("INT4", "UINT8")])
@pytest.mark.parametrize("stalls", [0, 1])
def test_every_code_at_a_word_a_cycle(types, stalls):
    low, high = limits(DataType[types[0]])
    random = np.random.default_rng(3)
    table = random.integers(*limits(DataType[types[1]]), high - low + 1, endpoint=True)
    sizes = {"n_tokens": 2, "n_in": (high - low + 1) // 2, "n_codes": len(table)}
    operator = make_operator(ActivationTable, [types[0]], types[1], table=table, **sizes)
    every = np.stack([random.permutation(np.arange(low, high + 1)) for _ in range(4)])
    cycles = check_twin(operator, every.reshape(4, 2, -1), stalls=stalls)
    if not stalls:
        assert cycles.interval() == high - low + 1 and cycles.latency() == 1

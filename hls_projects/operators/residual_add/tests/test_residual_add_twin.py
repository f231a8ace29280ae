"""The twin in Verilog adds like the operator, a word a cycle."""

from __future__ import annotations

import pytest

from hls_projects.operators import ResidualAdd
from hls_projects.rtl.bench import check_twin
from tests.support.operators import make_operator, mixed_codes

TOKENS, CHANNELS, IMAGES = 3, 40, 6


@pytest.mark.verilator
@pytest.mark.parametrize(
    ("in_dtypes", "out_dtype", "shifts"),
    [
        (["INT8", "INT8"], "INT8", (2, 0, 2)),
        (["INT8", "INT8"], "INT8", (0, 1, 1)),
        (["INT8", "UINT8"], "INT8", (1, 3, 4)),
        (["INT4", "INT8"], "UINT8", (3, 0, 1)),
        (["INT8", "INT8"], "INT8", (0, 0, 0)),
        (["UINT8", "UINT4"], "INT8", (0, 0, 6)),
    ],
)
def test_sums_at_a_word_a_cycle(in_dtypes, out_dtype, shifts):
    sizes = dict(zip(("a_shift", "b_shift", "out_shift"), shifts, strict=True))
    operator = make_operator(ResidualAdd, in_dtypes, out_dtype, n_tokens=TOKENS, n_in=CHANNELS, **sizes)
    cases = [mixed_codes(dtype, IMAGES, TOKENS, CHANNELS, seed=seed) for seed, dtype in enumerate(in_dtypes)]
    for seed in (1, 2):
        check_twin(operator, *cases, stalls=seed)
    cycles = check_twin(operator, *cases)
    assert cycles.interval() == TOKENS * CHANNELS and cycles.latency() == 1

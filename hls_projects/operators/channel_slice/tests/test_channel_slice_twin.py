"""The twin in Verilog passes the operator's channels, and reads a word a cycle, whether it is passed or dropped."""

from __future__ import annotations

import pytest

from hls_projects.operators import ChannelSlice
from hls_projects.rtl.bench import check_twin
from tests.support.operators import make_operator, mixed_codes

TOKENS, IMAGES = 3, 6


@pytest.mark.verilator
@pytest.mark.parametrize(
    ("dtype", "n_in", "n_out", "first"),
    [
        ("INT8", 36, 12, 0),
        ("INT8", 36, 12, 12),
        ("INT8", 36, 12, 24),
        ("INT8", 16, 8, 8),
        ("UINT4", 7, 1, 3),
        ("INT8", 5, 5, 0),
        ("INT6", 1, 1, 0),
    ],
)
def test_slices_at_a_word_a_cycle(dtype, n_in, n_out, first):
    operator = make_operator(ChannelSlice, [dtype], dtype, n_tokens=TOKENS, n_in=n_in, n_out=n_out, first=first)
    x = mixed_codes(dtype, IMAGES, TOKENS, n_in)
    for seed in (1, 2):
        check_twin(operator, x, stalls=seed)
    cycles = check_twin(operator, x)
    assert cycles.interval() == TOKENS * n_in
    assert cycles.latency() == first + 1

"""The twin in Verilog pools like the operator; the results leave with the last words in."""

from __future__ import annotations

import pytest

from hls_projects.operators import TokenPooling
from hls_projects.rtl.bench import check_twin
from tests.support.operators import make_operator, mixed_codes

IMAGES = 6


@pytest.mark.verilator
@pytest.mark.parametrize(
    ("in_dtype", "out_dtype", "tokens", "channels", "average", "multiplier", "out_shift"),
    [
        ("INT8", "INT8", 8, 12, 1, 1, 2),
        ("INT8", "INT8", 5, 7, 1, 205, 9),
        ("UINT8", "UINT8", 3, 4, 1, 171, 9),
        ("INT8", "INT8", 1, 5, 1, 1, 0),
        ("INT4", "INT8", 2, 1, 1, 3, 1),
        ("INT8", "INT8", 4, 6, 0, 1, 0),
        ("UINT8", "UINT8", 1, 2, 0, 1, 0),
    ],
)
def test_pooling_at_a_word_a_cycle(in_dtype, out_dtype, tokens, channels, average, multiplier, out_shift):
    operator = make_operator(
        TokenPooling, [in_dtype], out_dtype, n_tokens=tokens, n_in=channels, average=average,
        multiplier=multiplier, out_shift=out_shift,
    )  # fmt: skip
    x = mixed_codes(in_dtype, IMAGES, tokens, channels)
    for seed in (1, 2):
        check_twin(operator, x, stalls=seed)
    cycles = check_twin(operator, x)
    assert cycles.interval() == tokens * channels
    assert cycles.latency() == (tokens - 1) * channels * average + 2


@pytest.mark.verilator
@pytest.mark.parametrize("code", [-128, 127])
def test_the_largest_sums(code):
    operator = make_operator(TokenPooling, ["INT8"], "INT8", n_tokens=64, n_in=3, average=1, multiplier=1, out_shift=5)
    x = mixed_codes("INT8", 2, 64, 3)
    x[0] = code
    check_twin(operator, x)

"""A folding that a kernel cannot work with is refused, by the names of the node and the attribute."""

from __future__ import annotations

import numpy as np
import pytest

from hls_projects.operators import AttentionScores, AttentionValues, Head, PotLinear, ResidualAdd
from tests.support.operators import make_operator

HEADS, WINDOW, CHANNELS, OUTPUTS = 6, 8, 9, 5
ATTENTION = {"n_tokens": 16, "tile_size": 4, "load_size": 4, "n_window": WINDOW, "n_heads": HEADS, "head_dim": CHANNELS}
NONE = np.zeros(OUTPUTS)
LINEAR = {
    "n_tokens": 2, "n_in": 20, "n_out": OUTPUTS, "exponent_bits": 3, "mantissa_bits": 0,
    "codes": np.ones((OUTPUTS, 20)), "bias": NONE, "acc_shift": NONE, "out_shift": NONE,
}  # fmt: skip


def attention(cls, **folding):
    return make_operator(cls, ["INT8", "INT8"], "INT8", **ATTENTION, out_shift=9, **folding)


def linear(cls, **folding):
    return make_operator(cls, ["INT8"], "INT8", **(LINEAR | folding))


@pytest.mark.parametrize(
    "cls, folding, wanted",
    [
        (AttentionScores, {"parallel_heads": 0}, "a divisor of n_heads, 6, not 0"),
        (AttentionScores, {"parallel_heads": 4}, "a divisor of n_heads, 6, not 4"),
        (AttentionScores, {"parallel_heads": 12}, "a divisor of n_heads, 6, not 12"),
        (AttentionScores, {"parallel_keys": -2}, "a divisor of load_size, 4, not -2"),
        (AttentionScores, {"parallel_keys": 8}, "a divisor of load_size, 4, not 8"),
        (AttentionScores, {"packed": 2}, "0 or 1, not 2"),
        (AttentionValues, {"parallel_heads": 5}, "a divisor of n_heads, 6, not 5"),
        (AttentionValues, {"parallel_channels": 0}, "a divisor of head_dim, 9, not 0"),
        (AttentionValues, {"parallel_channels": 2}, "a divisor of head_dim, 9, not 2"),
        (AttentionValues, {"packed": -1}, "0 or 1, not -1"),
        *(
            (cls, *misfit)
            for cls in (PotLinear, Head)
            for misfit in [
                ({"pe": 0}, "at least 1, not 0"),
                ({"pe": 6}, "at most n_out, 5, not 6"),
                ({"simd": 0}, "at least 1, not 0"),
                ({"element": "adder"}, "shift or bucket or dsp, not adder"),
                ({"sparse": 2}, "0 or 1, not 2"),
                ({"result_buffers": 0}, "1 or 2, not 0"),
                ({"parallel_tokens": 0}, "at least 1, not 0"),
                ({"parallel_tokens": 3}, "1 or 2, not 3"),
            ]
        ),
        (PotLinear, {"parallel_tokens": 2, "n_tokens": 3}, "a divisor of n_tokens, 3, not 2"),
        (Head, {"parallel_tokens": 2, "n_tokens": 1}, "a divisor of n_tokens, 1, not 2"),
    ],
)
def test_a_folding_that_does_not_fit(cls, folding, wanted):
    make = attention if cls in (AttentionScores, AttentionValues) else linear
    with pytest.raises(ValueError) as caught:
        make(cls, **folding).check_folding()
    assert str(caught.value) == f"node node: {next(iter(folding))} must be {wanted}"


@pytest.mark.parametrize(
    "operator",
    [
        attention(AttentionScores, parallel_heads=6, parallel_keys=4, packed=1),
        attention(AttentionScores, parallel_heads=2, parallel_keys=2),
        attention(AttentionValues, parallel_heads=3, parallel_channels=9),
        linear(PotLinear),
        linear(PotLinear, pe=5, simd=40, element="bucket", sparse=1, result_buffers=2, parallel_tokens=2),
        linear(Head, pe=3, simd=2, element="dsp"),
        make_operator(
            ResidualAdd, ["INT8", "INT8"], "INT8", n_tokens=2, n_in=4, a_shift=0, b_shift=0, out_shift=1
        ),
    ],
)  # fmt: skip
def test_a_folding_that_fits(operator):
    operator.check_folding()

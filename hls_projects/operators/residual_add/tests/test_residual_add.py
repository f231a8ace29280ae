"""The kernel, its numpy semantics and loops over python integers agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import ResidualAdd
from tests.support.kernel_bench import check_kernel
from tests.support.operators import codes, kernel_settings, limits, make_operator, naive_requantize

TOKENS, CHANNELS, CASES = 2, 4, 8
CONFIGS = [
    (["INT8", "INT8"], "INT8", {"a_shift": 0, "b_shift": 3, "out_shift": 2}),
    (["UINT8", "INT8"], "INT8", {"a_shift": 2, "b_shift": 0, "out_shift": 0}),
    (["INT8", "INT8"], "UINT8", {"a_shift": 0, "b_shift": 0, "out_shift": 1}),
    (["INT4", "INT8"], "INT8", {"a_shift": 0, "b_shift": 0, "out_shift": 12}),
]


def naive(operator: ResidualAdd, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    scales = 2 ** operator.size("a_shift"), 2 ** operator.size("b_shift")
    pairs = zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)
    totals = [x * scales[0] + y * scales[1] for x, y in pairs]
    shift = operator.size("out_shift")
    return np.array([naive_requantize(total, shift, operator.out_dtype) for total in totals]).reshape(a.shape)


@pytest.mark.parametrize("config", CONFIGS)
@kernel_settings
@given(data=st.data())
def test_any_streams(config, data):
    in_dtypes, out_dtype, shifts = config
    operator = make_operator(ResidualAdd, in_dtypes, out_dtype, n_tokens=TOKENS, n_in=CHANNELS, **shifts)
    a, b = (data.draw(codes(dtype, CASES, TOKENS, CHANNELS)) for dtype in in_dtypes)
    np.testing.assert_array_equal(check_kernel(operator, a, b), naive(operator, a, b))


@pytest.mark.parametrize("config", CONFIGS)
def test_ends_against_every_code(config):
    """Ties, saturation at both ends and the accumulator's extremes."""
    in_dtypes, out_dtype, shifts = config
    operator = make_operator(ResidualAdd, in_dtypes, out_dtype, n_tokens=TOKENS, n_in=CHANNELS, **shifts)
    low, high = limits(operator.in_dtype(1))
    every = np.arange(low, high + 1).reshape(-1, TOKENS, CHANNELS)
    for end in (*limits(operator.in_dtype(0)), 0, 1):
        a = np.full_like(every, end)
        np.testing.assert_array_equal(check_kernel(operator, a, every), naive(operator, a, every))

"""The kernel, its numpy semantics and loops over python integers agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import TokenPooling
from tests.support.kernel_bench import check_kernel
from tests.support.operators import codes, kernel_settings, limits, make_operator, naive_requantize

CHANNELS, CASES = 4, 8
CONFIGS = [
    ("INT8", "INT8", {"n_tokens": 4, "average": 1, "multiplier": 1, "out_shift": 2}),
    ("UINT8", "INT8", {"n_tokens": 3, "average": 1, "multiplier": 21845, "out_shift": 16}),
    ("INT8", "INT8", {"n_tokens": 2, "average": 1, "multiplier": 3, "out_shift": 0}),
    ("INT8", "INT8", {"n_tokens": 3, "average": 0, "multiplier": 1, "out_shift": 0}),
]


def naive(operator: TokenPooling, x: np.ndarray) -> np.ndarray:
    counted = operator.size("n_tokens") if operator.size("average") else 1
    result = np.zeros((len(x), 1, CHANNELS), dtype=np.int64)
    for case, _, channel in np.ndindex(result.shape):
        total = sum(int(x[case, token, channel]) for token in range(counted)) * operator.size("multiplier")
        result[case, 0, channel] = naive_requantize(total, operator.size("out_shift"), operator.out_dtype)
    return result


@pytest.mark.parametrize("config", CONFIGS)
@kernel_settings
@given(data=st.data())
def test_any_tokens(config, data):
    in_dtype, out_dtype, sizes = config
    operator = make_operator(TokenPooling, [in_dtype], out_dtype, n_in=CHANNELS, **sizes)
    x = data.draw(codes(in_dtype, CASES, sizes["n_tokens"], CHANNELS))
    x = np.concatenate([x, _ends(operator)])
    np.testing.assert_array_equal(check_kernel(operator, x), naive(operator, x))


def test_first_token_passes_unchanged():
    operator = make_operator(TokenPooling, ["INT8"], "INT8", n_in=CHANNELS, **CONFIGS[3][2])
    x = np.arange(-128, 128).reshape(-1, 1, CHANNELS).repeat(3, axis=1)
    x[:, 1:] = 77
    np.testing.assert_array_equal(check_kernel(operator, x), x[:, :1])


def _ends(operator: TokenPooling) -> np.ndarray:
    """All codes at one end of their type."""
    ends = np.array(limits(operator.in_dtype())).reshape(2, 1, 1)
    return ends.repeat(operator.size("n_tokens"), 1).repeat(CHANNELS, 2)

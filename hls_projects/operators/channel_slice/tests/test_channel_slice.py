"""The kernel, its numpy semantics and loops over python integers agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import ChannelSlice
from tests.support.kernel_bench import check_kernel
from tests.support.operators import codes, kernel_settings, make_operator

TOKENS, CASES = 3, 8
# (type, n_in, n_out, first)
CONFIGS = [("INT8", 9, 3, 0), ("INT8", 9, 3, 3), ("INT8", 9, 3, 6), ("UINT4", 5, 1, 2), ("INT8", 4, 4, 0)]


def naive(operator: ChannelSlice, images: list) -> list:
    first = operator.size("first")
    selected = range(first, first + operator.size("n_out"))
    return [[[token[channel] for channel in selected] for token in image] for image in images]


@pytest.mark.parametrize("config", CONFIGS)
@kernel_settings
@given(data=st.data())
def test_any_stream(config, data):
    dtype, n_in, n_out, first = config
    operator = make_operator(ChannelSlice, [dtype], dtype, n_tokens=TOKENS, n_in=n_in, n_out=n_out, first=first)
    x = data.draw(codes(dtype, CASES, TOKENS, n_in))
    np.testing.assert_array_equal(check_kernel(operator, x), naive(operator, x.tolist()))


def test_slices_side_by_side_are_the_stream():
    x = np.arange(2 * TOKENS * 6).reshape(2, TOKENS, 6)
    parts = [
        make_operator(ChannelSlice, ["INT8"], "INT8", n_tokens=TOKENS, n_in=6, n_out=n_out, first=first).execute(x)
        for first, n_out in ((0, 1), (1, 3), (4, 2))
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=-1), x)

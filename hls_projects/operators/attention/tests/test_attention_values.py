"""The kernel, its numpy semantics and loops over python integers agree."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import AttentionValues
from hls_projects.operators.attention.window import Window
from tests.support.kernel_bench import check_kernel
from tests.support.operators import (
    WINDOW_MACS,
    codes,
    images,
    kernel_settings,
    limits,
    make_operator,
    naive_requantize,
    naive_slots,
    windowed,
)

CASES = 6
FOLDINGS = [
    {"parallel_heads": 2, "parallel_channels": 2},
    {"parallel_channels": 3},
    {"parallel_heads": 3},
    {"parallel_channels": 3},
    {},
    {"parallel_channels": 2},
]
TYPES = windowed(
    [
        (["UINT8", "INT8"], "INT8", 8),
        (["UINT8", "INT8"], "INT8", 0),
        (["UINT4", "INT4"], "INT4", 12),
        (["UINT8", "INT8"], "INT8", 8),
        (["UINT8", "INT8"], "INT8", 7),
        (["UINT8", "INT8"], "INT8", 8),
    ]
)
CONFIGS = [(*types, sizes | folding) for (*types, sizes), folding in zip(TYPES, FOLDINGS, strict=True)]


def naive(operator: AttentionValues, p: np.ndarray, v: np.ndarray) -> np.ndarray:
    tokens, heads, channels, slots = (operator.size(name) for name in ("n_tokens", "n_heads", "head_dim", "n_window"))
    result = np.zeros((len(p), tokens, heads * channels), dtype=np.int64)
    for case, query, head, channel in np.ndindex(len(p), tokens, heads, channels):
        column = head * channels + channel
        seen = naive_slots(operator, query).items()
        value = sum(int(p[case, query, head * slots + slot]) * int(v[case, key, column]) for slot, key in seen)
        result[case, query, column] = naive_requantize(value, operator.size("out_shift"), operator.out_dtype)
    return result


@pytest.mark.parametrize("config", CONFIGS)
@kernel_settings
@given(data=st.data())
def test_any_probabilities_and_values(config, data):
    in_dtypes, out_dtype, sizes = config
    operator = make_operator(AttentionValues, in_dtypes, out_dtype, **sizes)
    p = data.draw(codes(in_dtypes[0], CASES, sizes["n_tokens"], sizes["n_heads"] * sizes["n_window"]))
    v = data.draw(codes(in_dtypes[1], CASES, sizes["n_tokens"], sizes["n_heads"] * sizes["head_dim"]))
    np.testing.assert_array_equal(check_kernel(operator, p, v), naive(operator, p, v))


def test_groups_of_several_heads_and_channels():
    """Two groups of two heads, each of two groups of two channels."""
    sizes = asdict(Window.of_tiles(8, tile_size=2, context_tiles=1)) | {"n_heads": 4, "head_dim": 4, "out_shift": 8}
    folding = {"parallel_heads": 2, "parallel_channels": 2}
    operator = make_operator(AttentionValues, ["UINT8", "INT8"], "INT8", **sizes, **folding)
    p, v = images(operator, 8)
    np.testing.assert_array_equal(check_kernel(operator, p, v), naive(operator, p, v))


@pytest.mark.parametrize("config", CONFIGS)
def test_extremes(config):
    """The accumulator holds the products of all ends of the input types."""
    in_dtypes, out_dtype, sizes = config
    operator = make_operator(AttentionValues, in_dtypes, out_dtype, **sizes)
    ends = [(a, b) for a in limits(operator.in_dtype(0)) for b in limits(operator.in_dtype(1))]
    words = sizes["n_heads"] * sizes["n_window"], sizes["n_heads"] * sizes["head_dim"]
    p, v = (
        np.broadcast_to(np.array(end).reshape(-1, 1, 1), (len(ends), sizes["n_tokens"], word))
        for end, word in zip(zip(*ends, strict=True), words, strict=True)
    )
    np.testing.assert_array_equal(check_kernel(operator, p, v), naive(operator, p, v))


@pytest.mark.parametrize("config, macs", zip(CONFIGS, WINDOW_MACS, strict=True))
def test_macs(config, macs):
    in_dtypes, out_dtype, sizes = config
    assert make_operator(AttentionValues, in_dtypes, out_dtype, **sizes).macs() == macs

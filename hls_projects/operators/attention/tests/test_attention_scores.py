"""The kernel, its numpy semantics and loops over python integers agree."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import AttentionScores
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
    {"parallel_heads": 2, "parallel_keys": 3},
    {},
    {"parallel_heads": 3},
    {"parallel_heads": 2, "parallel_keys": 2},
    {},
    {"parallel_keys": 2},
]
TYPES = windowed(
    [
        (["INT8", "INT8"], "INT8", 9),
        (["UINT8", "INT8"], "INT8", 0),
        (["INT4", "INT4"], "INT8", 12),
        (["INT8", "INT8"], "INT8", 9),
        (["INT8", "INT8"], "INT8", 3),
        (["INT8", "INT8"], "INT8", 9),
    ]
)
CONFIGS = [(*types, sizes | folding) for (*types, sizes), folding in zip(TYPES, FOLDINGS, strict=True)]


def naive(operator: AttentionScores, q: np.ndarray, k: np.ndarray) -> np.ndarray:
    tokens, heads, channels, slots = (operator.size(name) for name in ("n_tokens", "n_heads", "head_dim", "n_window"))
    result = np.zeros((len(q), tokens, heads * slots), dtype=np.int64)
    for case, query, head in np.ndindex(len(q), tokens, heads):
        for slot, key in naive_slots(operator, query).items():
            columns = range(head * channels, (head + 1) * channels)
            score = sum(int(q[case, query, c]) * int(k[case, key, c]) for c in columns)
            result[case, query, head * slots + slot] = naive_requantize(
                score, operator.size("out_shift"), operator.out_dtype
            )
    return result


@pytest.mark.parametrize("config", CONFIGS)
@kernel_settings
@given(data=st.data())
def test_any_queries_and_keys(config, data):
    in_dtypes, out_dtype, sizes = config
    operator = make_operator(AttentionScores, in_dtypes, out_dtype, **sizes)
    shape = CASES, sizes["n_tokens"], sizes["n_heads"] * sizes["head_dim"]
    q, k = (data.draw(codes(dtype, *shape)) for dtype in in_dtypes)
    np.testing.assert_array_equal(check_kernel(operator, q, k), naive(operator, q, k))


def test_groups_of_several_heads_and_keys():
    """Two groups of two heads, each of two groups of two keys."""
    sizes = asdict(Window.of_tiles(8, tile_size=2, context_tiles=1)) | {"n_heads": 4, "head_dim": 3, "out_shift": 8}
    folding = {"parallel_heads": 2, "parallel_keys": 2}
    operator = make_operator(AttentionScores, ["INT8", "INT8"], "INT8", **sizes, **folding)
    q, k = images(operator, 8)
    np.testing.assert_array_equal(check_kernel(operator, q, k), naive(operator, q, k))


@pytest.mark.parametrize("config", CONFIGS)
def test_extremes(config):
    """The accumulator holds the products of all ends of the input types."""
    in_dtypes, out_dtype, sizes = config
    operator = make_operator(AttentionScores, in_dtypes, out_dtype, **sizes)
    ends = [(a, b) for a in limits(operator.in_dtype(0)) for b in limits(operator.in_dtype(1))]
    shape = len(ends), sizes["n_tokens"], sizes["n_heads"] * sizes["head_dim"]
    q, k = (np.broadcast_to(np.array(end).reshape(-1, 1, 1), shape) for end in zip(*ends, strict=True))
    np.testing.assert_array_equal(check_kernel(operator, q, k), naive(operator, q, k))


@pytest.mark.parametrize("config, macs", zip(CONFIGS, WINDOW_MACS, strict=True))
def test_macs(config, macs):
    in_dtypes, out_dtype, sizes = config
    assert make_operator(AttentionScores, in_dtypes, out_dtype, **sizes).macs() == macs

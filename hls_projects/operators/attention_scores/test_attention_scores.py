"""The kernel, its numpy semantics and loops over python integers agree."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.kernel_bench import check_kernel
from hls_projects.operators import AttentionScores
from hls_projects.operators.window import Window
from hls_projects.testing import codes, kernel_settings, limits, make_operator, naive_requantize, naive_slots

CASES = 6
WINDOWS = [
    Window.whole(3, tile_size=2),
    Window.whole(2, tile_size=1),
    Window.whole(2, tile_size=2),
    Window.of_tiles(6, tile_size=2, context_tiles=1),
    Window.of_tiles(4, tile_size=1, context_tiles=2),
    Window.of_tiles(4, tile_size=2, context_tiles=0),
]
CONFIGS = [
    (in_dtypes, out_dtype, dataclasses.asdict(window) | sizes)
    for window, (in_dtypes, out_dtype, sizes) in zip(
        WINDOWS,
        [
            (["INT8", "INT8"], "INT8", {"n_heads": 2, "head_dim": 4, "out_shift": 9}),
            (["UINT8", "INT8"], "INT8", {"n_heads": 1, "head_dim": 3, "out_shift": 0}),
            (["INT4", "INT4"], "INT8", {"n_heads": 3, "head_dim": 1, "out_shift": 12}),
            (["INT8", "INT8"], "INT8", {"n_heads": 2, "head_dim": 3, "out_shift": 9}),
            (["INT8", "INT8"], "INT8", {"n_heads": 1, "head_dim": 2, "out_shift": 3}),
            (["INT8", "INT8"], "INT8", {"n_heads": 1, "head_dim": 2, "out_shift": 9}),
        ],
        strict=True,
    )
]
# Queries times the keys that they see times channels, over the heads.
MACS = [3 * 3 * 4 * 2, 2 * 2 * 3, 2 * 2 * 1 * 3, (2 * 2 + 2 * 4 + 2 * 4) * 3 * 2, (1 + 2 + 3 + 3) * 2, 4 * 2 * 2]


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


@pytest.mark.parametrize("config", CONFIGS)
def test_extremes(config):
    """The accumulator holds the products of all ends of the input types."""
    in_dtypes, out_dtype, sizes = config
    operator = make_operator(AttentionScores, in_dtypes, out_dtype, **sizes)
    ends = [(a, b) for a in limits(operator.in_dtype(0)) for b in limits(operator.in_dtype(1))]
    shape = len(ends), sizes["n_tokens"], sizes["n_heads"] * sizes["head_dim"]
    q, k = (np.broadcast_to(np.array(end).reshape(-1, 1, 1), shape) for end in zip(*ends, strict=True))
    np.testing.assert_array_equal(check_kernel(operator, q, k), naive(operator, q, k))


@pytest.mark.parametrize("config, macs", zip(CONFIGS, MACS, strict=True))
def test_macs(config, macs):
    in_dtypes, out_dtype, sizes = config
    assert make_operator(AttentionScores, in_dtypes, out_dtype, **sizes).macs() == macs

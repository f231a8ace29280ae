"""The kernel, its numpy semantics and loops over python integers agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import PositionEmbedding
from tests.support.kernel_bench import check_kernel
from tests.support.operators import bulk, codes, kernel_settings, limits, make_operator, naive_requantize

PATCHES, CHANNELS, CASES = 3, 4, 8
CONFIGS = [
    ("INT8", {"n_prefix": 0, "in_shift": 2, "out_shift": 3}),
    ("INT8", {"n_prefix": 1, "in_shift": 0, "out_shift": 1}),
    ("UINT8", {"n_prefix": 1, "in_shift": 3, "out_shift": 0}),
    ("INT4", {"n_prefix": 0, "in_shift": 0, "out_shift": 14}),
]
TABLE = -700, 600


def naive(operator: PositionEmbedding, x: np.ndarray) -> np.ndarray:
    prefix, table = operator.size("n_prefix"), operator.array("table").reshape(-1, CHANNELS).tolist()
    result = np.zeros((len(x), len(table), CHANNELS), dtype=np.int64)
    for case, token, channel in np.ndindex(result.shape):
        code = 0 if token < prefix else int(x[case, token - prefix, channel])
        total = code * 2 ** operator.size("in_shift") + table[token][channel]
        result[case, token, channel] = naive_requantize(total, operator.size("out_shift"), operator.out_dtype)
    return result


def embedding(config: tuple[str, dict[str, int]], table: np.ndarray) -> PositionEmbedding:
    return make_operator(
        PositionEmbedding, [config[0]], "INT8", n_patches=PATCHES, n_in=CHANNELS, table=table, **config[1]
    )


@pytest.mark.parametrize("config", CONFIGS)
@kernel_settings
@given(data=st.data())
def test_any_table_and_tokens(config, data):
    operator = embedding(config, data.draw(bulk(*TABLE, (config[1]["n_prefix"] + PATCHES) * CHANNELS)))
    x = data.draw(codes(config[0], CASES, PATCHES, CHANNELS))
    np.testing.assert_array_equal(check_kernel(operator, x), naive(operator, x))


@pytest.mark.parametrize("config", CONFIGS)
def test_extremes(config):
    """Both ends of the table meet both ends of the input."""
    table = np.resize(TABLE, (config[1]["n_prefix"] + PATCHES) * CHANNELS)
    operator = embedding(config, table)
    x = np.array(limits(operator.in_dtype())).reshape(2, 1, 1).repeat(PATCHES, 1).repeat(CHANNELS, 2)
    np.testing.assert_array_equal(check_kernel(operator, x), naive(operator, x))

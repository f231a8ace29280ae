"""The kernel, its numpy semantics and a model in fractions agree."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import IntegerSoftmax
from hls_projects.operators.attention.window import Window
from tests.support.kernel_bench import check_kernel
from tests.support.operators import (
    codes,
    integers,
    kernel_settings,
    make_operator,
    naive_requantize,
    naive_significand,
    naive_slots,
)

CASES = 8


@dataclass(frozen=True)
class Config:
    """``top`` is the exponential of the maximum: below 128 the sum's exponent is negative."""

    dtype: str
    heads: int
    window: Window
    top: int
    out_shift: int

    @property
    def n_codes(self) -> int:
        return 16 if self.dtype == "INT4" else 256

    @property
    def tokens(self) -> int:
        return self.window.n_tokens

    @property
    def word(self) -> int:
        return self.heads * self.window.n_window


# With these tables probability 1 is code 2^8, which saturates to 255.
CONFIGS = [
    Config("INT8", heads=2, window=Window.whole(5, tile_size=2), top=2**12, out_shift=7),
    Config("INT8", heads=1, window=Window.whole(3, tile_size=3), top=255, out_shift=7),
    Config("INT4", heads=1, window=Window.of_tiles(4, tile_size=2, context_tiles=1), top=5, out_shift=7),
    Config("UINT8", heads=1, window=Window.whole(1, tile_size=1), top=128, out_shift=0),
    Config("INT8", heads=2, window=Window.of_tiles(6, tile_size=2, context_tiles=2), top=255, out_shift=7),
    Config("UINT8", heads=1, window=Window.of_tiles(3, tile_size=1, context_tiles=1), top=255, out_shift=7),
]
RECIPROCALS = np.array([round(2**15 / mantissa) for mantissa in range(128, 256)])


def naive(operator: IntegerSoftmax, scores: np.ndarray) -> np.ndarray:
    exp_table, reciprocals = (operator.array(name).tolist() for name in ("exp_table", "reciprocal_table"))
    tokens, heads, slots = (operator.size(name) for name in ("n_tokens", "n_heads", "n_window"))
    result = np.zeros(scores.shape, dtype=np.int64)
    for case, token, head in np.ndindex(len(scores), tokens, heads):
        places = [head * slots + slot for slot in naive_slots(operator, token)]
        row = scores[case, token, places].tolist()
        exps = [exp_table[max(row) - score] for score in row]
        mantissa, exponent = naive_significand(sum(exps))
        for place, numerator in zip(places, exps, strict=True):
            product, shift = numerator * reciprocals[mantissa - 128], operator.size("out_shift") + exponent
            result[case, token, place] = naive_requantize(product, shift, operator.out_dtype)
    return result


def softmax(config: Config, exp_table: np.ndarray, reciprocals: np.ndarray = RECIPROCALS) -> IntegerSoftmax:
    return make_operator(
        IntegerSoftmax, [config.dtype], "UINT8",
        n_heads=config.heads, n_codes=config.n_codes, out_shift=config.out_shift,
        exp_table=exp_table, reciprocal_table=reciprocals, **dataclasses.asdict(config.window),
    )  # fmt: skip


def exponentials(config: Config, slope: float = 1 / 16) -> np.ndarray:
    return np.array([round(config.top * math.exp(-slope * distance)) for distance in range(config.n_codes)])


@pytest.mark.parametrize("config", CONFIGS)
@kernel_settings
@given(data=st.data())
def test_any_scores_and_tables(config, data):
    exp_table = exponentials(config, data.draw(st.sampled_from([0.0, 1 / 64, 1 / 16, 1.0, 10.0])))
    # The first reciprocal pins the type.
    reciprocals = np.array([256, *data.draw(st.lists(integers(0, 256), min_size=127, max_size=127))])
    for operator in (softmax(config, exp_table), softmax(config, exp_table, reciprocals)):
        scores = data.draw(codes(config.dtype, CASES, config.tokens, config.word))
        np.testing.assert_array_equal(check_kernel(operator, scores), naive(operator, scores))


@pytest.mark.parametrize("config", CONFIGS)
def test_equal_scores(config):
    """Every key has the same share, wherever the scores lie."""
    operator = softmax(config, exponentials(config))
    low, high = int(operator.in_dtype().min()), int(operator.in_dtype().max())
    scores = np.array([low, 0, high]).reshape(3, 1, 1) * np.ones((1, config.tokens, config.word), dtype=int)
    got = check_kernel(operator, scores)
    np.testing.assert_array_equal(got, naive(operator, scores))
    valid = np.tile(config.window.keys() >= 0, config.heads)
    share = np.where(valid, np.minimum(256 / valid.sum(axis=1, keepdims=True) * config.heads, 255), 0)
    assert np.abs(got - share).max() <= 1


@pytest.mark.parametrize("config", CONFIGS[:2])
def test_one_hot(config):
    """The largest distance there is: all of the probability goes to one key."""
    operator = softmax(config, exponentials(config))
    keys = config.window.n_window
    scores = np.full((keys, config.tokens, config.heads, keys), -128)
    scores[np.arange(keys), :, :, np.arange(keys)] = 127
    scores = scores.reshape(keys, config.tokens, -1)
    got = check_kernel(operator, scores)
    np.testing.assert_array_equal(got, naive(operator, scores))
    np.testing.assert_array_equal(got, np.where(scores == 127, 255, 0))


def test_left_shift_is_refused():
    config = Config("INT8", heads=1, window=Window.whole(3, tile_size=3), top=1, out_shift=6)
    with pytest.raises(ValueError, match="left shift"):
        softmax(config, exponentials(config)).types()

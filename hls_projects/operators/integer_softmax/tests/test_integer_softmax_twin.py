"""The twin in Verilog gives the operator's probabilities, in the cycles that its stages take."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from hls_projects.operators import IntegerSoftmax
from hls_projects.operators.attention.window import Window
from hls_projects.rtl.bench import check_twin
from tests.support.operators import make_operator, mixed_codes

pytestmark = pytest.mark.verilator
IMAGES = 6
RECIPROCALS = np.array([round(2**15 / mantissa) for mantissa in range(128, 256)])
# Type, heads, window and the exponential of the maximum, with sums of 3 to 19 bits.
CONFIGS = [
    ("INT8", 2, Window.whole(5, tile_size=2), 2**12),
    ("INT8", 1, Window.whole(3, tile_size=3), 255),
    ("INT4", 1, Window.of_tiles(4, tile_size=2, context_tiles=1), 5),
    ("UINT8", 1, Window.whole(1, tile_size=1), 128),
    ("INT8", 2, Window.of_tiles(6, tile_size=2, context_tiles=2), 255),
    ("UINT8", 1, Window.of_tiles(3, tile_size=1, context_tiles=1), 255),
    ("INT8", 2, Window.of_tiles(8, tile_size=4, context_tiles=0), 255),
    ("INT8", 3, Window.whole(64, tile_size=8), 255),
]


def softmax(dtype, heads, window, top, slope=1 / 16, out_dtype="UINT8"):
    n_codes = 16 if dtype == "INT4" else 256
    exponentials = np.array([round(top * math.exp(-slope * distance)) for distance in range(n_codes)])
    return make_operator(
        IntegerSoftmax, [dtype], out_dtype, n_heads=heads, n_codes=n_codes, out_shift=7,
        exp_table=exponentials, reciprocal_table=RECIPROCALS, **dataclasses.asdict(window),
    )  # fmt: skip


def factor_cycles(operator):
    """``CYCLES`` of ``scale_factor.sv``."""
    parameters = operator.twin().parameters
    return (max(parameters["SUM_WIDTH"], 8) - 4) // 4 + 3 + 1 + parameters["SHIFTS"]


@pytest.mark.parametrize("config", CONFIGS)
def test_rows_without_a_pause(config):
    dtype, heads, window, _ = config
    images = IMAGES if window.n_tokens < 64 else 2
    scores = mixed_codes(dtype, images, window.n_tokens, heads * window.n_window)
    for slope in (0.0, 1 / 64, 1 / 16, 1.0):
        operator = softmax(*config, slope=slope)
        for stalls in (0, 1, 2):
            cycles = check_twin(operator, scores, stalls=stalls)
            if not stalls:
                row = window.n_window + factor_cycles(operator) + 1
                assert cycles.interval() == window.n_tokens * heads * row
                assert cycles.latency() == 2 * window.n_window + factor_cycles(operator) + 7


@pytest.mark.parametrize("config", CONFIGS[:-1])
def test_equal_scores_and_one_hot(config):
    """The largest sums and the largest distances."""
    _, heads, window, _ = config
    operator = softmax(*config)
    low, high = int(operator.in_dtype().min()), int(operator.in_dtype().max())
    shape = (window.n_tokens, heads * window.n_window)
    equal = np.stack([np.full(shape, code) for code in (low, 0, high)])
    one_hot = np.where(np.arange(shape[1]) % window.n_window == np.arange(window.n_window)[:, None, None], high, low)
    one_hot = np.broadcast_to(one_hot, (window.n_window, *shape))
    for stalls in (0, 3):
        check_twin(operator, np.concatenate([equal, one_hot, low + high - one_hot]), stalls=stalls)


def test_any_reciprocals():
    """Products of both parities, halves and saturation, at every exponent."""
    config = CONFIGS[1]
    random = np.random.default_rng(11)
    for _ in range(4):
        operator = softmax(*config)
        operator.set_nodeattr("reciprocal_table", np.append(256, random.integers(0, 257, 127)).astype(np.float32))
        check_twin(operator, mixed_codes("INT8", 40, 3, 3, seed=int(random.integers(99))))

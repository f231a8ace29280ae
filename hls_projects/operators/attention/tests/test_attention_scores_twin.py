"""The twin in Verilog gives the operator's scores, as often as its formula says."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from hls_projects.operators import AttentionScores
from hls_projects.operators.attention.window import Window
from hls_projects.rtl.bench import check_twin
from tests.support.operators import images, limits, make_operator, windowed

INT8 = ["INT8", "INT8"]
TINY = windowed(
    [
        (INT8, "INT8", 9),
        (["UINT8", "INT8"], "INT8", 0),
        (["INT4", "INT4"], "INT8", 12),
        (INT8, "INT8", 9),
        (["INT8", "INT6"], "INT4", 3),
        (["INT8", "UINT8"], "INT8", 9),
    ]
)
# parallel_heads, parallel_keys, packed.
TINY_FOLDINGS = [(2, 2, 1), (1, 1, 0), (2, 2, 0), (1, 2, 1), (1, 1, 1), (1, 2, 0)]
LARGER = [
    (Window.of_tiles(24, tile_size=8, context_tiles=2), 3, 16, (2, 3, 1)),
    (Window.of_tiles(10, tile_size=5, context_tiles=1), 2, 4, (2, 5, 0)),
    (Window.whole(20, tile_size=8), 3, 12, (3, 8, 0)),
    (Window.whole(20, tile_size=8), 3, 32, (3, 6, 1)),
]
REFERENCE = Window.whole(64, tile_size=8)

pytestmark = pytest.mark.verilator


def folded(in_dtypes, out_dtype, sizes, folding):
    names = ("parallel_heads", "parallel_keys", "packed")
    return make_operator(AttentionScores, in_dtypes, out_dtype, **sizes, **dict(zip(names, folding, strict=True)))


def sizes(window, heads, channels, shift=8):
    return asdict(window) | {"n_heads": heads, "head_dim": channels, "out_shift": shift}


def interval(operator):
    """Cycles an image when every stage runs all the time: the slowest stage's."""
    tokens, heads, channels, window, load = (
        operator.size(name) for name in ("n_tokens", "n_heads", "head_dim", "n_window", "load_size")
    )
    lanes = operator.size("parallel_heads"), operator.size("parallel_keys")
    sums = -(-heads // lanes[0]) * (window // load) * -(-load // lanes[1])
    return tokens * max(heads * channels, sums * max(channels, lanes[0] * lanes[1]), heads * window)


OPERATORS = [folded(*config, folding) for config, folding in zip(TINY, TINY_FOLDINGS, strict=True)]
OPERATORS += [folded(INT8, "INT8", sizes(*shape), folding) for *shape, folding in LARGER]


@pytest.mark.parametrize("operator", OPERATORS)
def test_codes(operator):
    """Random images and extreme ones, back to back, at full speed and with gaps and stalls."""
    for seed in range(3):
        check_twin(operator, *images(operator, 6, seed), stalls=seed)


@pytest.mark.parametrize("packed", [0, 1])
def test_extremes(packed):
    """Every sum is as large as it can be."""
    operator = folded(INT8, "INT8", sizes(Window.whole(8, tile_size=8), 1, 32, shift=12), (1, 4, packed))
    ends = [(a, b) for a in limits(operator.in_dtype(0)) for b in limits(operator.in_dtype(1))]
    shape = len(ends), 8, 32
    check_twin(operator, *(np.broadcast_to(np.array(end).reshape(-1, 1, 1), shape) for end in zip(*ends, strict=True)))


@pytest.mark.parametrize("operator", OPERATORS[-4:])
def test_interval(operator):
    cycles = check_twin(operator, *images(operator, 5))
    assert cycles.interval() == interval(operator)


@pytest.mark.parametrize(
    "folding, expected_cycles", [((3, 8, 1), 64 * 8 * 32), ((3, 4, 0), 64 * 16 * 32), ((3, 16, 1), 64 * 4 * 48)]
)
def test_interval_of_reference(folding, expected_cycles):
    """Global attention of 3 heads of 32 channels over 64 tokens."""
    operator = folded(INT8, "INT8", sizes(REFERENCE, 3, 32), folding)
    cycles = check_twin(operator, *images(operator, 3))
    assert cycles.interval() == expected_cycles == interval(operator)
    # The keys have to come first; then a query is worked on, and the last sums leave the pipeline.
    keys, lanes, pipeline = 64 * 96, 3 * folding[1], 10 + folding[2]
    assert cycles.latency() == keys + expected_cycles // 64 - max(lanes - 32, 0) + lanes + pipeline


@pytest.mark.parametrize(
    "in_dtypes, out_dtype, folding, why",
    [
        (INT8, "UINT8", (1, 1, 0), "signed"),
        (INT8, "INT8", (4, 1, 0), "parallel_heads is 4; give 1 to 3"),
        (INT8, "INT8", (3, 65, 0), "parallel_keys is 65; give 1 to 64"),
        (["INT8", "UINT8"], "INT8", (3, 8, 1), "set packed to 0"),
    ],
)
def test_refused(in_dtypes, out_dtype, folding, why):
    with pytest.raises(ValueError, match=why):
        folded(in_dtypes, out_dtype, sizes(REFERENCE, 3, 32), folding).twin()

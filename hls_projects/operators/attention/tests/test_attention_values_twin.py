"""The twin in Verilog gives the operator's values, as often as its formula says."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from hls_projects.operators import AttentionValues
from hls_projects.operators.attention.window import Window
from hls_projects.rtl.bench import check_twin
from tests.support.operators import images, limits, make_operator, windowed

TYPES = ["UINT8", "INT8"]
TINY = windowed(
    [
        (TYPES, "INT8", 9),
        (["UINT8", "INT8"], "INT8", 0),
        (["UINT4", "INT4"], "INT4", 12),
        (TYPES, "INT8", 9),
        (["UINT8", "INT6"], "INT8", 3),
        (["UINT8", "UINT8"], "INT8", 9),
    ]
)
# parallel_heads, parallel_channels, packed.
TINY_FOLDINGS = [(2, 2, 1), (1, 2, 0), (2, 1, 0), (1, 2, 1), (1, 1, 1), (1, 2, 0)]
LARGER = [
    (Window.of_tiles(24, tile_size=8, context_tiles=2), 3, 16, (2, 3, 1)),
    (Window.of_tiles(10, tile_size=5, context_tiles=1), 2, 7, (2, 5, 0)),
    (Window.whole(20, tile_size=8), 3, 12, (3, 8, 0)),
    (Window.whole(20, tile_size=8), 3, 32, (3, 6, 1)),
]
REFERENCE = Window.whole(64, tile_size=8)

pytestmark = pytest.mark.verilator


def folded(in_dtypes, out_dtype, sizes, folding):
    names = ("parallel_heads", "parallel_channels", "packed")
    return make_operator(AttentionValues, in_dtypes, out_dtype, **sizes, **dict(zip(names, folding, strict=True)))


def sizes(window, heads, channels, shift=8):
    return asdict(window) | {"n_heads": heads, "head_dim": channels, "out_shift": shift}


def interval(operator):
    """Cycles an image when every stage runs all the time: the slowest stage's."""
    tokens, heads, channels, window = (operator.size(name) for name in ("n_tokens", "n_heads", "head_dim", "n_window"))
    lanes = operator.size("parallel_heads"), operator.size("parallel_channels")
    sums = -(-heads // lanes[0]) * -(-channels // lanes[1])
    return tokens * max(heads * window, sums * max(window, lanes[0] * lanes[1]), heads * channels)


OPERATORS = [folded(*config, folding) for config, folding in zip(TINY, TINY_FOLDINGS, strict=True)]
OPERATORS += [folded(TYPES, "INT8", sizes(*shape), folding) for *shape, folding in LARGER]


@pytest.mark.parametrize("operator", OPERATORS)
def test_codes(operator):
    """Random images and extreme ones, back to back, at full speed and with gaps and stalls."""
    for seed in range(3):
        check_twin(operator, *images(operator, 6, seed), stalls=seed)


@pytest.mark.parametrize("packed", [0, 1])
def test_extremes(packed):
    """Every sum is as large as it can be."""
    operator = folded(TYPES, "INT8", sizes(Window.whole(64, tile_size=8), 1, 4, shift=12), (1, 4, packed))
    ends = [(a, b) for a in limits(operator.in_dtype(0)) for b in limits(operator.in_dtype(1))]
    codes = (np.array(end).reshape(-1, 1, 1) for end in zip(*ends, strict=True))
    shapes = ((len(ends), *shape) for shape in operator.input_shapes())
    check_twin(operator, *map(np.broadcast_to, codes, shapes))


@pytest.mark.parametrize("operator", OPERATORS[-4:])
def test_interval(operator):
    cycles = check_twin(operator, *images(operator, 5))
    assert cycles.interval() == interval(operator)


@pytest.mark.parametrize(
    "folding, expected_cycles", [((3, 8, 1), 64 * 4 * 64), ((3, 4, 0), 64 * 8 * 64), ((3, 11, 1), 64 * 3 * 64)]
)
def test_interval_of_reference(folding, expected_cycles):
    """Global attention of 3 heads of 32 channels over 64 tokens."""
    operator = folded(TYPES, "INT8", sizes(REFERENCE, 3, 32), folding)
    cycles = check_twin(operator, *images(operator, 3))
    assert cycles.interval() == expected_cycles == interval(operator)
    # The values have to come first; then a query is worked on, and the last sums leave the pipeline.
    values, lanes, pipeline = 64 * 96, 3 * folding[1], 10 + folding[2]
    assert cycles.latency() == values + expected_cycles // 64 + lanes + pipeline


@pytest.mark.parametrize(
    "in_dtypes, out_dtype, folding, why",
    [
        (TYPES, "UINT8", (1, 1, 0), "signed"),
        (TYPES, "INT8", (4, 1, 0), "parallel_heads is 4; give 1 to 3"),
        (TYPES, "INT8", (3, 33, 0), "parallel_channels is 33; give 1 to 32"),
        (["INT8", "UINT8"], "INT8", (3, 8, 1), "set packed to 0"),
    ],
)
def test_refused(in_dtypes, out_dtype, folding, why):
    with pytest.raises(ValueError, match=why):
        folded(in_dtypes, out_dtype, sizes(REFERENCE, 3, 32), folding).twin()

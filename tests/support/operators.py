"""What the tests of the operators share: strategies, and models in python integers and fractions.

The models are written from the definitions, without numpy and without anything of
:mod:`hls_projects.integer`, so that the two can be held against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.custom_op.registry import getCustomOp

from hls_projects.operators import HardwareOperator
from hls_projects.operators.attention.window import Window

# A busy machine makes hypothesis give up on slow examples; how slow they are says nothing here.
kernel_settings = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# Of tiny attention: windows, heads with their channels, and multiply-accumulates: queries times the keys that
# they see times channels, over the heads.
WINDOWS = [
    Window.whole(3, tile_size=2),
    Window.whole(2, tile_size=1),
    Window.whole(2, tile_size=2),
    Window.of_tiles(6, tile_size=2, context_tiles=1),
    Window.of_tiles(4, tile_size=1, context_tiles=2),
    Window.of_tiles(4, tile_size=2, context_tiles=0),
]
WINDOW_HEADS = [(2, 4), (1, 3), (3, 1), (2, 3), (1, 2), (1, 2)]
WINDOW_MACS = [3 * 3 * 4 * 2, 2 * 2 * 3, 2 * 2 * 1 * 3, (2 * 2 + 2 * 4 + 2 * 4) * 3 * 2, (1 + 2 + 3 + 3) * 2, 4 * 2 * 2]


def windowed(formats: Sequence[tuple[list[str], str, int]]) -> list[tuple[list[str], str, dict[str, int]]]:
    """Types and sizes for each of :data:`WINDOWS`, from its input types, output type and ``out_shift``."""
    return [
        (in_dtypes, out_dtype, asdict(window) | {"n_heads": heads, "head_dim": channels, "out_shift": shift})
        for window, (heads, channels), (in_dtypes, out_dtype, shift) in zip(WINDOWS, WINDOW_HEADS, formats, strict=True)
    ]


def make_operator(
    cls: type[HardwareOperator], in_dtypes: Sequence[str], out_dtype: str, **attributes: int | np.ndarray
) -> HardwareOperator:
    """An operator outside any graph."""
    inputs = [f"x{index}" for index in range(len(in_dtypes))]
    types = [DataType[name] for name in in_dtypes]
    return getCustomOp(cls.make("node", inputs, "y", in_dtypes=types, out_dtype=DataType[out_dtype], **attributes))


def integers(low: int, high: int) -> st.SearchStrategy[int]:
    """Integers that are often at the ends of their range, or about zero."""
    special = sorted({low, high, min(low + 1, high), max(high - 1, low), *range(max(low, -1), min(high, 1) + 1)})
    return st.sampled_from(special) | st.integers(low, high)


def arrays(low: int, high: int, *shape: int) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.int64, shape, elements=integers(low, high))


def codes(dtype: str, *shape: int) -> st.SearchStrategy[np.ndarray]:
    """Arrays of the codes of a qonnx type."""
    return arrays(*limits(DataType[dtype]), *shape)


def bulk(low: int, high: int, *shape: int) -> st.SearchStrategy[np.ndarray]:
    """Large arrays, which hypothesis would take long to draw one by one; both ends occur."""

    def build(seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        array = random.integers(low, high, size=shape, endpoint=True)
        array.flat[random.permutation(array.size)[:2]] = low, high
        return array

    return st.integers(0, 2**32 - 1).map(build)


def images(operator: HardwareOperator, count: int, seed: int = 0) -> list[np.ndarray]:
    """Codes of every input of an operator, from images in which they are random to images of ends and zeros."""
    random = np.random.default_rng(seed)

    def draw(index: int) -> np.ndarray:
        low, high = limits(operator.in_dtype(index))
        shape = count, *operator.input_shapes()[index]
        extreme = random.random(shape) < np.linspace(0, 1, count).reshape(-1, *([1] * (len(shape) - 1)))
        return np.where(extreme, random.choice([low, low, high, 0], shape), random.integers(low, high + 1, shape))

    return [draw(index) for index in range(len(operator.input_shapes()))]


def mixed_codes(dtype: str, *shape: int, seed: int = 0) -> np.ndarray:
    """Codes of a qonnx type without hypothesis: a third at the ends, a third about zero, the rest anywhere."""
    random = np.random.default_rng(seed)
    low, high = limits(DataType[dtype])
    ends = random.choice([low, low + 1, high - 1, high], shape)
    small = np.clip(random.integers(-3, 4, shape), low, high)
    anywhere = random.integers(low, high, shape, endpoint=True)
    return np.choose(random.integers(0, 3, shape), [ends, small, anywhere])


def limits(dtype: BaseDataType) -> tuple[int, int]:
    """Smallest and largest code."""
    bits = dtype.bitwidth()
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dtype.signed() else (0, 2**bits - 1)


def naive_slots(operator: HardwareOperator, query: int) -> dict[int, int]:
    """Key of each valid slot of a query's word."""
    tokens, tile_size, load_size, n_window = (
        operator.size(name) for name in ("n_tokens", "tile_size", "load_size", "n_window")
    )
    if load_size == tokens == n_window:
        return {key: key for key in range(tokens)}
    own, context_tiles = query // tile_size, n_window // tile_size - 1
    seen = [key for key in range(tokens) if own - context_tiles <= key // tile_size <= own]
    return {key - (own - context_tiles) * tile_size: key for key in seen}


def naive_round(value: Fraction | int) -> int:
    """To the nearest integer, half to even."""
    below = value.numerator // value.denominator
    rest = value - below
    if rest == Fraction(1, 2):
        return below if below % 2 == 0 else below + 1
    return below + 1 if rest > Fraction(1, 2) else below


def naive_requantize(value: int, shift: int, dtype: BaseDataType) -> int:
    low, high = limits(dtype)
    return min(max(naive_round(Fraction(int(value), 2 ** int(shift))), low), high)


def naive_significand(value: int) -> tuple[int, int]:
    """The finest exponent at which the rounded value still has eight bits."""
    if value == 0:
        return 128, 0
    exponent = -7
    while naive_round(Fraction(value) / Fraction(2) ** exponent) > 255:
        exponent += 1
    return naive_round(Fraction(value) / Fraction(2) ** exponent), exponent

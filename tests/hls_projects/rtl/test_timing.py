"""What the operators say of their cycles is what their twins take, word for word."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from hls_projects.operators import (
    ActivationTable,
    AttentionScores,
    AttentionValues,
    ChannelSlice,
    Head,
    PatchReader,
    PositionEmbedding,
    ResidualAdd,
    TokenPooling,
)
from hls_projects.operators.attention.window import Window
from hls_projects.rtl.bench import check_twin
from tests.support.operators import limits, make_operator
from tests.support.simulated_cycles import simulated_cycles

IMAGES = 3
INT8 = ["INT8", "INT8"]


def codes(operator):
    random = np.random.default_rng(0)
    for index, shape in enumerate(operator.input_shapes()):
        low, high = limits(operator.in_dtype(index))
        yield random.integers(low, high + 1, (IMAGES, *shape))


def reader(block_height):
    return make_operator(
        PatchReader, ["UINT8"], "INT8", image_size=8, patch_size=2, n_channels=3, block_height=block_height,
        block_width=2, table=np.arange(768) % 256 - 128,
    )  # fmt: skip


def embedding(prefix):
    table = np.arange((4 + prefix) * 6) - 9
    sizes = {"n_patches": 4, "n_prefix": prefix, "n_in": 6, "in_shift": 1, "out_shift": 2}
    return make_operator(PositionEmbedding, ["INT8"], "INT8", **sizes, table=table)


def add():
    return make_operator(ResidualAdd, INT8, "INT8", n_tokens=4, n_in=6, a_shift=1, b_shift=0, out_shift=1)


def part(first):
    return make_operator(ChannelSlice, ["INT8"], "INT8", n_tokens=4, n_in=6, n_out=2, first=first)


def activation():
    table = np.arange(16) - 8
    return make_operator(ActivationTable, ["INT4"], "INT4", n_tokens=4, n_in=6, n_codes=16, table=table)


def pooling(average):
    shift = 2 if average else 0
    sizes = {"n_tokens": 4, "n_in": 6, "average": average, "multiplier": 1, "out_shift": shift}
    return make_operator(TokenPooling, ["INT8"], "INT8", **sizes)


def attention(cls, window, channels, *folding):
    sizes = asdict(window) | {"n_heads": 2, "head_dim": channels, "out_shift": 8}
    lanes = "parallel_keys" if cls is AttentionScores else "parallel_channels"
    return make_operator(
        cls, INT8, "INT8", **sizes, **dict(zip(("parallel_heads", lanes, "packed"), folding, strict=True))
    )


def head():
    zeros = np.zeros(10, dtype=np.int64)
    sizes = {"n_tokens": 1, "n_in": 8, "n_out": 10, "exponent_bits": 3, "mantissa_bits": 0}
    weights = np.arange(80).reshape(10, 8) % 16
    return make_operator(
        Head, ["INT8"], "INT16", **sizes, codes=weights, bias=zeros, acc_shift=zeros, out_shift=zeros, pe=4
    )


WHOLE, TILES = Window.whole(8, tile_size=4), Window.of_tiles(8, tile_size=4, context_tiles=1)
OPERATORS = {
    "reader, rows": reader(1),
    "reader, blocks": reader(2),
    "embedding": embedding(0),
    "embedding, class token": embedding(1),
    "add": add(),
    "slice, first channels": part(0),
    "slice, middle channels": part(2),
    "activation": activation(),
    "pooling": pooling(1),
    "pooling, class token": pooling(0),
    "scores": attention(AttentionScores, WHOLE, 16, 2, 4, 0),
    "scores, one by one": attention(AttentionScores, TILES, 8, 1, 1, 0),
    "scores, packed": attention(AttentionScores, TILES, 8, 2, 2, 1),
    "values": attention(AttentionValues, WHOLE, 16, 2, 8, 0),
    "values, packed": attention(AttentionValues, TILES, 8, 2, 2, 1),
    "head": head(),
}


@pytest.mark.verilator
@pytest.mark.parametrize("name", OPERATORS)
def test_cycles(name):
    operator = OPERATORS[name]
    moved = check_twin(operator, *codes(operator)).from_first()
    simulated = simulated_cycles(operator, IMAGES).from_first()
    # Keys that the queries wait for are there a cycle later than those that wait.
    late = int(isinstance(operator, AttentionScores | AttentionValues))
    assert np.abs(moved - simulated).max() <= late

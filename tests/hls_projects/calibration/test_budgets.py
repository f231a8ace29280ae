"""Look-up tables of the twins, at the sizes of the reference model: 96 channels, 3 heads of 64 slots, 8 bits.

The tables hold random codes, which no synthesiser can shorten, but for the exponentials, that fall.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from hls_projects.operators import (
    ActivationTable,
    ChannelSlice,
    IntegerLayerNorm,
    IntegerSoftmax,
    PatchReader,
    PositionEmbedding,
    ResidualAdd,
    TokenPooling,
)
from hls_projects.operators.attention.window import Window
from hls_projects.rtl.synthesis import synthesise, synthesise_twin
from hls_projects.verilog.twin import LIBRARY
from tests.support.operators import make_operator

pytestmark = pytest.mark.yosys
TOKENS, CHANNELS = 64, 96
RANDOM = np.random.default_rng(0)
NORM = {
    "n_tokens": TOKENS, "n_in": CHANNELS, "mean_multiplier": 171, "mean_shift": 9, "x_shift": 5, "mean_align": 0,
    "mean_bits": 8, "centred_bits": 9, "centred_shift": 4, "headroom": 0, "out_shift": 5,
    "inverse_table": [round(32 * math.sqrt(96 * 32 / (m * (1 + odd)))) for odd in (0, 1) for m in range(128, 256)],
}  # fmt: skip
SOFTMAX = {
    "n_heads": 3, "n_codes": 256, "out_shift": 7,
    "exp_table": [round(255 * math.exp(-distance / 24)) for distance in range(256)],
    "reciprocal_table": [round(2**15 / m) for m in range(128, 256)],
    **dataclasses.asdict(Window.whole(TOKENS, tile_size=8)),
}  # fmt: skip
POSITION = {"n_patches": TOKENS, "n_prefix": 0, "n_in": CHANNELS, "in_shift": 2, "out_shift": 2}
PATCHES = {"image_size": 32, "patch_size": 4, "n_channels": 3, "block_height": 1, "block_width": 8}
POOLING = {"n_tokens": TOKENS, "n_in": CHANNELS, "average": 1, "multiplier": 1, "out_shift": 5}
SLICE = {"n_tokens": TOKENS, "n_in": 3 * CHANNELS, "n_out": CHANNELS, "first": CHANNELS}
ADD = {"n_tokens": TOKENS, "n_in": CHANNELS, "a_shift": 2, "b_shift": 0, "out_shift": 2}


def codes(count: int) -> np.ndarray:
    return RANDOM.integers(-128, 128, count)


@pytest.mark.parametrize(
    ("kind", "inputs", "out_dtype", "attributes", "lut", "bram36", "dsp"),
    [
        (IntegerLayerNorm, 1, "INT8", NORM, 300, 0, 2),
        (IntegerSoftmax, 1, "UINT8", SOFTMAX, 230, 0, 1),
        (ActivationTable, 1, "INT8", {"n_tokens": TOKENS, "n_in": 192, "n_codes": 256, "table": codes(256)}, 50, 0, 0),
        (ResidualAdd, 2, "INT8", ADD, 30, 0, 0),
        (ChannelSlice, 1, "INT8", SLICE, 12, 0, 0),
        (PositionEmbedding, 1, "INT8", POSITION | {"table": codes(TOKENS * CHANNELS)}, 40, 1.5, 0),
        (TokenPooling, 1, "INT8", POOLING, 110, 0, 0),
        (PatchReader, 1, "INT8", PATCHES | {"table": codes(768)}, 190, 0.5, 0),
    ],
)  # fmt: skip
def test_twins(kind, inputs, out_dtype, attributes, lut, bram36, dsp):
    in_dtype = "UINT8" if kind is PatchReader else "INT8"
    attributes = {name: np.array(value) if isinstance(value, list) else value for name, value in attributes.items()}
    found = synthesise_twin(make_operator(kind, [in_dtype] * inputs, out_dtype, **attributes))
    assert found.lut <= lut and found.bram36 == bram36 and found.dsp == dsp


@pytest.mark.parametrize(
    ("module", "parameters", "lut", "bram36"),
    [
        ("fifo", {"WIDTH": 8, "DEPTH": 2}, 20, 0),
        ("fifo", {"WIDTH": 8, "DEPTH": 32}, 25, 0),
        ("fifo", {"WIDTH": 8, "DEPTH": 128}, 70, 0),
        ("fifo", {"WIDTH": 8, "DEPTH": 2048}, 50, 0.5),
        ("stream_fork", {"WIDTH": 8, "COPIES": 3}, 10, 0),
    ],
)
def test_library(module, parameters, lut, bram36):
    found = synthesise(module, parameters, sorted(LIBRARY.glob("*.sv")))
    assert found.lut <= lut and found.bram36 == bram36 and found.dsp == 0

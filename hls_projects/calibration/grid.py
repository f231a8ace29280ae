"""Points of the calibration: sizes, widths and foldings like those of small vision transformers on small boards.

A point is a row of integers and words. An operator with random weights and its twin follow from it alone, so that a
measurement can be repeated. A family is a set of points with the same columns, in one file.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from qonnx.core.datatype import DataType
from qonnx.custom_op.registry import getCustomOp

from hls_projects import operators
from hls_projects.cost import Demand, clone_demand, fifo_demand
from hls_projects.operators import HardwareOperator
from hls_projects.verilog.twin import LIBRARY, Twin

Point = dict[str, int | str]


@dataclass(frozen=True)
class Design:
    """The design of a point: its features, for the prediction, and its module, for the synthesis.

    Args:
        folder: of the module's file, if it is not in the library.
    """

    demand: Demand
    twin: Twin
    folder: Path

    @classmethod
    def of(cls, operator: HardwareOperator) -> Design:
        return cls(operator.demand(), operator.twin(), operator.verilog_folder())


@dataclass(frozen=True)
class Family:
    """Points of one kind of design, with the same columns.

    Args:
        name: of the file of measurements, and on the command line.
        design: makes the design of a point.
    """

    name: str
    points: tuple[Point, ...]
    design: Callable[[Point], Design]


def random_of(point: Point) -> np.random.Generator:
    """Random generator of a point, seeded with the point alone."""
    return np.random.default_rng(zlib.crc32(repr(sorted(point.items())).encode()))


def operator_of(
    name: str, in_dtypes: Iterable[str], out_dtype: str, **attributes: int | str | np.ndarray
) -> HardwareOperator:
    """An operator outside any graph."""
    types = [DataType[dtype] for dtype in in_dtypes]
    inputs = [f"x{index}" for index in range(len(types))]
    cls = getattr(operators, name)
    return getCustomOp(cls.make("node", inputs, "y", in_dtypes=types, out_dtype=DataType[out_dtype], **attributes))


def table(columns: str, *rows: tuple[int | str, ...]) -> tuple[Point, ...]:
    """Points from rows of values under ``columns``."""
    return tuple(dict(zip(columns.split(), row, strict=True)) for row in rows)


# Linear layers: (n_in, n_out, pe, RAM of the tokens); then with mantissa bits, types and result buffers; then the same
# with two tokens at a time.
LINEAR_KINDS = SPARSE_BUCKET, BUCKET, SHIFT, DSP = ("bucket", 1), ("bucket", 0), ("shift", 0), ("dsp", 0)
LINEAR_SIZES = (
    (96, 96, 20, "distributed"), (96, 192, 39, "distributed"), (48, 96, 8, "block"), (192, 96, 32, "distributed"),
    (32, 32, 4, "block"), (64, 128, 16, "block"), (128, 64, 22, "distributed"), (256, 96, 48, "block"),
    (96, 384, 64, "block"), (128, 256, 26, "distributed"), (96, 96, 12, "block"), (192, 192, 96, "block"),
)  # fmt: skip
LINEAR_FORMATS = (
    (96, 96, 16, "block", 2, "INT8", "INT8", 1), (64, 128, 32, "distributed", 2, "INT8", "INT8", 1),
    (192, 64, 6, "distributed", 2, "UINT8", "INT8", 1), (64, 96, 24, "block", 0, "UINT8", "INT6", 1),
    (96, 128, 43, "distributed", 1, "INT6", "INT8", 1), (32, 128, 43, "block", 0, "INT8", "INT8", 2),
    (48, 64, 32, "block", 2, "INT8", "INT8", 2),
)  # fmt: skip
LINEAR_PAIRS = (
    (96, 96, 10, "block", 0, "INT8", "INT8", 1), (96, 192, 20, "distributed", 0, "INT8", "INT8", 2),
    (192, 96, 20, "block", 0, "INT8", "INT8", 1), (48, 64, 5, "distributed", 0, "INT6", "INT8", 1),
    (64, 128, 13, "block", 2, "UINT8", "INT8", 1), (96, 288, 29, "distributed", 0, "INT8", "INT8", 2),
    (64, 192, 22, "block", 0, "INT8", "INT8", 1),
)  # fmt: skip
LINEAR_HEADS = ((96, 10, 1), (64, 10, 5), (192, 100, 4), (128, 10, 10))
# Share of the weights of trained layers with each power of two, the lowest first.
POWERS = np.array([10, 15, 45, 130, 250, 330, 220]) / 1000
LINEAR_COLUMNS = (
    "head n_in n_out pe ram_style element sparse exponent_bits mantissa_bits in_dtype out_dtype result_buffers "
    "parallel_tokens"
)


def linear_points() -> tuple[Point, ...]:
    layers = [(*sizes, 0, "INT8", "INT8", 1, 1) for sizes in LINEAR_SIZES]
    layers += [(*layer, 1) for layer in LINEAR_FORMATS] + [(*layer, 2) for layer in LINEAR_PAIRS]
    rows = [(0, *layer[:4], *kind, 3, *layer[4:]) for layer in layers for kind in LINEAR_KINDS]
    heads = [
        (1, *sizes, "distributed", *kind, 3, 0, "INT8", "INT16", 1, 1)
        for sizes in LINEAR_HEADS
        for kind in LINEAR_KINDS
    ]
    return table(LINEAR_COLUMNS, *rows, *heads)


def linear(point: Point) -> Design:
    random, sizes = random_of(point), dict(point)
    head, out_dtype, in_dtype = sizes.pop("head"), sizes.pop("out_dtype"), sizes.pop("in_dtype")
    n_out, mantissa = point["n_out"], point["mantissa_bits"]
    shape = n_out, point["n_in"]
    exponents = random.choice(len(POWERS), shape, p=POWERS) + 1
    codes = (random.integers(0, 2, shape) << 3 | exponents) << mantissa | random.integers(0, 1 << mantissa, shape)
    # Half of the weights are zero, as pruning leaves them.
    nonzero = random.random((n_out, point["n_in"] // 16, 16)).argsort(axis=2) < 8
    shift = 0 if head else 7 + mantissa
    arrays = {
        "codes": np.where(nonzero.reshape(shape), codes, 0),
        "bias": random.integers(-4000, 4000, n_out),
        "acc_shift": np.zeros(n_out),
        "out_shift": random.integers(shift, shift + (2 if head else 3), n_out),
    }
    extra = {"scale_log2": -8} if head else {}
    name = "Head" if head else "PotLinear"
    return Design.of(operator_of(name, [in_dtype], out_dtype, n_tokens=1 if head else 64, **sizes, **arrays, **extra))


# Attention: keys that a query sees in all and by load, heads, channels, then the folding.
ATTENTION_COLUMNS = "n_window load_size n_heads head_dim parallel_heads parallel packed out_shift"
SCORES = (
    (64, 64, 3, 32, 3, 8, 0, 8), (64, 64, 3, 32, 3, 8, 1, 7), (64, 64, 3, 32, 1, 4, 1, 8),
    (32, 8, 3, 32, 3, 4, 0, 8), (16, 16, 2, 16, 1, 2, 0, 7), (64, 64, 4, 16, 2, 16, 1, 9),
    (64, 64, 3, 32, 1, 16, 0, 8), (32, 16, 4, 16, 4, 8, 1, 8), (64, 64, 3, 32, 1, 1, 0, 9),
    (16, 16, 3, 32, 3, 16, 0, 8), (32, 32, 2, 32, 2, 2, 1, 8), (64, 16, 2, 16, 1, 8, 0, 7),
    (64, 64, 3, 32, 3, 16, 1, 8), (64, 64, 3, 32, 3, 4, 1, 8), (48, 8, 3, 16, 1, 8, 1, 8),
    (64, 64, 6, 16, 3, 4, 0, 8), (64, 64, 3, 32, 1, 32, 1, 8), (64, 64, 4, 32, 2, 5, 0, 8),
    (64, 64, 2, 48, 2, 8, 1, 8), (64, 64, 3, 32, 3, 6, 1, 8), (32, 32, 3, 32, 1, 16, 1, 8),
    (64, 64, 6, 16, 3, 16, 1, 7), (16, 16, 4, 24, 2, 12, 1, 8), (64, 32, 3, 32, 3, 8, 1, 8),
    (64, 64, 3, 64, 1, 8, 0, 9),
)  # fmt: skip


def attention(name: str, channels: bool) -> Callable[[Point], Design]:
    def design(point: Point) -> Design:
        sizes = dict(point)
        sizes["parallel_channels" if channels else "parallel_keys"] = sizes.pop("parallel")
        first = "UINT8" if channels else "INT8"
        tokens = point["n_window"] if point["n_window"] == point["load_size"] else 2 * point["n_window"]
        return Design.of(operator_of(name, [first, "INT8"], "INT8", n_tokens=tokens, tile_size=8, **sizes))

    return design


def values_points() -> tuple[Point, ...]:
    """The points of the scores, with at most as many parallel channels as a head has."""
    return tuple(
        point | {"parallel": min(point["parallel"], point["head_dim"])} for point in table(ATTENTION_COLUMNS, *SCORES)
    )


# Elementwise operators.
RESIDUALS = (
    ("INT8", "INT8", "INT8", 2, 0, 2), ("INT8", "INT8", "INT8", 0, 0, 0), ("INT8", "INT8", "INT8", 0, 3, 3),
    ("INT8", "INT6", "INT8", 1, 0, 1), ("INT10", "INT8", "INT8", 0, 2, 4), ("INT8", "INT8", "INT10", 5, 0, 3),
    ("INT6", "INT6", "INT6", 1, 0, 1), ("INT8", "INT8", "UINT8", 0, 1, 1), ("INT8", "INT8", "INT8", 6, 0, 6),
    ("INT12", "INT12", "INT12", 0, 1, 1), ("INT4", "INT4", "INT4", 0, 1, 1), ("INT16", "INT8", "INT8", 0, 4, 8),
)  # fmt: skip
# (n_in, n_out, first, type): queries, keys or values of an attention, or parts of other sizes.
SLICES = (
    (288, 96, 0, "INT8"), (288, 96, 96, "INT8"), (288, 96, 192, "INT8"), (144, 48, 48, "INT8"), (192, 64, 128, "INT8"),
    (576, 192, 192, "INT8"), (96, 32, 0, "INT6"), (384, 128, 128, "INT8"), (72, 24, 48, "INT8"), (768, 256, 0, "INT8"),
    (192, 96, 96, "UINT8"), (288, 96, 96, "INT4"), (120, 40, 40, "INT10"), (1152, 384, 384, "INT8"),
    (48, 16, 16, "INT8"),
)  # fmt: skip
TABLES = (
    ("INT8", "INT8", 4, "gelu"), ("INT8", "UINT8", 5, "relu"), ("INT6", "INT8", 3, "gelu"), ("INT8", "INT8", 6, "gelu"),
    ("INT8", "INT6", 4, "gelu"), ("INT9", "INT8", 5, "gelu"), ("UINT8", "INT8", 4, "any"), ("INT8", "INT8", 0, "any"),
    ("INT4", "INT4", 2, "gelu"), ("INT7", "INT7", 4, "gelu"), ("INT8", "INT10", 5, "gelu"), ("INT6", "INT6", 0, "any"),
    ("INT8", "INT8", 5, "gelu"), ("INT8", "INT8", 3, "gelu"),
)  # fmt: skip


def residual(point: Point) -> Design:
    shifts = {name: point[name] for name in ("a_shift", "b_shift", "out_shift")}
    types = [point["a_dtype"], point["b_dtype"]]
    return Design.of(operator_of("ResidualAdd", types, point["out_dtype"], n_tokens=64, n_in=96, **shifts))


def channel_slice(point: Point) -> Design:
    sizes = {name: point[name] for name in ("n_in", "n_out", "first")}
    return Design.of(operator_of("ChannelSlice", [point["dtype"]], point["dtype"], n_tokens=64, **sizes))


def activation(point: Point) -> Design:
    """A table of GELU or ReLU, with a step of ``2**-step`` in and out, or of a random function."""
    taken, given = DataType[point["in_dtype"]], DataType[point["out_dtype"]]
    low, high = int(given.min()), int(given.max())
    codes = np.arange(int(taken.min()), int(taken.max()) + 1)
    x = codes / 2 ** point["step"]
    functions = {
        "gelu": x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2,
        "relu": np.maximum(x, 0),
        "any": random_of(point).integers(low, high, len(codes), endpoint=True) / 2 ** point["step"],
    }
    words = np.clip(np.rint(functions[point["function"]] * 2 ** point["step"]), low, high)
    sizes = {"n_tokens": 64, "n_in": 192, "n_codes": len(codes)}
    return Design.of(operator_of("ActivationTable", [taken.name], given.name, **sizes, table=words))


# Operators that a network has once, or once a transformer block.
EMBEDDINGS = (
    (64, 0, 96, "INT8", "INT8", 2, 2), (16, 0, 48, "INT8", "INT8", 1, 1), (64, 1, 96, "INT8", "INT8", 2, 2),
    (16, 1, 32, "INT8", "INT8", 0, 3), (64, 0, 192, "INT8", "INT8", 3, 3), (64, 0, 64, "INT6", "INT8", 2, 1),
    (16, 0, 96, "INT8", "INT6", 0, 2), (49, 1, 64, "INT8", "INT8", 2, 4), (64, 0, 128, "INT10", "INT8", 1, 3),
    (16, 0, 32, "INT8", "INT8", 0, 0), (64, 0, 48, "INT8", "UINT8", 2, 2), (25, 0, 64, "INT8", "INT8", 4, 4),
)  # fmt: skip
POOLS = (
    (64, 96, 1, 1, 5), (16, 48, 1, 1, 4), (64, 96, 0, 1, 0), (49, 64, 1, 167, 13), (64, 192, 1, 1, 6),
    (64, 32, 1, 1, 3), (16, 96, 1, 3, 6), (65, 96, 0, 1, 0), (64, 128, 1, 5, 8), (64, 64, 1, 1, 5),
    (25, 48, 1, 41, 10), (16, 256, 1, 1, 4), (36, 96, 1, 57, 11), (64, 384, 1, 1, 6),
)  # fmt: skip
READERS = (
    (32, 4, 3, 1, 8, 8, "scaled"), (32, 8, 3, 1, 4, 8, "scaled"), (32, 4, 3, 2, 2, 8, "scaled"),
    (32, 4, 1, 1, 8, 8, "scaled"), (28, 4, 1, 1, 7, 8, "scaled"), (32, 2, 3, 1, 16, 8, "scaled"),
    (32, 4, 3, 1, 2, 6, "scaled"), (64, 8, 3, 1, 8, 8, "scaled"), (24, 4, 3, 2, 3, 8, "scaled"),
    (32, 16, 3, 1, 2, 8, "scaled"), (64, 4, 3, 1, 16, 8, "scaled"), (32, 8, 1, 2, 2, 8, "scaled"),
    (32, 4, 3, 1, 8, 8, "straight"), (32, 8, 3, 1, 4, 8, "straight"), (32, 4, 1, 1, 8, 8, "straight"),
    (64, 8, 3, 1, 8, 8, "straight"), (32, 4, 3, 2, 2, 6, "straight"), (28, 4, 3, 1, 7, 8, "straight"),
)  # fmt: skip
NORMS = (
    ("INT8", 96, 9, 5, 8, 9, 4, 0, 5), ("INT8", 48, 9, 4, 8, 9, 3, 0, 5), ("INT8", 192, 10, 5, 8, 9, 4, 0, 5),
    ("INT8", 64, 6, 3, 8, 8, 3, 0, 5), ("INT8", 128, 10, 6, 9, 10, 4, 2, 5), ("INT8", 32, 8, 4, 8, 9, 4, 0, 4),
    ("INT8", 256, 11, 5, 8, 9, 4, 0, 5), ("INT6", 96, 9, 4, 6, 7, 3, 0, 5), ("INT10", 96, 9, 4, 10, 11, 3, 0, 5),
    ("INT8", 96, 12, 2, 11, 10, 1, 0, 7), ("UINT8", 64, 9, 2, 9, 9, 1, 2, 8), ("INT8", 384, 11, 5, 8, 9, 4, 0, 6),
)  # fmt: skip


SOFTMAXES = (
    ("INT8", 64, 64, 3, 256, 7, 16), ("INT8", 32, 8, 3, 256, 7, 16), ("INT8", 16, 16, 3, 256, 7, 8),
    ("INT8", 32, 32, 2, 4096, 7, 16), ("INT8", 16, 8, 3, 256, 7, 16), ("INT6", 64, 64, 3, 256, 7, 4),
    ("INT8", 64, 64, 6, 64, 7, 16), ("INT8", 48, 16, 4, 256, 7, 32), ("INT4", 32, 32, 3, 16, 7, 2),
    ("INT8", 64, 16, 3, 1024, 7, 12), ("INT7", 64, 64, 3, 256, 7, 8), ("INT8", 64, 64, 4, 512, 7, 32),
)  # fmt: skip


def softmax(point: Point) -> Design:
    """A softmax whose exponentials fall from ``top`` - 1, by a factor of e in ``slope`` codes."""
    sizes = dict(point)
    dtype, top, slope = DataType[sizes.pop("in_dtype")], sizes.pop("top"), sizes.pop("slope")
    exponentials = np.rint((top - 1) * np.exp(-np.arange(1 << dtype.bitwidth()) / slope))
    tokens = point["n_window"] if point["n_window"] == point["load_size"] else 2 * point["n_window"]
    fixed = {"n_tokens": tokens, "tile_size": 8, "n_codes": len(exponentials), "exp_table": exponentials}
    reciprocals = np.array([round(2**15 / mantissa) for mantissa in range(128, 256)])
    return Design.of(
        operator_of("IntegerSoftmax", [dtype.name], "UINT8", **sizes, **fixed, reciprocal_table=reciprocals)
    )


def embedding(point: Point) -> Design:
    sizes = {name: point[name] for name in ("n_patches", "n_prefix", "n_in", "in_shift", "out_shift")}
    words = random_of(point).integers(-128, 128, (point["n_prefix"] + point["n_patches"]) * point["n_in"])
    return Design.of(operator_of("PositionEmbedding", [point["in_dtype"]], point["out_dtype"], **sizes, table=words))


def pooling(point: Point) -> Design:
    return Design.of(operator_of("TokenPooling", ["INT8"], "INT8", **point))


def reader(point: Point) -> Design:
    """A reader of centred pixels: ``scaled`` by a scale and a mean for each channel, or ``straight``."""
    sizes, channels = dict(point), np.arange(point["n_channels"])[:, None]
    bits, straight = sizes.pop("out_bits"), sizes.pop("table") == "straight"
    centred = np.arange(256) - (128 if straight else 120 + 7 * channels)
    scale = np.ones(channels.shape) if straight else 1.1 + channels / 9
    words = np.clip(np.rint(centred * scale / 2 ** (8 - bits)), -(1 << bits - 1), (1 << bits - 1) - 1)
    return Design.of(operator_of("PatchReader", ["UINT8"], f"INT{bits}", **sizes, table=words.reshape(-1)))


def norm(point: Point) -> Design:
    """A LayerNorm with a multiplier of 1 / n_in to all bits of its shift; the table has 1 / sqrt in about nine bits."""
    sizes, channels = dict(point), point["n_in"]
    dtype = sizes.pop("in_dtype")
    multiplier = max(round(2 ** point["mean_shift"] * 2 ** point["x_shift"] / channels), 1)
    mantissas = np.concatenate([np.arange(128, 256), 2 * np.arange(128, 256)])
    roots = np.rint(2 ** (point["out_shift"] + point["headroom"]) * math.sqrt(channels) * 16 / np.sqrt(mantissas))
    fixed = {"n_tokens": 64, "mean_multiplier": multiplier, "mean_align": 0, "inverse_table": roots}
    return Design.of(operator_of("IntegerLayerNorm", [dtype], "INT8", **sizes, **fixed))


# FIFOs and forks between operators.
DEPTHS = (2, 4, 8, 16, 32, 40, 64, 96, 128, 160, 200, 256, 289, 512, 600, 1024, 1500, 2048, 3000, 4096, 8192)
FIFOS = (
    *((bits, depth) for depth in DEPTHS for bits in ((8, 24, 16) if depth <= 256 else (8, 24))),
    (16, 3000), (24, 6000), (16, 6000), (8, 6656),
)  # fmt: skip
FORKS = tuple((copies, bits) for copies in (2, 3, 4, 5) for bits in (8, 24, 16, 12))


def fifo(point: Point) -> Design:
    bits, depth = point["word_bits"], point["depth"]
    return Design(fifo_demand(bits, depth), Twin("fifo", {"WIDTH": bits, "DEPTH": depth}), LIBRARY)


def fork(point: Point) -> Design:
    copies, bits = point["copies"], point["word_bits"]
    return Design(clone_demand(copies, bits), Twin("stream_fork", {"WIDTH": bits, "COPIES": copies}), LIBRARY)


FAMILIES = (
    Family("PotLinear", linear_points(), linear),
    Family("AttentionScores", table(ATTENTION_COLUMNS, *SCORES), attention("AttentionScores", False)),
    Family("AttentionValues", values_points(), attention("AttentionValues", True)),
    Family("ResidualAdd", table("a_dtype b_dtype out_dtype a_shift b_shift out_shift", *RESIDUALS), residual),
    Family("ChannelSlice", table("n_in n_out first dtype", *SLICES), channel_slice),
    Family("ActivationTable", table("in_dtype out_dtype step function", *TABLES), activation),
    Family("PositionEmbedding", table(
        "n_patches n_prefix n_in in_dtype out_dtype in_shift out_shift", *EMBEDDINGS), embedding),
    Family("TokenPooling", table("n_tokens n_in average multiplier out_shift", *POOLS), pooling),
    Family("PatchReader", table(
        "image_size patch_size n_channels block_height block_width out_bits table", *READERS), reader),
    Family("IntegerLayerNorm", table(
        "in_dtype n_in mean_shift x_shift mean_bits centred_bits centred_shift headroom out_shift", *NORMS), norm),
    Family("IntegerSoftmax", table("in_dtype n_window load_size n_heads top out_shift slope", *SOFTMAXES), softmax),
    Family("Fifo", table("word_bits depth", *FIFOS), fifo),
    Family("Fork", table("copies word_bits", *FORKS), fork),
)  # fmt: skip

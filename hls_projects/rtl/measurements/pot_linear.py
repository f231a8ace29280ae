"""Synthesise linear layers of the reference model's sizes: ``python -m hls_projects.rtl.measurements.pot_linear``.

Writes ``pot_linear.csv`` beside this file, a row a layer. Weights are drawn as often as training leaves each power of
two, with 8 of every 16 inputs of a row other than zero; shifts and biases have the reference model's ranges.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from qonnx.core.datatype import DataType
from qonnx.custom_op.registry import getCustomOp

from hls_projects.operators import PotLinear
from hls_projects.operators.pot_linear import timing
from hls_projects.rtl.synthesis import SynthesisError, synthesise_twin

TABLE = Path(__file__).with_suffix(".csv")
KEY = ("n_in", "n_out", "pe", "element", "sparse", "mantissa_bits", "result_buffers")
RESULTS = ("interval", "powers", "lut", "lut_ram", "ff", "carry4", "bram36", "dsp")
# How often of a thousand a weight other than zero has each power of two, the lowest first.
POWERS = np.array([10, 15, 45, 130, 250, 330, 220]) / 1000
BIAS, OUT_SHIFT, SPREAD = 4000, 7, 3

Point = tuple[int | str, ...]


def points() -> Iterator[Point]:
    """Values of :data:`KEY`."""
    for pe in (8, 16, 20, 24, 32, 48):
        yield 96, 96, pe, "bucket", 0, 0, 1
    for n_in, n_out, pe in ((96, 192, 24), (96, 192, 39), (96, 192, 48), (192, 96, 24), (192, 96, 48), (48, 96, 14)):
        yield n_in, n_out, pe, "bucket", 0, 0, 1
    for pe in (8, 16, 20, 24, 48):
        yield 96, 96, pe, "bucket", 1, 0, 1
    for n_in, n_out, pe in ((96, 192, 39), (96, 192, 48), (192, 96, 32), (192, 96, 48), (48, 96, 14)):
        yield n_in, n_out, pe, "bucket", 1, 0, 1
    for n_in, n_out, pe in ((96, 192, 39), (192, 96, 32)):
        yield n_in, n_out, pe, "bucket", 1, 0, 2
    for pe in (16, 24, 48):
        yield 96, 96, pe, "shift", 0, 0, 1
    for pe in (8, 16, 20, 24, 32, 48):
        yield 96, 96, pe, "dsp", 0, 0, 1
    yield 96, 192, 48, "dsp", 0, 0, 1
    yield 192, 96, 48, "dsp", 0, 0, 1
    for pe in (16, 48):
        yield 96, 96, pe, "bucket", 0, 2, 1
        yield 96, 96, pe, "bucket", 1, 2, 1
    yield 96, 96, 16, "shift", 0, 2, 1
    yield 96, 96, 16, "dsp", 0, 2, 1
    yield 96, 10, 1, "bucket", 0, 0, 1
    yield 96, 10, 1, "dsp", 0, 0, 1
    yield 96, 10, 10, "bucket", 0, 0, 1


def layer(n_in: int, n_out: int, mantissa_bits: int, **folding: int | str) -> PotLinear:
    """A layer with weights as training leaves them."""
    rng = np.random.default_rng(n_in + n_out + mantissa_bits)
    kept = rng.random((n_out, n_in // 16, 16)).argsort(axis=2) < 8
    exponents = rng.choice(len(POWERS), (n_out, n_in), p=POWERS) + 1
    codes = (rng.integers(0, 2, (n_out, n_in)) << 3 | exponents) << mantissa_bits
    codes |= rng.integers(0, 1 << mantissa_bits, (n_out, n_in))
    node = PotLinear.make(
        "layer", ["x"], "y", in_dtypes=[DataType["INT8"]], out_dtype=DataType["INT8"],
        n_tokens=64, n_in=n_in, n_out=n_out, exponent_bits=3, mantissa_bits=mantissa_bits,
        codes=np.where(kept.reshape(n_out, n_in), codes, 0),
        bias=rng.integers(-BIAS, BIAS, n_out), acc_shift=np.zeros(n_out),
        out_shift=rng.integers(OUT_SHIFT, OUT_SHIFT + SPREAD, n_out) + mantissa_bits, **folding,
    )  # fmt: skip
    return getCustomOp(node)


def measure(point: Point) -> dict[str, int | float | str]:
    """A row of the table."""
    key = dict(zip(KEY, point, strict=True))
    operator = layer(**key)
    found = synthesise_twin(operator)
    times = {"interval": timing.interval(operator), "powers": timing.powers(operator)}
    return key | times | {name: getattr(found, name) for name in RESULTS if name not in times}


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    text = io.StringIO()
    table = csv.DictWriter(text, (*KEY, *RESULTS), lineterminator="\n")
    table.writeheader()
    try:
        for point in points():
            table.writerow(measure(point))
            print(text.getvalue().splitlines()[-1], flush=True)
    except SynthesisError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    part = TABLE.with_suffix(".part")
    part.write_text(text.getvalue())
    part.replace(TABLE)
    return 0


if __name__ == "__main__":
    sys.exit(main())

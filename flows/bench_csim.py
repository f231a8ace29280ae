"""Measure C-simulation: a multiply-accumulate of this project's two beside stock hls4ml.

    python flows/bench_csim.py

One network, a multilayer perceptron of power-of-two weights that stock hls4ml can compile too, is
simulated by stock hls4ml (its kernels, its compile() and predict(), in io_stream on the Vitis
backend), by the reference and by the fast simulation, each in one process of one thread. Time to
start and to read weights is taken off: the time of one vector is subtracted from that of many.
Every output is compared with the network's definition.

Exit status 1: an output differs.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise

from flows.command_line import Command
from flows.command_line.options import above_zero, add_json, positive

MOST_WEIGHTS = 1 << 18  # of a layer; stock hls4ml has that many products on the stack


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sizes", type=layer_sizes, default=(256, 256, 256, 10), help="of the layers (default: 256,256,256,10)"
    )
    parser.add_argument("--runs", type=positive, default=3, help="runs of each simulation, interleaved (default: 3)")
    parser.add_argument("--seconds", type=above_zero, default=3.0, help="that a run takes, about (default: 3)")
    add_json(parser)


def layer_sizes(text: str) -> tuple[int, ...]:
    """Two or more numbers of at least 2, no more weights between two of them than :data:`MOST_WEIGHTS`."""
    parts = text.split(",")
    if len(parts) < 2 or not all(part.isascii() and part.isdecimal() and int(part) >= 2 for part in parts):
        raise argparse.ArgumentTypeError(f"must be two or more whole numbers of at least 2, as in 8,8,4, not {text!r}")
    sizes = tuple(map(int, parts))
    if max(a * b for a, b in pairwise(sizes)) > MOST_WEIGHTS:
        raise argparse.ArgumentTypeError(f"a layer may have {MOST_WEIGHTS:,} weights at most, which {text!r} exceeds")
    return sizes


def run(args: argparse.Namespace) -> int:
    from flows.benchmarking.bench_csim import bench_csim

    return bench_csim(args)


COMMAND = Command("bench_csim", __doc__, add_options, run)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

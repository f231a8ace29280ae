"""Measure what quantization costs a step of training.

    python flows/bench_training.py

A float step stands beside one with the fused quantizers and one with Brevitas as it comes. One step is forward,
backward and update on one batch of random images. The three kinds of step take turns, so that whatever else the
machine does falls on all of them; each row shows the fastest, the median and the slowest, and the ratio of its
median to that of the float step of the same row block. Before anything is timed, the fused and the plain quantized
model must give the same logits.

Exit status 1: logits differ.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flows.command_line import Command
from flows.command_line.options import add_json, add_overrides, positive


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, nargs="?", default=Path("vit-pot4"), help="recipe of a quantized model")
    add_overrides(parser)
    parser.add_argument("--batch-size", type=positive, default=64, help="images a step (default: %(default)s)")
    parser.add_argument("--rounds", type=positive, default=7, help="timed steps of each kind (default: %(default)s)")
    parser.add_argument("--compiled", action="store_true", help="time steps through torch.compile, too")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from flows.benchmarking.bench_training import bench_training

    return bench_training(args)


COMMAND = Command("bench_training", __doc__, add_options, run)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

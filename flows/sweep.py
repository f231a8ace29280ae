"""Measure what tile sizes and FIFO lengths cost and give, by attention mode.

    python flows/sweep.py --out runs/sweep
    python flows/sweep.py --tile-sizes 8 16 --fifo-lengths 8 64 lossless --modes windowed

Each attention mode and tile size is fine-tuned shortly, from the recipe's start, and its accuracy is that on the
validation images; where every query sees every key one training serves all. Its pipeline is then simulated with
every length of the FIFOs: a number of words, the same for all of them, or "smallest" (each as short as it can be
without deadlock), or "lossless" (without loss of throughput, as a build takes them). A sweep that was stopped goes
on with the same command; timings are measured again where the code has changed, accuracies are not.

--out then holds sweep.csv, sweep.png, sweep.txt, and the trainings.
"""

from __future__ import annotations

import argparse
import sys
from typing import get_args, get_type_hints

from brevitas_model.config import ViTConfig
from flows.command_line import Command
from flows.command_line.options import add_many_trainings, add_out, add_target, at_least_two, positive
from flows.sweeping.lengths import LOSSLESS, SMALLEST, Length

TILE_SIZES = (4, 8, 16, 32, 64)
FIFO_LENGTHS: tuple[Length, ...] = (2, 64, 1024, 16384, SMALLEST, LOSSLESS)
MODES = get_args(get_type_hints(ViTConfig)["attention"])
# After these images a pipeline whose FIFOs hold up to an image's tokens is full.
IMAGES = 8


def add_options(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.add_argument(
        "--tile-sizes", type=positive, nargs="+", default=TILE_SIZES, metavar="N", help="default: 4 8 16 32 64"
    )
    parser.add_argument(
        "--fifo-lengths",
        type=fifo_length,
        nargs="+",
        default=FIFO_LENGTHS,
        metavar="N",
        help=f"words, {SMALLEST} or {LOSSLESS} (default: {' '.join(map(str, FIFO_LENGTHS))})",
    )
    parser.add_argument("--modes", choices=MODES, nargs="+", default=MODES, help="of attention (default: all)")
    parser.add_argument("--context-tiles", type=int, default=1, help="that a window has before its own (default: 1)")
    parser.add_argument(
        "--simulated-images",
        type=at_least_two,
        default=IMAGES,
        metavar="N",
        help="images of a simulated run, at least 2 (default: %(default)s)",
    )
    add_out(parser, "runs/sweep")
    add_many_trainings(parser, "sweep", "training")


def fifo_length(text: str) -> Length:
    """A number of words, or the name of a sizing."""
    if text in (SMALLEST, LOSSLESS):
        return text
    try:
        return positive(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or one of {SMALLEST}, {LOSSLESS}") from error


def run(args: argparse.Namespace) -> int:
    from flows.sweeping.sweep import sweep

    return sweep(args)


COMMAND = Command("sweep", __doc__, add_options, run, "the same command goes on after the last whole epoch and point")
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

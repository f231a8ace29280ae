"""Evaluate every phase of a model: float, pruned, fine-tuned, 4 and 6 bits, exported.

    python flows/evaluate.py
    python flows/evaluate.py runs/vit-pruned runs/vit-pruned-seed-1 --split validation

Of each checkpoint it says accuracy, size and zeros. A checkpoint is the name of a shipped one, a file or the
folder of a run; what it was trained from is evaluated with it where it can be found. Look at the test split
once, at the end, when nothing is chosen by it any more; until then there is --split validation.

Exit status 1: an exported file gives another logit than torch, or zeros are not where pruning promised them.
"""

from __future__ import annotations

import argparse
import sys

from flows.command_line import Command
from flows.command_line.options import add_data, add_out, positive


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkpoints",
        nargs="*",
        metavar="CHECKPOINT",
        help="shipped name, file or folder of a run (default: the shipped chain of phases)",
    )
    parser.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="test: 10,000 images, meant to be looked at once, at the end; validation: the last 5,000 training "
        "images, which no training sees (default: test)",
    )
    add_data(parser)
    parser.add_argument("--images", type=positive, metavar="N", help="only the first N images of the split")
    add_out(parser, "runs/evaluation")


def run(args: argparse.Namespace) -> int:
    from flows.evaluation.evaluate import run_evaluation

    return run_evaluation(args)


COMMAND = Command("evaluate", __doc__, add_options, run, "earlier results are as they were")
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

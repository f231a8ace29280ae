"""Estimate the speed and the resources of a model on a board, in seconds.

    python flows/estimate.py --target pynq-z2
    python flows/estimate.py --target pynq-z2 --fps 3000 --dense
    python flows/estimate.py --target kv260 --clock 200 --json estimate.json --plot estimate.png

The folding is chosen so that every operator is about as fast as the slowest. Cycles are those that the operators
declare, resources come from a model that was fitted to syntheses of their Verilog twins (calibrated), the latency
from the timed simulation. A model that does not fit the board cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flows.command_line import Command
from flows.command_line.options import above_zero, add_folding, add_json, add_model, add_target, plot_file


def add_options(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    add_model(parser)
    add_folding(parser)
    parser.add_argument("--clock", type=above_zero, metavar="MHz", help="instead of the target's")
    parser.add_argument("--write-folding", type=Path, metavar="FILE", help="write folding.json")
    add_json(parser)
    parser.add_argument("--plot", type=plot_file, metavar="FILE", help="draw cycles and LUTs by operator")


def run(args: argparse.Namespace) -> int:
    from flows.inspection.estimate import estimate

    return estimate(args)


COMMAND = Command("estimate", __doc__, add_options, run)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

"""Simulate the pipeline cycle by cycle: its speed, its stalls, the depths of its FIFOs.

    python flows/simulate.py --target pynq-z2
    python flows/simulate.py --size-fifos --write-depths fifo_depths.json
    python flows/simulate.py --fifo-depths fifo_depths.json --json timing.json --plot timing.png
    python flows/simulate.py --occupancy occupancy.csv --graph graph.svg

The processes are those of the generated C++, their timing is what each hardware operator declares. Without
--fifo-depths or --fifo-length the FIFOs are the smallest that cost no throughput, as in a build.

Exit status 1: the pipeline deadlocks; the output says where, and which FIFOs would free it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flows.command_line import Command
from flows.command_line.options import (
    add_fifo_depths,
    add_folding,
    add_json,
    add_model,
    add_target,
    at_least_two,
    plot_file,
    positive,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    add_model(parser)
    add_folding(parser)
    parser.add_argument(
        "--images", type=at_least_two, metavar="N", help="how many run (default: until the interval stays the same)"
    )
    depths = parser.add_mutually_exclusive_group()
    add_fifo_depths(depths)
    depths.add_argument("--fifo-length", type=positive, metavar="N", help="the same depth for every FIFO")
    parser.add_argument("--size-fifos", action="store_true", help="print the curve from smallest to lossless FIFOs")
    parser.add_argument("--write-depths", type=Path, metavar="FILE", help="write the depths that were simulated")
    add_json(parser)
    parser.add_argument(
        "--occupancy", type=Path, metavar="FILE", help="write the most slots of every FIFO in use over time, as CSV"
    )
    parser.add_argument(
        "--plot", type=plot_file, metavar="FILE", help="draw what every process does when, and how full FIFOs are"
    )
    parser.add_argument("--graph", type=plot_file, metavar="FILE", help="draw the layers and the depths between them")


def run(args: argparse.Namespace) -> int:
    from flows.inspection.simulate import simulate

    return simulate(args)


COMMAND = Command("simulate", __doc__, add_options, run)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

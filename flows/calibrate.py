"""Measure the operators' Verilog with Yosys and fit the cost model to it.

    python flows/calibrate.py
    python flows/calibrate.py --operators PotLinear Fifo --jobs 2

Every point of the grid (hls_projects/calibration/grid.py) that is not yet in its family's file in
hls_projects/calibration/measurements, or was measured on other Verilog, is synthesised; the file is written after
each, so that an interrupted run resumes. Then hls_projects/cost_model.json is written, and its errors are printed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flows.command_line import Command
from flows.command_line.options import positive


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--operators", nargs="+", metavar="FAMILY", help="only these, as PotLinear (default: all)")
    parser.add_argument("--most", type=int, metavar="N", help="only the first N points of a family; 0: only fit")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="syntheses at a time (default: 1)")
    parser.add_argument("--folder", type=Path, help="folder of the measurements (default: the project's)")
    parser.add_argument("--model", type=Path, help="file of the fitted cost model (default: the project's)")


def run(args: argparse.Namespace) -> int:
    from hls_projects.calibration.calibrate import calibrate

    return calibrate(args.operators, args.most, args.jobs, args.folder, args.model)


COMMAND = Command("calibrate", __doc__, add_options, run, "the same command goes on after the last point")
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

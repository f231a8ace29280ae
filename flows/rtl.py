"""Write a model in Verilog, run it on images, and compare it with the operators.

    python flows/rtl.py --images 3 --out rtl
    python flows/rtl.py --lowered out/lowered.onnx --fifo-depths out/fifo_depths.json --synthesise

A checkpoint is folded for the target as in a build; a lowered graph has its folding unless --folding is given. The
images are those of CIFAR-10's test split where --data or the variable CIFAR10_ROOT says where it is, else random
ones. Logits are compared with the operators' numpy semantics, cycles with the timed simulation of as many images.

Exit status 1: a logit differs, or the core deadlocks.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flows.command_line import Command
from flows.command_line.options import (
    add_data,
    add_fifo_depths,
    add_folding,
    add_inputs,
    add_json,
    add_model,
    add_target,
    positive,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    add_model(parser)
    add_folding(parser)
    add_fifo_depths(parser)
    parser.add_argument("--images", type=positive, default=3, metavar="N", help="how many run (default: 3)")
    add_data(parser, "else random images")
    add_inputs(parser)
    parser.add_argument("--stalls", type=int, default=0, metavar="SEED", help="random gaps and stalls at the ports")
    parser.add_argument("--out", type=Path, metavar="DIR", help="leave the Verilog in this folder")
    parser.add_argument("--synthesise", action="store_true", help="resources of every part by Yosys, minutes")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="syntheses at a time (default: 1)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from flows.inspection.rtl import run_rtl

    return run_rtl(args)


COMMAND = Command("rtl", __doc__, add_options, run)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

"""Put the reports of Vitis HLS and Vivado beside the estimate.

    python flows/synthesis.py --reports hls/vit_prj --estimate estimate.json

No tool is run: csynth.xml, report_utilization and report_timing_summary (.rpt) are read from the folder and
the folders below it. The estimate is what flows/estimate.py --json wrote.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flows.command_line import Command
from flows.command_line.options import add_json, add_target


def add_options(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.add_argument("--reports", type=Path, required=True, metavar="DIR", help="folder with the tools' reports")
    parser.add_argument("--estimate", type=Path, metavar="FILE", help="what flows/estimate.py --json wrote")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from flows.inspection.synthesis import show_synthesis

    return show_synthesis(args)


COMMAND = Command("synthesis", __doc__, add_options, run)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

"""Compare the reports of two or more builds; the first is the baseline.

    python flows/compare.py out/before out/after --fail-if "accuracy.csim<-0.2"

Exit status 1: a change that --fail-if names is there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flows.command_line import Command
from flows.command_line.options import add_json

FAIL_IF_HELP = """fail with status 1 if a figure's change, last report minus first, is that: a dotted path in
report.json, one of < <= > >=, a number; may be given again. Elements of lists go by their name
(stages.csim.seconds, comparisons.qonnx_csim.mismatched_logits), storage.total_bits and seconds.total
are sums."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reports", nargs="+", metavar="REPORT", help="report.json, or the output folder of a build")
    parser.add_argument("--fail-if", action="append", default=[], metavar="EXPRESSION", help=FAIL_IF_HELP)
    parser.add_argument("--across-models", action="store_true", help="compare models of different configuration")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with tables and plots of what changed")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from flows.reporting.compare import compare

    return compare(args)


COMMAND = Command("compare", __doc__, add_options, run)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

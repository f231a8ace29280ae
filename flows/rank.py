"""Measure how well short trials rank models as long runs do: what a search rests on.

    python flows/rank.py --epochs 4 --long-epochs 30

Every model is trained twice, each time on a whole schedule of its own, and Spearman's and Kendall's rank
correlations of both accuracies are printed. --out then holds rank.json and the trainings.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flows.command_line import Command
from flows.command_line.options import add_many_trainings, add_out, positive


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models", type=Path, nargs="?", help="TOML file of six or more models (default: eight, shipped)"
    )
    parser.add_argument("--long-epochs", type=positive, default=30, help="of a long run (default: %(default)s)")
    add_out(parser, "runs/rank")
    add_many_trainings(parser, "search", "short run")


def run(args: argparse.Namespace) -> int:
    from flows.ranking.ranking import run_ranking

    return run_ranking(args)


COMMAND = Command("rank", __doc__, add_options, run, "the same command goes on after the last whole epochs")
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

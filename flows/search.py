"""Search for models by validation accuracy and cost, a short training a trial, with Optuna.

    python flows/search.py --trials 50
    python flows/search.py --space space.toml --max-parameters 400000 --ray
    python flows/search.py --space quantized.toml --target pynq-z2
    python flows/search.py --report-only

The study is a database, so a search that was stopped or killed goes on with the same command; trials that
went down with it are run again from their last whole epoch. --out then holds trials.csv, trials.json,
front.png and a folder a trial. flows/rank.py measures what the search rests on: the rank correlation between
the accuracies of short trials and of long runs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flows.command_line import Command
from flows.command_line.options import add_many_trainings, add_out, percentage, positive
from hls_projects.targets import TARGET_HELP


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--space", type=Path, help="TOML file of choices, depth = [2, 3] (default: a space of 5,280)")
    parser.add_argument("--max-parameters", type=positive, help="no larger models")
    parser.add_argument(
        "--target",
        help="minimize the cycles between two images on this board, with half of the weights zero, instead of the "
        f"parameters: {TARGET_HELP}",
    )
    parser.add_argument("--trials", type=positive, default=50, help="of the whole study (default: %(default)s)")
    parser.add_argument("--study", default="search", help="name in the database (default: %(default)s)")
    parser.add_argument("--storage", help="URL of the database (default: sqlite:///OUT/study.db)")
    add_out(parser, "runs/search")
    parser.add_argument(
        "--keep",
        type=percentage,
        default=50.0,
        metavar="PERCENT",
        help="stop a trial that is not in this share of the best among those that cost no more; 100 stops none "
        "(default: %(default)s)",
    )
    parser.add_argument("--prune-after", type=positive, default=1, metavar="EPOCHS", help="not before (default: 1)")
    parser.add_argument("--report-only", action="store_true", help="write what the study holds, and train nothing")
    add_many_trainings(parser, "search", "trial")


def run(args: argparse.Namespace) -> int:
    from flows.searching.search import search

    return search(args)


COMMAND = Command("search", __doc__, add_options, run, "the same command goes on after the last whole epochs")
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

"""Check a build against its hashes, or two builds against each other.

    python flows/verify.py out            # every file against the hashes that the build left
    python flows/verify.py out other/out  # and the second build against the first

The same commit, checkpoint and options give the same bytes, in whatever folder, locale and time zone, by
whatever user and on however many threads. Times, versions and the command line, which the reports show, and
compiled programs are not compared.

Exit status 1: a file differs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flows.command_line import Command


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="output folder of a build")
    parser.add_argument("other", type=Path, metavar="OTHER", nargs="?", help="output folder of another build")


def run(args: argparse.Namespace) -> int:
    from flows.building.verify import verify

    return verify(args.out, args.other)


COMMAND = Command("verify", __doc__, add_options, run)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

"""Does a build still hold what was built, and do two builds hold the same?

    python flows/verify.py out            # every file against the hashes that the build left
    python flows/verify.py out other/out  # and the second build against the first

The same commit, checkpoint and options give the same bytes, in whatever folder, locale and time zone, by
whatever user and on however many threads. Times, versions and the command line, which the reports show, and
compiled programs are not compared.

Exit status: 0 when nothing differs, 1 when something does, 2 when a folder is not the output of a build.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flows.building.hashes import Difference, HashesError, difference, hash_files, read_hashes
from flows.command_line import CommandParser, guarded


def check(folder: Path) -> Difference:
    """What differs in a build's folder from the hashes in it."""
    return difference(read_hashes(folder), hash_files(folder))


def told(found: Difference) -> list[str]:
    """A line for each file."""
    kinds = {"changed": found.changed, "missing": found.missing, "added": found.added}
    return [f"  {kind:8} {name}" for kind, names in kinds.items() for name in names]


def run(first: Path, second: Path | None) -> int:
    """Check, say what differs, and return the exit status."""
    results = {f"{folder}, its own hashes": check(folder) for folder in (first, second) if folder}
    if second:
        results[f"{first} / {second}"] = difference(hash_files(first), hash_files(second))
    count = len(read_hashes(first))
    for what, found in results.items():
        print(f"{what}: {'differs' if found else f'identical, {count} files and figures'}")
        print("\n".join(told(found)), end="\n" if found else "")
    return int(any(results.values()))


def main(argv: list[str] | None = None) -> int:
    parser = CommandParser("verify", __doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="output folder of a build")
    parser.add_argument("other", type=Path, metavar="OTHER", nargs="?", help="output folder of another build")
    args = parser.parse_args(argv)
    return guarded("verify", lambda: run(args.out, args.other), (HashesError, OSError))


if __name__ == "__main__":
    sys.exit(main())

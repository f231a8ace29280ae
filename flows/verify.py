"""Check the files of a build against its hashes, or compare two builds file by file.

    python flows/verify.py out            # every file against the hashes that the build left
    python flows/verify.py out other/out  # and the second build against the first

The same commit, checkpoint and options give the same bytes, whatever the folder, the locale, the time zone, the user
and the number of threads. Run times, versions and the command line, which are in the reports, and compiled programs are
not compared.

Exit status: 0 when nothing differs, 1 when something does, 2 when a folder is not the output of a build.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flows.building.hashes import Difference, HashesError, difference, hash_files, read_hashes
from flows.command_line import CommandParser, guarded


def check(folder: Path) -> Difference:
    """Files in a build's folder that differ from its hashes."""
    return difference(read_hashes(folder), hash_files(folder))


def lines_of(found: Difference) -> list[str]:
    """A line for each file that differs."""
    kinds = {"changed": found.changed, "missing": found.missing, "added": found.added}
    return [f"  {kind:8} {name}" for kind, names in kinds.items() for name in names]


def run(first: Path, second: Path | None) -> int:
    """Check, print what differs, and return the exit status."""
    results = {f"{folder} and its hashes": check(folder) for folder in (first, second) if folder}
    if second:
        results[f"{first} and {second}"] = difference(hash_files(first), hash_files(second))
    count = len(read_hashes(first))
    for what, found in results.items():
        print(f"{what}: {'differ' if found else f'match, {count:,} files'}")
        print("\n".join(lines_of(found)), end="\n" if found else "")
    return int(any(results.values()))


def main(argv: list[str] | None = None) -> int:
    parser = CommandParser("verify", __doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="output folder of a build")
    parser.add_argument("other", type=Path, metavar="OTHER", nargs="?", help="output folder of another build")
    args = parser.parse_args(argv)
    return guarded("verify", lambda: run(args.out, args.other), (HashesError, OSError))


if __name__ == "__main__":
    sys.exit(main())

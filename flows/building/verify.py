"""What differs between a build and its hashes, or between two builds."""

from __future__ import annotations

from pathlib import Path

from flows.building.hashes import Difference, difference, hash_files, read_hashes
from flows.command_line import Status


def check(folder: Path) -> Difference:
    """Files in a build's folder that differ from its hashes."""
    return difference(read_hashes(folder), hash_files(folder))


def lines_of(found: Difference) -> list[str]:
    """A line for each file that differs."""
    kinds = {"changed": found.changed, "missing": found.missing, "added": found.added}
    return [f"  {kind:8} {name}" for kind, names in kinds.items() for name in names]


def verify(first: Path, second: Path | None) -> Status:
    """Check, print what differs, and return the exit status."""
    results = {f"{folder} and its hashes": check(folder) for folder in (first, second) if folder}
    if second:
        results[f"{first} and {second}"] = difference(hash_files(first), hash_files(second))
    count = len(read_hashes(first))
    for what, found in results.items():
        print(f"{what}: {'differ' if found else f'match, {count:,} files'}")
        print("\n".join(lines_of(found)), end="\n" if found else "")
    return Status.DIFFERS if any(results.values()) else Status.OK

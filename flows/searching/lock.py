"""One process a folder of trainings, and one owner."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from hls_projects.errors import InputError
from hls_projects.files import held_folder, read_whole, write_whole

OWNER = "driver.lock"
# Bytes of the text that names an owner.
LONGEST_OWNER = 4096


@contextlib.contextmanager
def lock_folder(out: Path, owner: str) -> Iterator[None]:
    """Hold ``out`` until the block ends, or the process ends in any way.

    Args:
        owner: whose trainings these are, in words; stored in the folder.

    Raises:
        InputError: another process holds ``out``, or another owner's trainings lie there.
    """
    with held_folder(out, f"another process trains in {out}; wait for it or choose another --out"):
        there = _owner(out / OWNER)
        if there not in ("", owner):
            raise InputError(f"{out} holds the trainings of {there}, not of {owner}; choose another --out")
        write_whole(out / OWNER, owner)
        yield


def _owner(path: Path) -> str:
    try:
        return read_whole(path, LONGEST_OWNER).decode(errors="replace").strip()
    except FileNotFoundError:
        return ""

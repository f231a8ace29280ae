"""One process a folder of trainings, and one owner."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

from hls_projects.errors import InputError

LOCK = "driver.lock"


def lock_folder(out: Path, owner: str) -> TextIO:
    """Hold ``out`` until the file that this returns is closed, or its process ends in any way.

    Args:
        owner: whose trainings these are, in words; kept in the folder.

    Raises:
        InputError: another process holds ``out``, or another owner's trainings lie there.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = (out / LOCK).open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise InputError(f"another process trains in {out}; wait for it or choose another --out") from error
    file.seek(0)
    there = file.read().strip()
    if there not in ("", owner):
        file.close()
        raise InputError(f"{out} holds the trainings of {there}, not of {owner}; choose another --out")
    if not there:
        file.write(owner)
        file.flush()
        os.fsync(file.fileno())
    return file

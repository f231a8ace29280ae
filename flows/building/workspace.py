"""An output folder that is either the earlier one or the new one, never half of either."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARKER = "build.json"


class WorkspaceError(Exception):
    """An output folder that must not, or cannot, be written."""


def read_marker(folder: Path) -> dict[str, Any] | None:
    """The facts that a build left in ``folder``; None where no build did."""
    try:
        facts = json.loads((folder / MARKER).read_text())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and isinstance(facts.get("seconds"), dict) else None


@contextlib.contextmanager
def workspace(out: Path, *, keep: bool) -> Iterator[Path]:
    """A folder beside ``out`` that replaces it when the block ends without an exception.

    Args:
        keep: start from a copy of what ``out`` holds.

    Raises:
        WorkspaceError: ``out`` cannot be written, holds something no build wrote, or is being
            written by another build.
    """
    out = out.resolve()
    if out.exists() and not (out.is_dir() and (read_marker(out) is not None or not any(out.iterdir()))):
        raise WorkspaceError(f"{out} exists and no build wrote it; choose another --out")
    if keep and read_marker(out) is None:
        raise WorkspaceError(f"{out} holds no earlier build to go on from; leave --from out")
    with contextlib.ExitStack() as stack:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_lock(out))
            work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        except OSError as error:
            raise WorkspaceError(f"cannot write beside {out}: {error.strerror}; choose another --out") from error
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        work.chmod(0o755)
        if keep:
            shutil.copytree(out, work, dirs_exist_ok=True, symlinks=True)
        yield work
        with _uninterrupted():
            _swap(work, out)


def _swap(work: Path, out: Path) -> None:
    old = work.with_name(f"{work.name}.old")
    if out.exists():
        out.rename(old)
    try:
        work.rename(out)
    except BaseException:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C comes too late here: between two renames there is no earlier output to keep."""
    held = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _lock(out: Path) -> Iterator[None]:
    path = out.with_name(f".{out.name}.lock")
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed the file between our opening and locking it.
            mine = path.stat().st_ino == os.fstat(file.fileno()).st_ino
        except (BlockingIOError, FileNotFoundError):
            mine = False
        if not mine:
            raise WorkspaceError(f"another build writes to {out}; wait for it or choose another --out")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

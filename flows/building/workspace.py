"""An output folder that is either the earlier one or the new one, never half of either."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hls_projects.errors import InputError
from hls_projects.files import locked, parse_json, read_text, replace_folder
from hls_projects.signals import STOPPING

MARKER = "build.json"
# Endings of the folders beside an output: of a build that is under way, and of an earlier output that is set aside.
WORK, OLD = ".work", ".old"


def read_marker(folder: Path) -> dict[str, Any] | None:
    """The facts that a build left in ``folder``; None where no build did."""
    try:
        facts = parse_json(read_text(folder / MARKER))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and isinstance(facts.get("seconds"), dict) else None


@contextlib.contextmanager
def workspace(out: Path, *, keep: bool) -> Iterator[Path]:
    """A folder beside ``out`` that replaces it when the block ends without an exception.

    Args:
        keep: start from a copy of what ``out`` holds.

    Raises:
        InputError: ``out`` cannot be written, holds something no build wrote, or another build writes to it.
    """
    out = _resolved(out)
    if not _left(out, OLD):
        _check_output(out, keep)  # before anything is made
    with contextlib.ExitStack() as stack:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            busy = f"another build writes to {out}; wait for it or choose another --out"
            stack.enter_context(locked(out.with_name(f".{out.name}.lock"), busy))
            recover(out)
            _check_output(out, keep)
            work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=WORK, dir=out.parent))
        except OSError as error:
            raise InputError(f"cannot write beside {out}: {error.strerror}; choose another --out") from error
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        work.chmod(0o755)
        if keep:
            shutil.copytree(out, work, dirs_exist_ok=True, symlinks=True)
        yield work
        with _uninterrupted():
            replace_folder(work, out, work.with_suffix(OLD))


def recover(out: Path) -> None:
    """Undo what a build into ``out`` left behind whose process is gone; the caller holds the lock of ``out``.

    The earlier output, which such a build may have set aside, comes back where ``out`` is missing.
    """
    aside = _left(out, OLD)
    if aside and not out.exists():
        max(aside, key=lambda path: path.stat().st_mtime).rename(out)
    for path in (*_left(out, OLD), *_left(out, WORK)):
        shutil.rmtree(path, ignore_errors=True)


def _left(out: Path, ending: str) -> list[Path]:
    """Folders beside ``out`` that :func:`workspace` made for it."""
    pattern = re.compile(rf"\.{re.escape(out.name)}\.[a-z0-9_]{{8}}{re.escape(ending)}")
    beside = out.parent.iterdir() if out.parent.is_dir() else ()
    found = [path for path in beside if pattern.fullmatch(path.name)]
    return [path for path in found if path.is_dir() and not path.is_symlink()]


def _resolved(out: Path) -> Path:
    try:
        return out.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise InputError(f"{out} cannot be followed to a folder: {error}; choose another --out") from error


def _check_output(out: Path, keep: bool) -> None:
    if out.exists() and not (out.is_dir() and (read_marker(out) is not None or not any(out.iterdir()))):
        raise InputError(f"{out} exists and no build wrote it; choose another --out")
    if keep and read_marker(out) is None:
        raise InputError(f"{out} holds no earlier build to go on from; leave --from out")


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C comes too late here: the output is complete, and its earlier form is about to go."""
    held = {number: signal.signal(number, signal.SIG_IGN) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)

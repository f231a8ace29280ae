"""Files that are read and written: whole or not at all, never through a link, never a device.

Everything that the project leaves for a user goes through :func:`write_whole` or :func:`replacing`, everything that it
caches lies in :func:`cache_folder`, and every folder that must have one writer has a :func:`locked` file.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import secrets
import shutil
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from hls_projects.errors import InputError

CACHE = "potstream"
LOCK, PART = ".lock", ".part"
# Of the Linux kernel, linux/fcntl.h and linux/fs.h.
AT_FDCWD = -100
RENAME_EXCHANGE = 2
# A file that is read at once; larger ones are no inputs of this project.
LARGEST = 4 << 30
LARGEST_TEXT = 64 << 20


class FileError(OSError, InputError):
    """A path that is no regular file where one is read or written."""


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file beside ``path`` and rename it into place; makes the folder. Text is written as UTF-8.

    Raises:
        FileError: ``path`` is a link, a device or a folder.
        OSError: what the system says; ``path`` is then as it was, and nothing is left beside it.
    """
    with replacing(path) as part:
        part.write_bytes(content if isinstance(content, bytes) else content.encode())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file beside ``path`` that takes its name when the block ends without an exception.

    Raises:
        FileError, OSError: as :func:`write_whole`.
    """
    check_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of the name only a part: with the rest it may be longer than names can be.
    part = path.with_name(f".{path.name[:40]}.{os.getpid()}.{secrets.token_hex(4)}{PART}")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    # The writer may make the file anew, with rights of its own.
    mode = stat.S_IMODE(part.lstat().st_mode)
    try:
        yield part
        part.chmod(mode)
        _flush(part)
        part.replace(path)
        _flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


def check_replaceable(path: Path) -> None:
    """Reject a path whose name belongs to something else than a regular file.

    Raises:
        FileError: a link, a device, a FIFO, a socket or a folder.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise FileError(errno.EINVAL, "it is there and is not a regular file; name another one", str(path))


def check_readable(path: Path) -> None:
    """Reject a path that cannot be read to its end: a device, a FIFO, a socket or a folder; links are followed.

    Raises:
        FileError: one of these.
        OSError: no such file, or no right to look at it.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise FileError(errno.EINVAL, "it is not a regular file", str(path))


def read_whole(path: Path, largest: int = LARGEST) -> bytes:
    """The bytes of a regular file.

    Args:
        largest: bytes that it may have.

    Raises:
        FileError: a device, a FIFO, a folder, or a larger file.
        OSError: what the system says.
    """
    try:
        # Without O_NONBLOCK, to open a FIFO would wait for its writer.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a null in the name
        raise FileError(errno.EINVAL, str(error), repr(str(path))) from error
    try:
        facts = os.fstat(number)
        if not stat.S_ISREG(facts.st_mode):
            raise FileError(errno.EINVAL, "it is not a regular file", str(path))
        if facts.st_size > largest:
            raise FileError(errno.EFBIG, f"it has {facts.st_size} bytes, more than {largest}", str(path))
        with os.fdopen(number, "rb", closefd=False) as file:
            return file.read(largest)
    finally:
        os.close(number)


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """The text of a regular file in UTF-8; errors as of :func:`read_whole`, and ValueError where it is no text."""
    return read_whole(path, largest).decode("utf-8")


def parse_json(text: str) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: not JSON, nested too deeply, or a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def parse_toml(text: str) -> dict[str, Any]:
    """What a TOML text says.

    Raises:
        ValueError: not TOML, nested too deeply, or a number of thousands of digits.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def cache_folder(*parts: str) -> Path:
    """A folder below the user's cache, ``XDG_CACHE_HOME`` or ``~/.cache``, that may not be there yet.

    Raises:
        FileError: neither is known.
    """
    try:
        base = platformdirs.user_cache_path(CACHE, appauthor=False)
    except RuntimeError as error:
        raise FileError(errno.ENOENT, "there is no home folder for a cache; set XDG_CACHE_HOME", "~/.cache") from error
    return base.joinpath(*parts)


@contextlib.contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock file ``path`` until the block ends, or the process ends in any way; the file is removed.

    Args:
        busy: what to say where another process holds it.

    Raises:
        InputError: another process holds it.
        FileError: a link or a device has its name.
        OSError: it cannot be made.
    """
    check_replaceable(path)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(busy) from error
    try:
        yield
    finally:
        # Still held: who opened the file before sees that it has no name any more, and makes another one.
        path.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def held_folder(folder: Path, busy: str) -> Iterator[None]:
    """Make ``folder`` and hold it until the block ends, or the process ends in any way.

    Files that a killed process had half written there are removed, and so is the folder if nothing was written.

    Args:
        busy: what to say where another process holds it.

    Raises:
        LockedError, FileError, OSError: as :func:`locked`.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder / LOCK, busy):
            for part in folder.glob(f".*{PART}"):
                part.unlink(missing_ok=True)
            yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            for path in made:
                path.rmdir()


def replace_folder(made: Path, out: Path, aside: Path) -> None:
    """Give the folder ``made`` the name ``out``, and remove what had it.

    In one step where the system can, so that there is always one of the two under ``out``; else in two, between which
    what was there has the name ``aside``.

    Raises:
        OSError: what the system says; ``out`` is then as it was.
    """
    if out.exists() and _exchange(made, out):
        shutil.rmtree(made, ignore_errors=True)
        return
    if out.exists():
        out.rename(aside)
    try:
        made.rename(out)
    except BaseException:
        if aside.exists():
            aside.rename(out)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Give two paths of one file system each other's names, in one step; False where the kernel cannot.

    Raises:
        OSError: what the system says otherwise.
    """
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    if function(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    # EINVAL is what a file system says that has no exchange.
    if number in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(number, os.strerror(number), str(one))


def _flush(path: Path) -> None:
    """Wait until the disk has it; some file systems have no such order for folders."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError:
        if path.is_file():
            raise
    finally:
        os.close(number)

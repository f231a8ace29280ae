"""Reading files and figures, and saying which of them is wrong."""

from __future__ import annotations

import re
from pathlib import Path

from hls_projects.errors import InputError

NUMBER = re.compile(r"-?\d+(\.\d+)?")


def read_text(file: Path) -> str:
    """
    Raises:
        InputError: no such file, or it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error


def number(text: str, what: str, file: Path) -> int | float:
    """A whole number as int, another as float.

    Raises:
        InputError: ``text`` is none; the message has the ``file`` and ``what`` it is.
    """
    if not NUMBER.fullmatch(text):
        raise InputError(f"{file}: {what} is {text[:40]!r}, not a number")
    return whole(float(text))


def count(text: str, what: str, file: Path) -> int | float:
    """A number that is not negative."""
    value = number(text, what, file)
    if value < 0:
        raise InputError(f"{file}: {what} is {text}, less than 0")
    return value


def whole(value: float) -> int | float:
    return int(value) if value == int(value) else value

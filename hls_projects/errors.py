"""The base class of all errors that a user's input causes, and how any error is said in one line."""

from __future__ import annotations

import shutil

LONGEST = 600
"""Characters of the longest message; a longer one loses its middle, as its end says what to do."""


class InputError(Exception):
    """Something that the user gave cannot be used.

    The message is one line: what is wrong, where, and what to do. A class of its own is derived only where a caller
    distinguishes it.
    """


def one_line(error: BaseException) -> str:
    """The message of ``error`` in printable characters, without line breaks, at most :data:`LONGEST` long."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        # One of the files that could not be copied is enough.
        return printable(str(error.args[0][0][-1]))
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return printable(f"{error.filename}: {error.strerror}")
    return printable(str(error))


def kind_and_message(error: BaseException) -> str:
    """The name of the class of ``error`` and its message, on one line."""
    message = one_line(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def printable(text: str) -> str:
    """``text`` on one line: white space becomes a blank, other characters that are not printable are escaped."""
    words = " ".join(text.split())
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in words)
    if len(escaped) <= LONGEST:
        return escaped
    end = LONGEST // 3
    return f"{escaped[: LONGEST - end - 5]} ... {escaped[-end:]}"

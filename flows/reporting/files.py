"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and rename it into place.

    Raises:
        OSError: ``path`` is there and is no regular file; or what the system says, a full disk for one.
            ``path`` is then as it was, and nothing is left beside it.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is there and is not a regular file", str(path))
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

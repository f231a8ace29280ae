"""Which Verilog files a module needs."""

from __future__ import annotations

import re
from pathlib import Path

from hls_projects.verilog.twin import LIBRARY

COMMENT = re.compile(r"//.*$", re.MULTILINE)


def sources(module: str, folder: Path) -> tuple[Path, ...]:
    """The files of ``module`` and of all that it instantiates, each a module of the file's name.

    Args:
        folder: looked through before :data:`hls_projects.verilog.twin.LIBRARY`.
    """
    known = {path.stem: path for path in (*LIBRARY.glob("*.sv"), *folder.glob("*.sv"))}
    found, waiting = [], [module]
    while waiting:
        path = known.pop(waiting.pop(), None)
        if path is not None:
            found.append(path)
            waiting += [name for name in re.findall(r"\w+", code(path)) if name in known]
    return tuple(sorted(found))


def code(path: Path) -> str:
    """A file without its comments and the blanks at the ends of lines."""
    return "\n".join(line.strip() for line in COMMENT.sub("", path.read_text()).splitlines() if line.strip())

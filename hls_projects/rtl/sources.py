"""Which files a Verilog module is made of."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from hls_projects.rtl.twin import LIBRARY

OPERATORS = LIBRARY.parent / "operators"
# A module's name at the place of an instance: its parameters follow, or the instance's name and its ports.
INSTANCE = re.compile(r"\b([A-Za-z_]\w*)\s*(?:#\s*\(|\s[A-Za-z_]\w*\s*\()")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def module_sources(*modules: str) -> list[Path]:
    """Files of ``modules`` and of all that they instantiate, each module in a file of its own name.

    Raises:
        KeyError: no file of one of ``modules``.
    """
    found: dict[str, Path] = {}
    wanted = list(modules)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = _files()[name]
            wanted += _instances(found[name])
    return [found[name] for name in sorted(found)]


@functools.cache
def _files() -> dict[str, Path]:
    """Files of the library and of the operators by their module."""
    paths = sorted([*LIBRARY.glob("*.v"), *OPERATORS.glob("*/*.v")])
    return {path.stem: path for path in paths}


def _instances(path: Path) -> set[str]:
    """Modules with a file of their own that the one in ``path`` may instantiate."""
    text = COMMENT.sub("", path.read_text())
    return set(INSTANCE.findall(text)) & set(_files())

"""The Verilog files that a module needs, and their text as far as it decides what a synthesiser makes of them."""

from __future__ import annotations

import re
from pathlib import Path

from hls_projects.verilog.twin import LIBRARY

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
# A condition in parentheses, which may nest twice.
CONDITION = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
CHECK = re.compile(rf'\bif\s*{CONDITION}\s*(begin\b(?:\s*:\s*\w+)?)?\s*\$error\("[^"]*"\);(?(1)\s*end\b)')
# In this order: what a removal leaves empty is removed by the next one.
NO_HARDWARE = (
    COMMENT,
    CHECK,
    re.compile(r"\bgenerate\s*endgenerate\b"),
    re.compile(r"`ifndef\s+__ICARUS__\s*`endif\b"),
    re.compile(r"`default_nettype\s+\w+"),
)


def sources(module: str, folder: Path) -> tuple[Path, ...]:
    """Files of ``module`` and of every module that it instantiates, directly or not.

    A file holds the module of its own name.

    Args:
        folder: searched before :data:`hls_projects.verilog.twin.LIBRARY`.
    """
    known = {path.stem: path for path in (*LIBRARY.glob("*.sv"), *folder.glob("*.sv"))}
    found, waiting = [], [module]
    while waiting:
        path = known.pop(waiting.pop(), None)
        if path is not None:
            found.append(path)
            waiting += [name for name in re.findall(r"\w+", hardware_text(path.read_text())) if name in known]
    return tuple(sorted(found))


def hardware_text(text: str) -> str:
    """Verilog without what no netlist depends on.

    Removes comments, checks of parameters (``if (...) $error("...");``), ```default_nettype``, and every difference in
    white space, so that a measured netlist stays valid when they change.
    """
    for pattern in NO_HARDWARE:
        text = pattern.sub(" ", text)
    return " ".join(text.split())

"""What a folding is to be; light enough for the parser of a command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILL = 0.85
"""Largest share of any resource that a folding takes by default."""


@dataclass(frozen=True, kw_only=True)
class FoldOptions:
    """What a folding is to be.

    Args:
        fps: images/s, by default as many as fit.
        clock_mhz: instead of the target's.
        fill: largest share of any resource.
        dense: weights that are zero take time as others do.
        file: a folding.json instead of all that.
    """

    fps: float | None = None
    clock_mhz: float | None = None
    fill: float = FILL
    dense: bool = False
    file: Path | None = None

"""What a caller asks of a folding, and the errors that say why it cannot be had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hls_projects.errors import InputError

FILL = 0.85
"""Largest utilization of any resource that a folding may reach by default."""


class FoldingError(InputError):
    """A folding that does not fit the network, or a request that no folding fulfils."""


class TooSmallError(FoldingError):
    """A board with too few resources for a plan."""


@dataclass(frozen=True, kw_only=True)
class FoldOptions:
    """A request for a folding.

    Args:
        fps: images/s that are enough; None for as many as fit.
        clock_mhz: clock frequency instead of the target's.
        fill: largest utilization of any resource, above 0 and up to 1.
        dense: whether weights that are zero take a cycle as others do.
        file: a ``folding.json`` to use; the other options except the clock are then ignored.
    """

    fps: float | None = None
    clock_mhz: float | None = None
    fill: float = FILL
    dense: bool = False
    file: Path | None = None

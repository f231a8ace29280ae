"""Cycles of modules of the library whose work does not depend on the stream."""

from __future__ import annotations


def scale_factor_cycles(width: int, shifts: int) -> int:
    """``CLOCKS`` of scale_factor.sv with a sum of ``width`` bits and a last shift that varies by ``shifts``."""
    normalise = (max(width, 8) - 4) // 4 + 3
    return normalise + 1 + shifts

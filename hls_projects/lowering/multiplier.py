"""Conversion of a real constant into an integer factor and a shift."""

from __future__ import annotations

import numpy as np

from hls_projects.lowering.graph import LoweringError, grid_log2


def integer_factor(factor: float, in_step: int, out_step: int, what: str) -> tuple[int, int]:
    """``(multiplier, shift)`` with ``code * multiplier / 2**shift`` on the output's grid.

    Raises:
        LoweringError: a factor that is not positive.
    """
    if factor <= 0:
        raise LoweringError(f"{what}: the factor {factor} is not positive")
    grid = int(grid_log2(np.array(factor)))
    multiplier, shift = int(np.ldexp(factor, -grid)), out_step - in_step - grid
    return (multiplier, shift) if shift >= 0 else (multiplier << -shift, 0)

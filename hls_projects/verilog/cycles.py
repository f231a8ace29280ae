"""Cycles of Verilog modules that operators share, where they depend on parameters only."""

from __future__ import annotations


def scale_factor_cycles(width: int, shifts: int) -> int:
    """Cycles of ``scale_factor.sv`` from the sum to the factor, minus one.

    It shifts the sum to the left until its first bit is 1, by four bits or one a cycle; looks up the table in one
    cycle; and shifts the word to the left, by one bit a cycle.

    Args:
        width: bits of the sum.
        shifts: the most that the table's word is shifted.
    """
    normalise = (max(width, 8) - 4) // 4 + 3
    look_up = 1
    return normalise + look_up + shifts

"""Figures as people read them; filters of the templates."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

# No line break between a figure and its unit.
GAP = "\N{NO-BREAK SPACE}"
UNKNOWN = "not known"


def count(value: int | None) -> str:
    """``411,658``."""
    return UNKNOWN if value is None else f"{value:,}"


def percent(value: float | None) -> str:
    """Of a figure in percent: ``72.16 %``."""
    return UNKNOWN if value is None else f"{value:.2f}{GAP}%"


def share(value: float) -> str:
    """Of a figure from 0 to 1: ``1.3 %``."""
    return f"{100 * value:.1f}{GAP}%"


def seconds(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.1f}{GAP}s"


def bits(value: float) -> str:
    """``1.57 Mibit``, ``768 bit``."""
    if value >= 2**20:
        return f"{value / 2**20:,.2f}{GAP}Mibit"
    return f"{value / 2**10:,.1f}{GAP}Kibit" if value >= 2**10 else f"{value:,.0f}{GAP}bit"


def figure(value: Any) -> str:
    """Any number of a report, at full precision."""
    if value is None:
        return UNKNOWN
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def signed(value: Decimal) -> str:
    """A change with its sign: ``+1,280``, ``-0.2``."""
    if not value:
        return "0"
    plain = value.normalize()
    return f"{plain:+,f}" if -6 <= plain.adjusted() <= 15 else f"{plain:+e}"


def power(log2: int | None) -> str:
    """``2^-9`` as text that sorts and copies well."""
    return UNKNOWN if log2 is None else f"2^{log2}"


def plural(value: int, noun: str) -> str:
    """``1 image``, ``2 images``."""
    return f"{count(value)}{GAP}{noun}{'' if value == 1 else 's'}"


FILTERS = {
    function.__name__: function for function in (count, percent, share, seconds, bits, figure, signed, power, plural)
}

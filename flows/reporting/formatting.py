"""Numbers as people read them, for text, pages and plots: thousands separators, and a unit after every figure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

# No line break between a figure and its unit.
GAP = "\N{NO-BREAK SPACE}"
UNKNOWN = "not known"
# What a figure is of, as a report's ``design`` says it.
DESIGNS = {"rtl": "RTL", "hls": "HLS C++"}


def plain(text: str) -> str:
    """``text`` for a terminal: with ordinary spaces, so that it can be searched."""
    return text.replace(GAP, " ")


def count(value: int | None) -> str:
    """``411,658``."""
    return UNKNOWN if value is None else f"{value:,}"


def percent(value: float | None, digits: int = 2) -> str:
    """A figure in percent: ``72.16 %``."""
    return UNKNOWN if value is None else f"{value:.{digits}f}{GAP}%"


def share(value: float) -> str:
    """A figure from 0 to 1 in percent: ``1.3 %``."""
    return f"{100 * value:.1f}{GAP}%"


def relative(value: float, reference: float) -> str:
    """How much ``value`` is above or below ``reference``: ``+1.3 %``; empty where the reference is 0."""
    return f"{100 * (value / reference - 1):+.1f}{GAP}%" if reference else ""


def seconds(value: float | None) -> str:
    """``1,002.5 s``."""
    return UNKNOWN if value is None else f"{value:,.1f}{GAP}s"


def milliseconds(cycles: float, clock_mhz: float) -> str:
    """Cycles at a clock: ``1.40 ms``."""
    return f"{cycles / clock_mhz / 1e3:,.2f}{GAP}ms"


def mhz(value: float) -> str:
    """``100 MHz``."""
    return f"{value:,g}{GAP}MHz"


def images_per_second(interval_cycles: float, clock_mhz: float) -> float:
    """Throughput at an initiation interval."""
    return clock_mhz * 1e6 / interval_cycles


def throughput(value: float) -> str:
    """``5,008.0 images/s``."""
    return f"{value:,.1f}{GAP}images/s"


def cycles(value: float) -> str:
    """``19,968 cycles``."""
    return f"{value:,}{GAP}cycles"


def mib(value: float) -> str:
    """``94 MiB``."""
    return f"{value:,.0f}{GAP}MiB"


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


def fixed(value: float | None, digits: int) -> str | None:
    """``1,234.50`` with a fixed number of digits after the point; None where there is no value, for a table's cell."""
    return None if value is None else f"{value:,.{digits}f}"


def signed(value: Decimal) -> str:
    """A change with its sign: ``+1,280``, ``-0.2``."""
    if not value:
        return "0"
    shortest = value.normalize()
    return f"{shortest:+,f}" if -6 <= shortest.adjusted() <= 15 else f"{shortest:+e}"


def power(log2: int | None) -> str:
    """``2^-9`` as text that sorts and copies well."""
    return UNKNOWN if log2 is None else f"2^{log2}"


def plural(value: int, noun: str) -> str:
    """``1 image``, ``2 images``, ``3 matches``."""
    ending = "" if value == 1 else "es" if noun.endswith(("s", "ch", "sh", "x")) else "s"
    return f"{count(value)}{GAP}{noun}{ending}"


def known_as(evidence: str, design: str) -> str:
    """How a figure is known and what it is of: ``simulated, RTL``."""
    return f"{evidence}, {DESIGNS[design]}"


FILTERS = {
    function.__name__: function
    for function in (
        *(count, percent, share, seconds, mhz, throughput, mib, bits, figure, signed, power, plural, known_as),
    )
}

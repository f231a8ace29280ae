"""Four trade-offs that tiles and FIFOs are expected to have, and whether the points of a sweep show them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from flows.sweeping.table import Row

HOLDS, IN_PART, NOT, UNKNOWN = "holds", "holds in part", "does not hold", "not measured"
# Points of accuracy that count as "slightly less".
SLIGHTLY = 1.0
# Standard errors that two accuracies must differ by.
ERRORS = 2.0


@dataclass(frozen=True)
class Claim:
    """A trade-off, whether it holds, and the figures that say so."""

    text: str
    verdict: str
    figures: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.text}: {self.verdict}", *(f"  {line}" for line in self.figures)])


@dataclass(frozen=True)
class Series:
    """The points of one attention mode and tile size that do not deadlock, from the shortest FIFOs to the longest."""

    attention: str
    tile_size: int
    accuracy: float
    rows: tuple[Row, ...]
    deadlocks: int

    @property
    def name(self) -> str:
        return f"{self.attention}, tile {self.tile_size}"

    @property
    def memory_bits(self) -> int:
        """The least memory that gives its best interval."""
        best = min(row["interval_cycles"] for row in self.rows)
        return min(row["memory_bits"] for row in self.rows if row["interval_cycles"] == best)


def all_series(rows: Iterable[Row]) -> list[Series]:
    """Series by mode and tile size, in this order; those whose points all deadlock are left out."""

    def place(row: Row) -> tuple[str, int]:
        return row["attention"], row["tile_size"]

    found = []
    for (attention, tile_size), group in itertools.groupby(sorted(rows, key=place), key=place):
        points = list(group)
        running = sorted((row for row in points if not row["deadlock"]), key=lambda row: row["fifo_bits"])
        if running:
            accuracy = points[0]["accuracy"]
            found.append(Series(attention, tile_size, accuracy, tuple(running), len(points) - len(running)))
    return found


def claims(rows: list[Row], images: int) -> list[Claim]:
    """The four claims, checked on ``rows``.

    Args:
        images: that the accuracies are measured on, for their standard errors.
    """
    found = all_series(rows)
    modes = [list(group) for _, group in itertools.groupby(found, key=lambda series: series.attention)]
    modes = [mode for mode in modes if len(mode) > 1]
    pairs = [series for series in found if len(series.rows) > 1]
    return [_larger_tile(modes, images), _smaller_tile(modes), _longer_fifo(pairs), _shorter_fifo(pairs)]


def _verdict(held: Iterable[bool]) -> str:
    answers = list(held)
    if not answers:
        return UNKNOWN
    return HOLDS if all(answers) else IN_PART if any(answers) else NOT


def _larger_tile(modes: list[list[Series]], images: int) -> Claim:
    held, figures = [], []
    for mode in modes:
        small, large = mode[0], mode[-1]
        gain = large.accuracy - small.accuracy
        error = math.hypot(*(standard_error(series.accuracy, images) for series in (small, large)))
        held.append(gain > ERRORS * error and large.memory_bits > small.memory_bits)
        figures.append(
            f"{mode[0].attention}: tile {small.tile_size} to {large.tile_size}: {gain:+.2f} points "
            f"({small.accuracy:.2f} to {large.accuracy:.2f} %, standard error {error:.2f}), "
            f"memory {_change(small.memory_bits, large.memory_bits, 'bits')}"
        )
        if gain or small.memory_bits != large.memory_bits:
            figures += [_step(before, after) for before, after in itertools.pairwise(mode)]
    return Claim("A larger tile gives better accuracy for more memory", _verdict(held), tuple(figures))


def _step(before: Series, after: Series) -> str:
    return (
        f"  {before.tile_size} to {after.tile_size}: {after.accuracy - before.accuracy:+.2f} points, "
        f"{after.memory_bits / before.memory_bits:.2f} times the memory"
    )


def _smaller_tile(modes: list[list[Series]]) -> Claim:
    verdicts, figures = [], []
    for mode in modes:
        large, name = mode[-1], mode[0].attention
        less = [series for series in mode[:-1] if series.memory_bits < large.memory_bits]
        slight = [series for series in less if series.accuracy >= large.accuracy - SLIGHTLY]
        verdicts.append(HOLDS if len(slight) == len(mode) - 1 else IN_PART if slight else NOT)
        if not less:
            figures.append(f"{name}: no smaller tile takes less memory than tile {large.tile_size}")
        figures += [
            f"{name}: tile {series.tile_size} instead of {large.tile_size}: "
            f"{series.memory_bits / large.memory_bits:.1%} of the memory, "
            f"{series.accuracy - large.accuracy:+.2f} points"
            for series in less
        ]
    if len(set(verdicts)) > 1:
        verdicts = [IN_PART]
    said = f'A smaller tile takes less memory for slightly less accuracy ("slightly": at most {SLIGHTLY:g} point)'
    return Claim(said, verdicts[0] if verdicts else UNKNOWN, tuple(figures))


def _longer_fifo(pairs: list[Series]) -> Claim:
    held, figures = [], []
    for series in pairs:
        short, long = series.rows[0], series.rows[-1]
        best = min(series.rows, key=lambda row: (row["interval_cycles"], row["fifo_bits"]))
        held.append(best is not short)
        interval = _change(short["interval_cycles"], best["interval_cycles"], "cycles")
        bits = _change(short["fifo_bits"], best["fifo_bits"], "bits")
        figures.append(f"interval {interval}, with {bits}; {long['fifo_bits']:,} bits give no more")
    said = "A longer FIFO hides more latency (shortens the interval between images) for more buffer memory"
    return Claim(said, _verdict(held), _by_series(pairs, figures))


def _shorter_fifo(pairs: list[Series]) -> Claim:
    held, figures = [], []
    for series in pairs:
        short, long = series.rows[0], series.rows[-1]
        best = min(series.rows, key=lambda row: (row["loaded_latency_cycles"], row["fifo_bits"]))
        held += [
            short["latency_cycles"] < long["latency_cycles"],
            best["loaded_latency_cycles"] < long["loaded_latency_cycles"],
        ]
        parts = [
            f"first image {_change(long['latency_cycles'], short['latency_cycles'], 'cycles')}, "
            f"with {_change(long['fifo_bits'], short['fifo_bits'], 'bits')}",
            f"under load {_change(long['loaded_latency_cycles'], best['loaded_latency_cycles'], 'cycles')}, "
            f"with {best['fifo_bits']:,} bits",
        ]
        if best is not short:
            parts.append(f"{short['loaded_latency_cycles']:,} cycles with {short['fifo_bits']:,}")
        if short["interval_cycles"] > long["interval_cycles"]:
            parts.append(f"interval {_change(long['interval_cycles'], short['interval_cycles'], 'cycles')}")
        if series.deadlocks:
            parts.append(f"{series.deadlocks} of {series.deadlocks + len(series.rows)} lengths deadlock")
        figures.append("; ".join(parts))
    said = "A shorter FIFO gives lower latency, with possible stalls"
    return Claim(said, _verdict(held), _by_series(pairs, figures))


def _by_series(pairs: list[Series], figures: list[str]) -> tuple[str, ...]:
    """A line for each different one of ``figures``, with the modes and tile sizes that it belongs to."""
    tiles: dict[tuple[str, str], list[str]] = {}
    for series, figure in zip(pairs, figures, strict=True):
        tiles.setdefault((series.attention, figure), []).append(str(series.tile_size))
    return tuple(f"{attention}, tile {', '.join(sizes)}: {figure}" for (attention, figure), sizes in tiles.items())


def standard_error(accuracy: float, images: int) -> float:
    """Standard error, in points, of an ``accuracy`` in percent that ``images`` images gave."""
    return 100.0 * math.sqrt(accuracy / 100.0 * (1.0 - accuracy / 100.0) / images)


def _change(before: int, after: int, unit: str) -> str:
    if before == after:
        return f"{after:,} {unit}, unchanged"
    share = f" ({(after - before) / before:+.1%})" if before else ""
    return f"{before:,} to {after:,} {unit}{share}"

"""The timeline of a report, put together for the page: blocks of the network, their operators, and their processes.

A pipeline has hundreds of processes. The page shows one strip a block, which tells how many of its operators are busy,
and below it, folded, one strip an operator and one a process.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# States, from the one that counts for an operator where any of its processes has it.
STATES = ("busy", "backpressured", "starved")
# Strips are drawn this wide, in units of their SVG.
WIDTH = 1000
MOST_TICKS = 5
# The name of a process is ``operator.stage``, or that of an operator of one stage. Operators are named after the path
# of their module, blocks.0.attn.qkv; a copy of a stream is named after the operator whose output it copies.
BLOCK = re.compile(r"(?:clone_)?([a-z]+s)_(\d+)_")
BEFORE, AFTER, WHOLE = "input", "output", "all operators"

Number = int | float


@dataclass(frozen=True)
class Bar:
    """A stretch of time, in cycles, in one state; ``end`` is the first cycle after it."""

    start: Number
    end: Number
    state: str


@dataclass(frozen=True)
class Strip:
    """A row of the timeline.

    Args:
        name: of the process, operator or block.
        paths: what to draw, as SVG path data by state, in the order in which it is to be painted.
        shares: of its time in each of :data:`STATES`, 0 to 1; time in none of them does not count.
    """

    name: str
    paths: Mapping[str, str]
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Operator:
    """An operator and its processes; none where it has one process only."""

    strip: Strip
    processes: tuple[Strip, ...]


@dataclass(frozen=True)
class Block:
    """A block of the network and its operators."""

    strip: Strip
    operators: tuple[Operator, ...]

    @property
    def count(self) -> int:
        """How many processes it has."""
        return sum(len(operator.processes) or 1 for operator in self.operators)


@dataclass(frozen=True)
class Timeline:
    """The whole timeline.

    Args:
        end: the first cycle after it.
        ticks: cycles that the axis names, and where, in percent of its width.
        blocks: in the order of the data.
    """

    end: Number
    ticks: tuple[tuple[Number, float], ...]
    blocks: tuple[Block, ...]


def timeline(stretches: Sequence[Mapping[str, Any]]) -> Timeline:
    """From ``timing.timeline`` of a report; it has one stretch or more."""
    processes: dict[str, list[Bar]] = {}
    for stretch in stretches:
        bar = Bar(stretch["start"], stretch["end"], stretch["state"])
        processes.setdefault(stretch["process"], []).append(bar)
    end = max(bar.end for bars in processes.values() for bar in bars) or 1
    operators: dict[str, dict[str, list[Bar]]] = {}
    for name, bars in processes.items():
        operators.setdefault(name.partition(".")[0], {})[name] = bars
    blocks: dict[str, list[str]] = {}
    for name, block in zip(operators, blocks_of(operators), strict=True):
        blocks.setdefault(block, []).append(name)
    found = (_block(block, {name: operators[name] for name in names}, end) for block, names in blocks.items())
    return Timeline(end, _ticks(end), tuple(found))


def blocks_of(operators: Iterable[str]) -> list[str]:
    """The block of each operator: ``block 0``, or what lies before or after all blocks."""
    found = [BLOCK.match(name) for name in operators]
    if not any(found):
        return [WHOLE] * len(found)
    first = next(index for index, match in enumerate(found) if match)
    return [
        f"{match[1].removesuffix('s')} {match[2]}" if match else BEFORE if index < first else AFTER
        for index, match in enumerate(found)
    ]


def merged(rows: Sequence[Sequence[Bar]]) -> list[Bar]:
    """One row that is in each cycle in the first of :data:`STATES` in which any of ``rows`` is."""
    found: list[Bar] = []
    for start, end, states in _parts(rows):
        state = min(states, key=STATES.index, default=None)
        if state is None:
            continue
        if found and found[-1].end == start and found[-1].state == state:
            start = found.pop().start
        found.append(Bar(start, end, state))
    return found


def _parts(rows: Sequence[Sequence[Bar]]) -> Iterable[tuple[Number, Number, list[str]]]:
    """Parts of time in which no row changes, each with the states of the rows that have one."""
    edges = sorted({edge for bars in rows for bar in bars for edge in (bar.start, bar.end)})
    waiting = [sorted(bars, key=lambda bar: bar.start) for bars in rows]
    places = [0] * len(rows)
    for start, end in itertools.pairwise(edges):
        states = []
        for row, bars in enumerate(waiting):
            while places[row] < len(bars) and bars[places[row]].end <= start:
                places[row] += 1
            if places[row] < len(bars) and bars[places[row]].start <= start:
                states.append(bars[places[row]].state)
        yield start, end, states


def _block(name: str, operators: Mapping[str, Mapping[str, Sequence[Bar]]], end: Number) -> Block:
    rows = {operator: merged(list(processes.values())) for operator, processes in operators.items()}
    drawn = tuple(
        Operator(_strip(operator, rows[operator], end), _processes(processes, end))
        for operator, processes in operators.items()
    )
    return Block(Strip(name, _areas(list(rows.values()), end), _shares(rows.values())), drawn)


def _processes(processes: Mapping[str, Sequence[Bar]], end: Number) -> tuple[Strip, ...]:
    if len(processes) == 1:
        return ()
    return tuple(_strip(name.partition(".")[2] or name, bars, end) for name, bars in processes.items())


def _strip(name: str, bars: Sequence[Bar], end: Number) -> Strip:
    paths = {}
    for state in reversed(STATES):
        boxes = (f"M{_x(b.start, end)} 0H{_x(b.end, end)}V1H{_x(b.start, end)}Z" for b in bars if b.state == state)
        paths[state] = "".join(boxes)
    return Strip(name, paths, _shares([bars]))


def _areas(rows: Sequence[Sequence[Bar]], end: Number) -> dict[str, str]:
    """How many of ``rows`` are in each state over time, one state above the other.

    Each area reaches from the bottom, so that those that are painted later leave the upper part of the earlier ones.
    """
    paths = dict.fromkeys(reversed(STATES), "")
    for start, after, states in _parts(rows):
        height = 0.0
        for state in STATES:
            height += states.count(state) / len(rows)
            if height:
                left, right = _x(start, end), _x(after, end)
                paths[state] += f"M{left} 1V{_short(1 - height, 3)}H{right}V1Z"
    return paths


def _shares(rows: Iterable[Sequence[Bar]]) -> dict[str, float]:
    cycles = dict.fromkeys(STATES, 0.0)
    for bar in itertools.chain.from_iterable(rows):
        cycles[bar.state] += bar.end - bar.start
    total = sum(cycles.values()) or 1
    return {state: value / total for state, value in cycles.items()}


def _x(cycle: Number, end: Number) -> str:
    return _short(WIDTH * cycle / end, 1)


def _short(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def _ticks(end: Number) -> tuple[tuple[Number, float], ...]:
    """Round numbers of cycles, at most :data:`MOST_TICKS`."""
    step = next(
        factor * 10**power
        for power in itertools.count()
        for factor in (1, 2, 5)
        if factor * 10**power * MOST_TICKS > end
    )
    return tuple((cycle, round(100 * cycle / end, 2)) for cycle in range(0, int(end) + 1, step))

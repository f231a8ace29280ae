"""Programs as rows of numbers for the simulation in C++, with their loops kept."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hls_projects.dataflow.program import End, Program, Repeat, Wait, busy_cycles, ends, words

MOVE, LOOP, END, WAIT, PICTURE = range(5)
Row = tuple[int, int, int, int]


@dataclass(frozen=True)
class Code:
    """Programs one after another; engine.cpp says what the numbers mean.

    Args:
        rows: (., 4), kind, cycles, first and count.
        row_starts: place of each program in ``rows``, (programs,).
        ports: (., 2), number of a FIFO and whether it is written.
        port_starts: place of each program in ``ports``, (programs + 1,).
        moves: the places in ``ports`` that move together, in the order of the rows.
    """

    rows: np.ndarray
    row_starts: np.ndarray
    ports: np.ndarray
    port_starts: np.ndarray
    moves: np.ndarray


def make_code(programs: Sequence[Program], fifos: Mapping[str, int]) -> Code:
    """Code of ``programs``, given the number of every FIFO."""
    code: list[list[Row]] = []
    ports: list[list[End]] = []
    moves: list[int] = []
    for program in programs:
        first = sum(map(len, ports))
        ports.append(list(words(program)))
        numbers = {end: first + place for place, end in enumerate(ports[-1])}
        rows: list[Row] = []
        _append(program, numbers, rows, moves)
        code.append([*rows, (PICTURE, 0, 0, 0)])
    return Code(
        _array([row for rows in code for row in rows]).reshape(-1, 4),
        _array([0, *itertools.accumulate(map(len, code))][:-1]),
        _array([(fifos[name], writes) for each in ports for name, writes in each]).reshape(-1, 2),
        _array([0, *itertools.accumulate(map(len, ports))]),
        _array(moves),
    )


def _append(program: Program, ports: Mapping[End, int], rows: list[Row], moves: list[int]) -> None:
    delay = 0
    for step in program:
        if isinstance(step, Wait):
            delay += step.cycles
        elif not isinstance(step, Repeat):
            rows.append((MOVE, delay, len(moves), len(ends(step))))
            moves += [ports[end] for end in ends(step)]
            delay = 0
        elif step.count * len(words(step.body)) == 0:
            delay += step.count * busy_cycles(step.body)
        else:
            rows += [(WAIT, delay, 0, 0)] * (delay > 0) + [(LOOP, 0, 0, step.count)]
            delay, start = 0, len(rows)
            _append(step.body, ports, rows, moves)
            rows.append((END, 0, start, 0))
    if delay:
        rows.append((WAIT, delay, 0, 0))


def _array(numbers: Sequence) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)

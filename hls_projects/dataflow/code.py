"""Programs encoded as rows of integers for the event loop in C++; loops stay loops."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hls_projects.dataflow.program import End, Program, Repeat, Wait, ends

MOVE, LOOP, END, WAIT, IMAGE = range(5)
Row = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Code:
    """All programs of a network, one after another; ``Instruction`` in ``engine.cpp`` says what the integers mean.

    Args:
        rows: instructions, int64 (rows, 5): kind, cycles, first, count and times.
        row_starts: index in ``rows`` of the first instruction of each program, int64 (programs,).
        ports: int64 (ports, 2): number of a FIFO, and 1 where the program writes it.
        port_starts: index in ``ports`` of the first port of each program and, last, their count, int64 (programs + 1,).
        moves: indices in ``ports`` of the words that move together, in the order of the rows, int64 (moves,).
    """

    rows: np.ndarray
    row_starts: np.ndarray
    ports: np.ndarray
    port_starts: np.ndarray
    moves: np.ndarray


def make_code(programs: Sequence[Program], ports: Sequence[Collection[End]], fifos: Mapping[str, int]) -> Code:
    """Encode ``programs``.

    Args:
        ports: the ends of FIFOs that each program uses.
        fifos: number of every FIFO by name.
    """
    code: list[list[Row]] = []
    moves: list[int] = []
    for index, program in enumerate(programs):
        numbers = dict(zip(ports[index], itertools.count(sum(map(len, ports[:index])))))
        rows: list[Row] = []
        _append(program, numbers, rows, moves)
        code.append([*rows, (IMAGE, 0, 0, 0, 0)])
    return Code(
        _array([row for rows in code for row in rows]).reshape(-1, 5),
        _array([0, *itertools.accumulate(map(len, code))][:-1]),
        _array([(fifos[name], writes) for each in ports for name, writes in each]).reshape(-1, 2),
        _array([0, *itertools.accumulate(map(len, ports))]),
        _array(moves),
    )


def _append(program: Program, ports: Mapping[End, int], rows: list[Row], moves: list[int]) -> None:
    """Append the instructions of ``program``; a wait becomes the delay of the move after it."""
    delay = 0
    for step in program:
        if isinstance(step, Wait):
            delay += step.cycles
        elif not isinstance(step, Repeat):
            rows.append((MOVE, delay, len(moves), len(ends(step)), 1))
            moves += [ports[end] for end in ends(step)]
            delay = 0
        elif step.count:
            rows += _waiting(delay)
            delay = _append_loop(step, ports, rows, moves)
    rows += _waiting(delay)


def _append_loop(loop: Repeat, ports: Mapping[End, int], rows: list[Row], moves: list[int]) -> int:
    """Append ``loop``; one that only waits is not appended, and the cycles that it waits are returned."""
    start = len(rows)
    rows.append((LOOP, 0, 0, 0, loop.count))
    _append(loop.body, ports, rows, moves)
    body = rows[start + 1 :]
    if all(kind == WAIT for kind, *_ in body):
        del rows[start:]
        return loop.count * sum(cycles for _, cycles, *_ in body)
    if len(body) == 1 and body[0][0] == MOVE:
        *move, times = body[0]
        rows[start:] = [(*move, loop.count * times)]
    else:
        rows.append((END, 0, start + 1, 0, 0))
    return 0


def _waiting(cycles: int) -> list[Row]:
    return [(WAIT, cycles, 0, 0, 0)] if cycles else []


def _array(numbers: Sequence) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)

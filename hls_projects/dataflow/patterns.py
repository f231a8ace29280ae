"""Programs that many processes are built from: stretches of cycles, blocks, loops with edges."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hls_projects.dataflow.program import Program, Read, Repeat, Together, Wait, Write, claim, fill

Ports = tuple[Read | Write, ...]
"""Words that move in one cycle."""


@dataclass(frozen=True)
class Stage:
    """A part of an operator that works at the same time as its other parts.

    Args:
        name: unique in the operator; empty where the operator has only this stage.
        program: for one image. Its ports are ``in0``, ``in1`` and ``out`` of the operator, and the two
            ends of the blocks that join it to other stages.
    """

    name: str
    program: Program


def stretch(count: int, every: Ports = (), *, first: Ports = (), last: Ports = ()) -> Program:
    """A stretch of ``count`` cycles, at least one.

    Args:
        every: what moves in every cycle.
        first, last: what moves in the first and in the last cycle besides.
    """
    if count == 1:
        return (one_cycle((*first, *every, *last)),)
    middle = Repeat(count - 2, (one_cycle(every),)) if every else Wait(count - 2)
    return (one_cycle((*first, *every)), middle, one_cycle((*every, *last)))


def one_cycle(ports: Ports) -> Together | Wait:
    """One cycle, in which ``ports`` move, or nothing does."""
    return Together(ports) if ports else Wait(1)


def timetable(least: int, *moves: Mapping[int, Ports]) -> Program:
    """A program in which each cycle has its own moves.

    Args:
        least: cycles that the program lasts at least; it lasts longer where a move comes later.
        moves: what moves by cycle, counted from 0. Several mappings add up.
    """
    moved: dict[int, Ports] = {}
    for each in moves:
        for cycle, ports in each.items():
            if ports:
                moved[cycle] = (*moved.get(cycle, ()), *ports)
    length = max(least, *(cycle + 1 for cycle in moved))
    runs = itertools.groupby(moved.get(cycle, ()) for cycle in range(length))
    counts = ((ports, len(list(run))) for ports, run in runs)
    return tuple(Repeat(count, (one_cycle(ports),)) if ports else Wait(count) for ports, count in counts)


def block_of(count: int, every: Ports, block: str) -> Program:
    """``count`` cycles that fill a block."""
    return stretch(count, every, first=(claim(block),), last=(fill(block),))


def around(count: int, part: Callable[[Ports, Ports], Program], first: Ports, last: Ports) -> Program:
    """``part`` repeated ``count`` times, with extra moves in the very first and in the very last cycle.

    Args:
        part: makes a program from the extra moves of its first and of its last cycle.
    """
    if count == 1:
        return part(first, last)
    return (*part(first, ()), Repeat(count - 2, part((), ())), *part((), last))


def elementwise(count: int, inputs: int = 1) -> tuple[Stage, ...]:
    """One stage that takes an element of every input and gives one of the output in each of ``count`` cycles."""
    reads = tuple(Read(f"in{index}") for index in range(inputs))
    return (Stage("", (Repeat(count, (Together((*reads, Write("out"))),)),)),)

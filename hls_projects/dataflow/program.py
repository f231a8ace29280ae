"""What a process does for one picture, as a hardware engineer would tell it: read, wait, write, repeat.

A process is sequential. It starts a step when the one before has ended:

- ``Read(port)`` takes a word in the first cycle in which the FIFO has one, and ends with that cycle;
- ``Write(port)`` gives a word in the first cycle in which the FIFO has a free slot, and ends with it;
- ``Wait(cycles)`` lasts so many cycles;
- ``Repeat(count, body)`` is a loop; loops themselves take no time.

A pipelined loop of n iterations counts n cycles, as the headers of the kernels say; the few cycles in
which a pipeline fills are known to synthesis alone and left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Read:
    port: str


@dataclass(frozen=True)
class Write:
    port: str


@dataclass(frozen=True)
class Wait:
    cycles: int


@dataclass(frozen=True)
class Repeat:
    count: int
    body: tuple[Step, ...]


Step = Read | Write | Wait | Repeat
Program = tuple[Step, ...]


@dataclass(frozen=True)
class Instruction:
    """A read or a write, and the cycles that the process waits before it tries."""

    delay: int
    writes: bool
    port: str


def flatten(program: Program) -> Iterator[Read | Write | Wait]:
    """The steps of ``program`` with its loops unrolled."""
    for step in program:
        if isinstance(step, Repeat):
            for _ in range(step.count):
                yield from flatten(step.body)
        else:
            yield step


def instructions(program: Program) -> tuple[list[Instruction], int]:
    """Reads and writes of one picture with the waiting before each, and the waiting after the last."""
    found, delay = [], 0
    for step in flatten(program):
        if isinstance(step, Wait):
            delay += step.cycles
        else:
            found.append(Instruction(delay, isinstance(step, Write), step.port))
            delay = 0
    return found, delay


def busy_cycles(program: Program) -> int:
    """Cycles that one picture keeps the process busy, a cycle for every word among them."""
    found, rest = instructions(program)
    return sum(instruction.delay + 1 for instruction in found) + rest

"""The program of a process for one image: reads, waits, writes and loops.

A process is sequential: it starts a step when the one before has ended.

- ``Read(port)`` takes a word in the first cycle in which the FIFO has one, and ends with that cycle;
- ``Write(port)`` gives a word in the first cycle in which the FIFO has a free slot, and ends with it;
- ``Together(steps)`` does reads and writes of several FIFOs in one cycle: the first in which every FIFO that
  it reads has a word and every FIFO that it writes a free slot. Until then none of them moves;
- ``Wait(cycles)`` lasts that many cycles;
- ``Repeat(count, body)`` is a loop; loops themselves take no time.

A pipelined loop (II = 1) of n iterations takes n cycles, as the headers of the kernels say; the depth of its
pipeline is a latency of the FIFO that it writes.

A block between two stages (``hls::stream_of_blocks``) is modelled by two FIFOs of tokens without bits that have
as many slots as the block has buffers: the writer ``claim``s a buffer before its first word and ``fill``s it
with its last, the reader ``take``s it before its first word and ``free``s it with its last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

End = tuple[str, bool]
"""An end of a FIFO: its name, and whether it is the end that is written."""


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
class Together:
    """Reads and writes of one cycle.

    Raises:
        ValueError: no step, or two at the same end of a FIFO.
    """

    steps: tuple[Read | Write, ...]

    def __post_init__(self) -> None:
        count = len(self.steps)
        if not count or (count > 1 and len(set(self.steps)) < count):
            raise ValueError(f"a cycle must move one word at each of its ports, not {self.steps}")


@dataclass(frozen=True)
class Repeat:
    count: int
    body: tuple[Step, ...]


Step = Read | Write | Together | Wait | Repeat
Program = tuple[Step, ...]


def claim(block: str) -> Write:
    """The writer's first step on a buffer of ``block``: wait until one is empty, and claim it."""
    return Write(f"{block}.claimed")


def fill(block: str) -> Write:
    """The writer's last step on a buffer of ``block``: hand it to the reader."""
    return Write(f"{block}.filled")


def take(block: str) -> Read:
    """The reader's first step on a buffer of ``block``: wait until one is full, and take it."""
    return Read(f"{block}.filled")


def free(block: str) -> Read:
    """The reader's last step on a buffer of ``block``: hand it back to the writer."""
    return Read(f"{block}.claimed")


def ends(step: Read | Write | Together) -> tuple[End, ...]:
    """The ends of FIFOs at which ``step`` moves a word."""
    steps = step.steps if isinstance(step, Together) else (step,)
    return tuple((each.port, isinstance(each, Write)) for each in steps)


def words(program: Program) -> Counter[End]:
    """Words an image by end of a FIFO."""
    found: Counter[End] = Counter()
    _count(program, 1, found)
    return found


def _count(program: Program, times: int, found: Counter[End]) -> None:
    """Add what ``times`` runs of ``program`` move."""
    for step in program:
        if isinstance(step, Repeat):
            if step.count:
                _count(step.body, times * step.count, found)
        elif not isinstance(step, Wait):
            for end in ends(step):
                found[end] += times


def busy_cycles(program: Program) -> int:
    """Cycles of one image where no FIFO is ever empty or full: all waits, and one cycle for each step with words."""
    total = 0
    for step in program:
        if isinstance(step, Repeat):
            total += step.count * busy_cycles(step.body)
        else:
            total += step.cycles if isinstance(step, Wait) else 1
    return total


def cycles_with_words(program: Program) -> int:
    """The number of cycles of an image in which at least one word moves."""
    found = 0
    for step in program:
        if isinstance(step, Repeat):
            found += step.count * cycles_with_words(step.body)
        else:
            found += not isinstance(step, Wait)
    return found


def accompanied(program: Program, by: Read | Write) -> Program:
    """``program`` with the move ``by`` added to every cycle in which a word moves."""

    def changed(step: Step) -> Step:
        if isinstance(step, Wait):
            return step
        if isinstance(step, Repeat):
            return Repeat(step.count, accompanied(step.body, by))
        return Together((*(step.steps if isinstance(step, Together) else (step,)), by))

    return tuple(map(changed, program))


def renamed(program: Program, ports: Mapping[str, str]) -> Program:
    """``program`` with its FIFOs renamed by ``ports``; a name that is not in it stays."""
    return tuple(_renamed(step, ports) for step in program)


def _renamed(step: Step, ports: Mapping[str, str]) -> Step:
    if isinstance(step, Wait):
        return step
    if isinstance(step, Repeat):
        return Repeat(step.count, renamed(step.body, ports))
    if isinstance(step, Together):
        return Together(renamed(step.steps, ports))
    return type(step)(ports.get(step.port, step.port))

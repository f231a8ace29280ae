"""What a process does for one image, as a hardware engineer would tell it: read, wait, write, repeat.

A process is sequential. It starts a step when the one before has ended:

- ``Read(port)`` takes a word in the first cycle in which the FIFO has one, and ends with that cycle;
- ``Write(port)`` gives a word in the first cycle in which the FIFO has a free slot, and ends with it;
- ``Together(steps)`` is reads and writes of several FIFOs in one cycle: the first in which every FIFO that
  it reads has a word and every FIFO that it writes a free slot. Until then none of them moves;
- ``Wait(cycles)`` lasts so many cycles;
- ``Repeat(count, body)`` is a loop; loops themselves take no time.

A pipelined loop of n iterations counts n cycles, as the headers of the kernels say; the registers of its
pipeline are a latency of the FIFO that it writes.

A block between two stages, as of ``hls::stream_of_blocks``, is two FIFOs of tokens without bits and of
as many slots as there are buffers: the writer ``claim``s a buffer before its first word and ``fill``s it
with the last, the reader ``take``s it before its first word and ``free``s it with the last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

End = tuple[str, bool]
"""A FIFO as a process sees it: its name, and whether the process writes it."""


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
        ValueError: none at all, or two of the same end of a FIFO.
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
    """The writer waits for an empty buffer of ``block``; its first step on it."""
    return Write(f"{block}.claimed")


def fill(block: str) -> Write:
    """The writer gives its buffer of ``block`` to the reader; its last step on it."""
    return Write(f"{block}.filled")


def take(block: str) -> Read:
    """The reader waits for a full buffer of ``block``; its first step on it."""
    return Read(f"{block}.filled")


def free(block: str) -> Read:
    """The reader gives its buffer of ``block`` back; its last step on it."""
    return Read(f"{block}.claimed")


@dataclass(frozen=True)
class Instruction:
    """Words that move in one cycle, and the cycles that the process waits before it tries."""

    delay: int
    ends: tuple[End, ...]


def ends(step: Read | Write | Together) -> tuple[End, ...]:
    """What ``step`` moves."""
    steps = step.steps if isinstance(step, Together) else (step,)
    return tuple((each.port, isinstance(each, Write)) for each in steps)


def flatten(program: Program) -> Iterator[Read | Write | Together | Wait]:
    """The steps of ``program`` with its loops unrolled."""
    for step in program:
        if isinstance(step, Repeat):
            for _ in range(step.count):
                yield from flatten(step.body)
        else:
            yield step


def instructions(program: Program) -> tuple[list[Instruction], int]:
    """Moves of one image with the waiting before each, and the waiting after the last."""
    found, delay = [], 0
    for step in flatten(program):
        if isinstance(step, Wait):
            delay += step.cycles
        else:
            found.append(Instruction(delay, ends(step)))
            delay = 0
    return found, delay


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
    """Cycles that one image keeps the process busy, a cycle for everything that moves in one among them."""
    total = 0
    for step in program:
        if isinstance(step, Repeat):
            total += step.count * busy_cycles(step.body)
        else:
            total += step.cycles if isinstance(step, Wait) else 1
    return total


def cycles_with_words(program: Program) -> int:
    """In how many cycles of an image a word moves, or several together."""
    found = 0
    for step in program:
        if isinstance(step, Repeat):
            found += step.count * cycles_with_words(step.body)
        else:
            found += not isinstance(step, Wait)
    return found


def accompanied(program: Program, by: Read | Write) -> Program:
    """``program`` with ``by`` in every cycle in which a word moves."""

    def changed(step: Step) -> Step:
        if isinstance(step, Wait):
            return step
        if isinstance(step, Repeat):
            return Repeat(step.count, accompanied(step.body, by))
        return Together((*(step.steps if isinstance(step, Together) else (step,)), by))

    return tuple(map(changed, program))


def renamed(program: Program, ports: Mapping[str, str]) -> Program:
    """``program`` with the FIFOs ``ports`` in the place of its own names; a name that is not there stays."""
    return tuple(_renamed(step, ports) for step in program)


def _renamed(step: Step, ports: Mapping[str, str]) -> Step:
    if isinstance(step, Wait):
        return step
    if isinstance(step, Repeat):
        return Repeat(step.count, renamed(step.body, ports))
    if isinstance(step, Together):
        return Together(renamed(step.steps, ports))
    return type(step)(ports.get(step.port, step.port))

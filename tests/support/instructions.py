"""Programs with their loops unrolled, as the Verilog model and a simulation by ticking take them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hls_projects.dataflow.program import End, Program, Read, Repeat, Together, Wait, Write, ends


@dataclass(frozen=True)
class Instruction:
    """Ends of FIFOs at which words move in one cycle, and the cycles that the process waits before it tries."""

    delay: int
    ends: tuple[End, ...]


def flatten(program: Program) -> Iterator[Read | Write | Together | Wait]:
    """The steps of ``program`` with its loops unrolled."""
    for step in program:
        if isinstance(step, Repeat):
            for _ in range(step.count):
                yield from flatten(step.body)
        else:
            yield step


def instructions(program: Program) -> tuple[list[Instruction], int]:
    """The instructions of one image, and the cycles of waiting after the last one."""
    found, delay = [], 0
    for step in flatten(program):
        if isinstance(step, Wait):
            delay += step.cycles
        else:
            found.append(Instruction(delay, ends(step)))
            delay = 0
    return found, delay

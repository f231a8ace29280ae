"""Why a network is deadlocked, and which depths of its FIFOs would resolve it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from hls_projects.dataflow.network import Network
from hls_projects.dataflow.simulation import Trace, goes_on

# How a process is stalled: its FIFO is empty, or full.
STARVED, BACKPRESSURED = "starved", "backpressured"


@dataclass(frozen=True)
class Wait:
    """A process of the circular wait, the FIFO at which it is stalled, and how: STARVED or BACKPRESSURED."""

    process: str
    fifo: str
    stall: str


@dataclass(frozen=True)
class Deadlock:
    """A circle of processes, each waiting for the next.

    Args:
        cycle: last cycle in which a word moved, -1 where none did.
        waits: the circle.
        remedies: by FIFO that is full in the circle, the smallest depth with which, all others as they
            are, no deadlock is left; a FIFO that alone does not help is not in it.
    """

    cycle: int
    waits: tuple[Wait, ...]
    remedies: dict[str, int]

    def __str__(self) -> str:
        return f"deadlock {self.reason()}"

    def reason(self) -> str:
        """When it came, who is stalled, and what would resolve it."""
        waits = ", ".join(f"{wait.process} is {wait.stall} at {wait.fifo}" for wait in self.waits)
        return f"after cycle {self.cycle}: {waits}; {self.remedy()} would resolve it"

    def remedy(self) -> str:
        if self.remedies:
            return " or ".join(f"{name} of depth {depth}" for name, depth in self.remedies.items())
        return "more than one deeper FIFO" if any(wait.stall == BACKPRESSURED for wait in self.waits) else "no depth"


def explain(trace: Trace) -> Deadlock | None:
    """The deadlock in which ``trace`` ended; None where it did not."""
    if not trace.deadlock:
        return None
    waits = circle(trace)
    full = [wait.fifo for wait in waits if wait.stall == BACKPRESSURED and wait.fifo in trace.depths]
    found = {name: smallest_depth(trace.network, trace.depths, name) for name in full}
    return Deadlock(trace.last, waits, {name: depth for name, depth in found.items() if depth is not None})


def circle(trace: Trace) -> tuple[Wait, ...]:
    """Blocked processes that wait for each other in a circle, from the first in the network on."""
    network = trace.network
    name = next(process.name for process in network.processes if process.name in trace.blocked)
    path: list[str] = []
    while name not in path:
        path.append(name)
        fifo, writes = trace.blocked[name]
        name = (network.reader if writes else network.writer)(fifo).name
    order = [process.name for process in network.processes]
    found = path[path.index(name) :]
    start = min(range(len(found)), key=lambda place: order.index(found[place]))
    turned = found[start:] + found[:start]
    return tuple(Wait(p, trace.blocked[p][0], BACKPRESSURED if trace.blocked[p][1] else STARVED) for p in turned)


def smallest_depth(network: Network, depths: Mapping[str, int | None], fifo: str) -> int | None:
    """The smallest depth of ``fifo`` without deadlock, all others as in ``depths``; None where there is none."""

    def runs(depth: int | None) -> bool:
        return goes_on(network, {**depths, fifo: depth})

    if not runs(None):
        return None
    # A whole image is as good as no bound.
    return 1 + bisect_left(range(1, network.words[fifo]), True, key=runs)

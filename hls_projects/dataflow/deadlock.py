"""Why a network deadlocks, and which deeper FIFO prevents it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from hls_projects.dataflow.network import Network
from hls_projects.dataflow.simulation import Trace, completes

# How a process is stalled: its FIFO is empty, or full.
STARVED, BACKPRESSURED = "starved", "backpressured"


@dataclass(frozen=True)
class Wait:
    """A process of a circular wait, the FIFO at which it is stalled, and how: STARVED or BACKPRESSURED."""

    process: str
    fifo: str
    stall: str


@dataclass(frozen=True)
class Deadlock:
    """A circular wait: each of its processes waits for the next one.

    Args:
        cycle: last cycle in which a word moved; -1 where none did.
        waits: the processes in order.
        remedies: by FIFO that is full in the circular wait, the smallest depth that prevents any deadlock while all
            other depths stay; a FIFO without an entry prevents it at no depth.
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
        """The remedies in words."""
        if self.remedies:
            return " or ".join(f"{name} of depth {depth}" for name, depth in self.remedies.items())
        return "more than one deeper FIFO" if any(wait.stall == BACKPRESSURED for wait in self.waits) else "no depth"


def explain(trace: Trace) -> Deadlock | None:
    """The deadlock in which ``trace`` ended; None where every image left."""
    if not trace.deadlock:
        return None
    waits = circular_wait(trace)
    full = [wait.fifo for wait in waits if wait.stall == BACKPRESSURED and wait.fifo in trace.depths]
    found = {name: smallest_depth(trace.network, trace.depths, name) for name in full}
    return Deadlock(trace.last, waits, {name: depth for name, depth in found.items() if depth is not None})


def circular_wait(trace: Trace) -> tuple[Wait, ...]:
    """Blocked processes that wait for each other, beginning with the one that comes first in the network."""
    network = trace.network
    name = next(process.name for process in network.processes if process.name in trace.blocked)
    path: list[str] = []
    while name not in path:
        path.append(name)
        fifo, writes = trace.blocked[name]
        name = (network.reader if writes else network.writer)(fifo).name
    order = [process.name for process in network.processes]
    found = path[path.index(name) :]
    start = min(range(len(found)), key=lambda index: order.index(found[index]))
    rotated = found[start:] + found[:start]
    return tuple(Wait(p, trace.blocked[p][0], BACKPRESSURED if trace.blocked[p][1] else STARVED) for p in rotated)


def smallest_depth(network: Network, depths: Mapping[str, int | None], fifo: str) -> int | None:
    """The smallest depth of ``fifo`` that prevents a deadlock, all others as in ``depths``; None if no depth does."""

    def runs(depth: int | None) -> bool:
        return completes(network, {**depths, fifo: depth})

    if not runs(None):
        return None
    # A FIFO that holds all words of an image never blocks.
    return 1 + bisect_left(range(1, network.words[fifo]), True, key=runs)

"""Cycle-exact simulation of a network.

A FIFO holds a word from the cycle of its write to that of its read: written in cycle t, it can be read
from cycle t + 1 on, and the slot of a word read in cycle t takes the next word from cycle t + 1 on. With
sequential processes that wait for empty and full FIFOs, the cycle of every read and write then follows
from earlier ones (the n-th write comes after the read that frees its slot, the n-th read after the n-th
write), whatever order they are computed in (Kahn, "The semantics of a simple language for parallel
programming", 1974). So no clock is ticked: each process runs until it needs a cycle that is not known yet.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hls_projects.dataflow.network import Network, Process
from hls_projects.dataflow.program import End


@dataclass(eq=False)
class _Port:
    """One end of a FIFO: cycles of this end, of the other end, and by how many words that one runs ahead."""

    fifo: str
    writes: bool
    own: list[int]
    other: list[int]
    ahead: float
    stalls: int = 0


@dataclass(eq=False)
class _Runner:
    """A process with its place in its program."""

    process: Process
    steps: list[tuple[int, tuple[_Port, ...]]]
    rest: int
    pictures: int
    place: int = 0
    cycle: int = 0
    missing: _Port | None = None

    def run(self) -> bool:
        """Go as far as known cycles allow; tells whether that was any way at all."""
        steps, cycle, place = self.steps, self.cycle, self.place
        end = len(steps)
        moved = False
        while self.pictures:
            delay, ports = steps[place]
            ready = start = cycle + delay
            last = None
            for port in ports:
                needed = len(port.own) - port.ahead
                if needed < 0:
                    continue
                if needed >= len(port.other):
                    self.place, self.cycle, self.missing = place, cycle, port
                    return moved
                free = port.other[int(needed)] + 1
                if free > ready:
                    ready, last = free, port
            if last is not None:
                last.stalls += ready - start
            for port in ports:
                port.own.append(ready)
            moved = True
            cycle = ready + 1
            place += 1
            if place == end:
                place, self.pictures = 0, self.pictures - 1
                cycle += self.rest
        return moved


@dataclass(frozen=True)
class Trace:
    """What a simulation found.

    Args:
        network, depths, pictures: what was simulated; a depth of None has no bound.
        writes, reads: cycles by FIFO, ascending.
        stalls: cycles that each process waited, by process, FIFO and whether it wanted to write; where
            several words move together, the FIFO that let them move last, the first named of equals.
        blocked: the FIFO at which each process that did not end stands, and whether it wants to write;
            where several words are to move together, the first named that does not let its one.
    """

    network: Network
    depths: Mapping[str, int | None]
    pictures: int
    writes: dict[str, np.ndarray]
    reads: dict[str, np.ndarray]
    stalls: dict[str, dict[End, int]]
    blocked: dict[str, End]

    @property
    def deadlock(self) -> bool:
        return bool(self.blocked)

    def depth(self, fifo: str) -> int | None:
        """Slots of ``fifo``, whether they could be chosen or not."""
        fixed = next(each.fixed_depth for each in self.network.fifos if each.name == fifo)
        return fixed or self.depths[fifo]

    def completions(self) -> np.ndarray:
        """Cycle of the last word of every picture that left the network, (pictures,)."""
        words = self.network.words
        ends = [self.reads[name][words[name] - 1 :: words[name]] for name in words if self.network.reader(name).is_sink]
        return np.max(np.stack([cycles[: min(map(len, ends))] for cycles in ends]), axis=0)

    def latency(self) -> int:
        """Cycles from the start to the end of the first picture."""
        return int(self.completions()[0]) + 1

    def interval(self) -> int:
        """Cycles between the ends of the last two pictures."""
        ends = self.completions()
        return int(ends[-1] - ends[-2])

    def slots(self, fifo: str) -> int:
        """Most slots of ``fifo`` in use in one cycle."""
        return int(self.occupancy(fifo).max(initial=0))

    def occupancy(self, fifo: str) -> np.ndarray:
        """Slots in use in the cycle of each write, that write's own among them, (writes,)."""
        writes, reads = self.writes[fifo], self.reads[fifo]
        return np.arange(1, len(writes) + 1) - np.searchsorted(reads, writes, side="left")


def simulate(network: Network, depths: Mapping[str, int | None], pictures: int) -> Trace:
    """Run ``pictures`` pictures through ``network`` as fast as its sources and sinks allow.

    Args:
        depths: by name of every FIFO that can be sized; None for one without a bound.
    """
    bounds = {fifo.name: fifo.fixed_depth or depths[fifo.name] for fifo in network.fifos}
    writes: dict[str, list[int]] = {name: [] for name in bounds}
    reads: dict[str, list[int]] = {name: [] for name in bounds}

    def runner(process: Process) -> _Runner:
        ports = {}
        for name, is_write in process.words:
            own, other = (writes[name], reads[name]) if is_write else (reads[name], writes[name])
            ahead = (bounds[name] or math.inf) if is_write else 0
            ports[name, is_write] = _Port(name, is_write, own, other, ahead)
        found, rest = process.instructions
        steps = [(step.delay, tuple(ports[end] for end in step.ends)) for step in found]
        return _Runner(process, steps, rest, pictures if steps else 0)

    runners = {process.name: runner(process) for process in network.processes}
    _run_all(network, runners)
    return Trace(
        network,
        dict(depths),
        pictures,
        {name: np.array(cycles, dtype=np.int64) for name, cycles in writes.items()},
        {name: np.array(cycles, dtype=np.int64) for name, cycles in reads.items()},
        {name: _stalls(runner) for name, runner in runners.items()},
        {name: (r.missing.fifo, r.missing.writes) for name, r in runners.items() if r.pictures and r.missing},
    )


def _run_all(network: Network, runners: dict[str, _Runner]) -> None:
    waiting = deque(runners)
    queued = set(runners)
    while waiting:
        name = waiting.popleft()
        queued.discard(name)
        if not runners[name].run():
            continue
        for other in network.neighbours[name]:
            if runners[other].pictures and other not in queued:
                queued.add(other)
                waiting.append(other)


def _stalls(runner: _Runner) -> dict[End, int]:
    ports = {(port.fifo, port.writes): port.stalls for _, ports in runner.steps for port in ports}
    return {key: cycles for key, cycles in ports.items() if cycles}

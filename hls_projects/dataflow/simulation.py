"""Cycle-exact simulation of a network.

A FIFO holds a word from the cycle of its write to that of its read: written in cycle t, it can be read
from cycle t + latency on, by default t + 1, and the slot of a word read in cycle t takes the next word from
cycle t + 1 on, or in cycle t where it is the writer's register (:attr:`Fifo.direct`); the registers that a
latency stands for hold a word each, besides the slots. With sequential
processes that wait for empty and full FIFOs, the cycle of every read and write then follows from earlier
ones (the n-th write comes after the read that frees its slot, the n-th read after the n-th write), whatever
order they are computed in (Kahn, "The semantics of a simple language for parallel programming", 1974). So
no clock is ticked: each process runs until it needs a cycle that is not known yet. Words that move together
in one cycle move in the first that suits all of them, which depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hls_projects.dataflow.engine import Run, peak_occupancy, run_network
from hls_projects.dataflow.network import Network
from hls_projects.dataflow.program import End

NO_EDGES = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Trace:
    """What a simulation found.

    Args:
        network, depths, images: what was simulated, see :func:`simulate`; a depth of None has no bound.
        writes, reads: cycles by FIFO, ascending; nothing where they were not recorded.
        stalls: cycles that each process waited, by process, FIFO and whether it wanted to write; where
            several words move together, the FIFO that let them move last, the first named of equals.
        blocked: the FIFO at which each process that did not end stands, and whether it wants to write;
            where several words are to move together, the first named that does not let its one.
        ends: cycle in which each process moved the last word of each image, (processes, images); -1
            where it did not.
        last: the last cycle in which a word moved, -1 where none did.
    """

    network: Network
    depths: Mapping[str, int | None]
    images: int
    writes: dict[str, np.ndarray]
    reads: dict[str, np.ndarray]
    stalls: dict[str, dict[End, int]]
    blocked: dict[str, End]
    ends: np.ndarray
    last: int

    @property
    def deadlock(self) -> bool:
        return bool(self.blocked)

    def completions(self) -> np.ndarray:
        """Cycle of the last word of every image that left the network, (images that did,)."""
        sinks = self.ends[[process.is_sink for process in self.network.processes]]
        return sinks[:, (sinks >= 0).all(axis=0)].max(axis=0)

    def latency(self) -> int:
        """Cycles from the start to the end of the first image."""
        return int(self.completions()[0]) + 1

    def interval(self) -> int:
        """Cycles between the ends of images: the mean of the last two intervals, rounded up.

        Where blocks of a whole image are double buffered, long and short intervals may take turns.
        """
        return int(_interval(self.completions()))

    def slowest(self) -> int:
        """The largest interval of a process, as :meth:`interval`.

        In a network that has more room than it needs, the images that leave show a process that is too
        slow only when no slack is left elsewhere.
        """
        return int(_interval(self.ends).max())

    def held(self, fifo: str) -> int:
        """Most words that ``fifo`` and the registers before it hold in one cycle."""
        return peak_occupancy(self.writes[fifo], self.reads[fifo])

    def slots(self, fifo: str) -> int:
        """Most slots of ``fifo`` in use in one cycle; words that fit in the registers take none, but for one."""
        return int(self._slots(fifo, self.held(fifo)))

    def occupancy(self, fifo: str) -> np.ndarray:
        """Slots in use in the cycle of each write, that write's own among them, (writes,)."""
        writes, reads = self.writes[fifo], self.reads[fifo]
        return self._slots(fifo, np.arange(1, len(writes) + 1) - np.searchsorted(reads, writes, side="left"))

    def slots_before(self, fifo: str, cycles: np.ndarray) -> np.ndarray:
        """Slots in use as each of ``cycles`` begins, int64, shaped like them."""
        written, read = (np.searchsorted(ends[fifo], cycles, side="left") for ends in (self.writes, self.reads))
        return self._slots(fifo, written - read)

    def _slots(self, fifo: str, words: np.ndarray | int) -> np.ndarray:
        found = next(other for other in self.network.fifos if other.name == fifo)
        depth = found.depth(self.depths)
        registers = found.cycles(depth) - 1
        # A word that comes in the cycle in which another goes takes its place.
        words = words if found.frees(depth) else np.minimum(words, registers + 1)
        return np.maximum(words - registers, np.minimum(words, 1))


def _interval(ends: np.ndarray) -> np.ndarray:
    """Mean of the last two differences, or the last one where there is no more, rounded up; (..., N) to (...)."""
    count = min(2, ends.shape[-1] - 1)
    return -((ends[..., -1 - count] - ends[..., -1]) // count)


def simulate(network: Network, depths: Mapping[str, int | None], images: int, *, record: bool = True) -> Trace:
    """Run ``images`` images through ``network`` as fast as its sources and sinks allow.

    Where it would stand still without the registers on the words' way, which the generated C++ does not have, that is
    what the trace shows, of the network without them.

    Args:
        depths: by name of every FIFO that can be sized; None for one without a bound.
        record: keep the cycles of all words; without them it is faster and takes next to no memory.

    Raises:
        SimulationError: no g++ to compile the simulation with.
    """
    plain = network.without_registers
    if plain is not network and not goes_on(plain, depths):
        network = plain
    run = _run(network, depths, images, record=record)
    names = [fifo.name for fifo in network.fifos]
    ports = [(names[fifo], bool(writes)) for fifo, writes in network.code.ports]
    starts = network.code.port_starts
    stalls = {
        process.name: {
            ports[port]: int(run.stalls[port]) for port in range(*starts[place : place + 2]) if run.stalls[port]
        }
        for place, process in enumerate(network.processes)
    }
    blocked = {
        process.name: ports[port] for process, port in zip(network.processes, run.blocked, strict=True) if port >= 0
    }
    return Trace(
        network,
        dict(depths),
        images,
        {name: moves[0] for name, moves in zip(names, run.moves, strict=False)},
        {name: moves[1] for name, moves in zip(names, run.moves, strict=False)},
        stalls,
        blocked,
        run.image_ends,
        run.last,
    )


def goes_on(network: Network, depths: Mapping[str, int | None]) -> bool:
    """Whether an image comes through, and so all of them (see :mod:`hls_projects.dataflow.sizing`).

    It is as :func:`simulate` tells, in a fraction of the time.
    """
    run = _run(network.without_registers, depths, 1, timed=False)
    return bool((run.blocked < 0).all())


def image_ends(network: Network, depths: Mapping[str, int | None], images: int) -> np.ndarray:
    """:attr:`Trace.ends` alone, without a look at the network without its registers.

    They are those of :func:`simulate` where an image comes through, as :func:`goes_on` tells.
    """
    return _run(network, depths, images).image_ends


def shares(trace: Trace, edges: np.ndarray) -> np.ndarray:
    """Cycles that every process is busy, starved and blocked between each two ``edges``.

    What a process waits before its first word is left out; where words move together, the FIFO that let
    them move last says what it waits for.

    Returns:
        int64, (processes, edges - 1, 3).
    """
    return _run(trace.network, trace.depths, trace.images, edges=edges).shares


def _run(
    network: Network,
    depths: Mapping[str, int | None],
    images: int,
    *,
    timed: bool = True,
    record: bool = False,
    edges: np.ndarray = NO_EDGES,
) -> Run:
    slots = [fifo.depth(depths) for fifo in network.fifos]
    latencies = _array(fifo.cycles(depth) for fifo, depth in zip(network.fifos, slots, strict=True))
    frees = _array(fifo.frees(depth) for fifo, depth in zip(network.fifos, slots, strict=True))
    slots = _array(depth or 0 for depth in slots)
    bounds = np.where(slots > 0, slots + latencies - 1, 0)
    return run_network(network, bounds, latencies, frees, images, timed=timed, record=record, edges=edges)


def _array(numbers: Iterable[int]) -> np.ndarray:
    return np.array(list(numbers), dtype=np.int64)

"""Cycle-exact simulation of a network.

A FIFO holds a word from the cycle of its write to that of its read. A word written in cycle t can be read from
cycle t + latency on, by default t + 1. The slot of a word read in cycle t takes the next word from cycle t + 1 on,
or in cycle t where it is the writer's register (:attr:`Fifo.direct`). The registers that cause a latency hold one
word each, besides the slots.

Processes are sequential and wait for empty and full FIFOs. So the cycle of every read and write follows from earlier
ones: the n-th write comes after the read that frees its slot, the n-th read after the n-th write, in whatever order
they are computed (Kahn, "The semantics of a simple language for parallel programming", 1974). Therefore no clock
ticks here: each process runs until it needs a cycle that is not computed yet. Words that move together move in the
first cycle that suits all of them, which depends on nothing else.
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
    """The result of a simulation.

    Args:
        network, depths, images: arguments of :func:`simulate`; the network without registers where it deadlocked.
        writes, reads: cycles by FIFO, ascending; empty where they were not recorded.
        stalls: cycles that each process waited, by process and end of a FIFO. Where several words move together,
            the wait counts at the FIFO that let them move last, the first one of equals.
        blocked: the end of a FIFO at which each process that did not complete is blocked. Where several words are
            to move together, it is the first one that cannot move.
        ends: cycle in which each process moved the last word of each image, int64 (processes, images); -1
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
        """Whether an image did not leave the network."""
        return bool(self.blocked)

    def completions(self) -> np.ndarray:
        """Cycle of the last word of every image that left the network, int64 (images that left,)."""
        sinks = self.ends[[process.is_sink for process in self.network.processes]]
        return sinks[:, (sinks >= 0).all(axis=0)].max(axis=0)

    def latency(self) -> int:
        """Cycles from the start to the end of the first image."""
        return int(self.completions()[0]) + 1

    def interval(self) -> int:
        """Cycles between images that leave: the mean of the last two intervals, rounded up.

        The mean, because long and short intervals may alternate where blocks of a whole image are double buffered.
        """
        return int(_interval(self.completions()))

    def slowest(self) -> int:
        """The largest :meth:`interval` of any process.

        In a network with deep FIFOs it can exceed that of the images that leave: a slow process shows in
        those only after the words stored ahead of it are used up.
        """
        return int(_interval(self.ends).max())

    def peak_words(self, fifo: str) -> int:
        """Largest number of words in ``fifo`` and the registers before it in any cycle."""
        return peak_occupancy(self.writes[fifo], self.reads[fifo])

    def peak_slots(self, fifo: str) -> int:
        """Largest number of slots of ``fifo`` in use in any cycle; words that fit in the registers use one at most."""
        return int(self._slots(fifo, self.peak_words(fifo)))

    def occupancy(self, fifo: str) -> np.ndarray:
        """Slots in use in the cycle of each write, including the one of that write, int64 (writes,)."""
        writes, reads = self.writes[fifo], self.reads[fifo]
        return self._slots(fifo, np.arange(1, len(writes) + 1) - np.searchsorted(reads, writes, side="left"))

    def slots_before(self, fifo: str, cycles: np.ndarray) -> np.ndarray:
        """Slots in use at the beginning of each of ``cycles``, int64 of their shape."""
        written, read = (np.searchsorted(ends[fifo], cycles, side="left") for ends in (self.writes, self.reads))
        return self._slots(fifo, written - read)

    def _slots(self, fifo: str, words: np.ndarray | int) -> np.ndarray:
        found = next(other for other in self.network.fifos if other.name == fifo)
        depth = found.depth(self.depths)
        registers = found.latency_at(depth) - 1
        # Without a reuse delay a word that arrives in the cycle in which another leaves uses the same slot.
        words = words if found.reuse_delay(depth) else np.minimum(words, registers + 1)
        return np.maximum(words - registers, np.minimum(words, 1))


def _interval(ends: np.ndarray) -> np.ndarray:
    """Mean of the last two differences of ``ends``, or the only one there is, rounded up: (..., N) to (...)."""
    count = min(2, ends.shape[-1] - 1)
    return -((ends[..., -1 - count] - ends[..., -1]) // count)


def simulate(network: Network, depths: Mapping[str, int | None], images: int, *, record: bool = True) -> Trace:
    """Run ``images`` images through ``network`` as fast as its sources and sinks allow.

    The registers of a latency are not counted on: where the network would deadlock without them, the trace is that
    deadlock. So a pipeline does not depend on registers that the generated C++ does not have.

    Args:
        depths: of every sizable FIFO by name; None for an unbounded one.
        record: whether to record the cycles of all words; without, it is faster and takes next to no memory.

    Raises:
        InputError: no g++ to compile the simulation with.
    """
    plain = network.without_registers
    if plain is not network and not completes(plain, depths):
        network = plain
    run = _run(network, depths, images, record=record)
    names = [fifo.name for fifo in network.fifos]
    ports = [(names[fifo], bool(writes)) for fifo, writes in network.code.ports]
    starts = network.code.port_starts
    stalls = {
        process.name: {
            ports[port]: int(run.stalls[port]) for port in range(*starts[index : index + 2]) if run.stalls[port]
        }
        for index, process in enumerate(network.processes)
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


def completes(network: Network, depths: Mapping[str, int | None]) -> bool:
    """Whether ``network`` completes an image, and so any number of them (see :mod:`hls_projects.dataflow.sizing`).

    The answer is that of :func:`simulate` in a fraction of its time.
    """
    run = _run(network.without_registers, depths, 1, timed=False)
    return bool((run.blocked < 0).all())


def image_ends(network: Network, depths: Mapping[str, int | None], images: int) -> np.ndarray:
    """:attr:`Trace.ends` alone, of a network that :func:`completes`.

    Of one that does not, the result may be that of a network that its registers save.
    """
    return _run(network, depths, images).image_ends


def time_by_state(trace: Trace, edges: np.ndarray) -> np.ndarray:
    """Cycles that every process is busy, starved and backpressured in each bin between two ``edges``.

    Waits before a process's first word are left out. Where words move together, the FIFO that let them move last
    decides whether the wait is starved (it was empty) or backpressured (it was full).

    Returns:
        int64, (processes, bins, 3).
    """
    return _run(trace.network, trace.depths, trace.images, edges=edges).time_by_state


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
    latencies = _array(fifo.latency_at(depth) for fifo, depth in zip(network.fifos, slots, strict=True))
    reuse_delays = _array(fifo.reuse_delay(depth) for fifo, depth in zip(network.fifos, slots, strict=True))
    slots = _array(depth or 0 for depth in slots)
    bounds = np.where(slots > 0, slots + latencies - 1, 0)
    return run_network(network, bounds, latencies, reuse_delays, images, timed=timed, record=record, edges=edges)


def _array(numbers: Iterable[int]) -> np.ndarray:
    return np.array(list(numbers), dtype=np.int64)

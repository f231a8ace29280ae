"""The simulation's event loop, in C++: compiled once, kept beside the other compiled programs, and called."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hls_projects.dataflow.network import Network
from hls_projects.simulation.compiler import Program, compile_programs
from hls_projects.simulation.processes import SimulationError

ENGINE = Program(
    name="engine.so",
    sources=(str(Path(__file__).parent / "engine.cpp"),),
    flags=("-O3", "-std=c++17", "-shared", "-fPIC"),
)


@dataclass(frozen=True)
class Run:
    """Results in numbers of FIFOs, processes and ports, in the order of the network's ``code``.

    Args:
        moves: cycles of the writes and of the reads by FIFO; nothing where they were not kept.
        stalls: cycles by port.
        blocked: the port at which each process stands, -1 where it came to its end.
        image_ends: last cycle of each process in each image, -1 where it did not come to its end.
        last: the last cycle in which a word moved, -1 where none did.
        shares: cycles busy, starved and blocked, by process and stretch of time.
    """

    moves: list[tuple[np.ndarray, np.ndarray]]
    stalls: np.ndarray
    blocked: np.ndarray
    image_ends: np.ndarray
    last: int
    shares: np.ndarray


@functools.cache
def load_library() -> ctypes.CDLL:
    """The functions of engine.cpp.

    Raises:
        SimulationError: no g++, or it refuses the simulation.
    """
    with tempfile.TemporaryDirectory() as folder:
        compile_programs(Path(folder), [ENGINE])
        library = ctypes.CDLL(str(ENGINE.path(Path(folder))))
    number, array = ctypes.c_int64, ctypes.c_void_p
    library.simulate_network.argtypes = [*[number] * 4, *[array] * 4, number, *[array] * 11, number, *[array] * 2]
    library.simulate_network.restype = number
    library.peak_occupancy.argtypes = [array, number, array, number]
    library.peak_occupancy.restype = number
    return library


@contextlib.contextmanager
def library_meanwhile() -> Iterator[None]:
    """Have the functions of engine.cpp compiled beside other work; what is wrong is told when they are asked for."""

    def compile_library() -> None:
        with contextlib.suppress(SimulationError):
            load_library()

    thread = threading.Thread(target=compile_library)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def run_network(
    network: Network,
    depths: np.ndarray,
    latencies: np.ndarray,
    frees: np.ndarray,
    images: int,
    *,
    timed: bool,
    record: bool,
    edges: np.ndarray,
) -> Run:
    """Simulate ``network``.

    Args:
        depths: words that every FIFO holds, those in registers among them, int64 (FIFOs,) in the network's order; 0 for
            one without a bound.
        latencies: cycles from a word's write to the first in which it can be read, int64 (FIFOs,).
        frees: cycles from a word's read to the first in which its place takes another, int64 (FIFOs,).
        timed: otherwise only ``blocked`` is told, which takes a part of the time.
        record: keep the cycle of every word.
        edges: bounds of the stretches of time for which to tell what the processes do, ascending, or none.

    Raises:
        SimulationError: no g++, or it refuses the simulation.
    """
    code = network.code
    kept, masks = _kept(depths, images * network.words_by_fifo, record)
    starts = np.concatenate([[0], np.cumsum(np.repeat(kept, 2))])
    masks = np.repeat(masks, 2)
    cycles = np.empty(starts[-1] if timed else 0, dtype=np.int64)
    counts, stalls = np.zeros(2 * len(depths), dtype=np.int64), np.zeros(len(code.ports), dtype=np.int64)
    processes, bins = len(network.processes), max(len(edges) - 1, 0)
    blocked, ends = np.zeros(processes, dtype=np.int64), np.zeros((processes, images), dtype=np.int64)
    edges, shares = edges.astype(np.int64), np.zeros((processes, bins, 3), dtype=np.int64)
    programs = (code.rows, code.row_starts, code.ports, code.port_starts)
    arrays = (
        code.moves,
        depths,
        latencies,
        frees,
        cycles,
        starts,
        masks,
        counts,
        stalls,
        blocked,
        ends,
    )
    last = load_library().simulate_network(
        *(processes, len(depths), images, timed, *map(_address, programs), len(code.moves), *map(_address, arrays)),
        *(bins, _address(edges), _address(shares)),
    )
    parts = [cycles[start : start + count] for start, count in zip(starts, counts, strict=False)] if record else []
    return Run(list(zip(parts[::2], parts[1::2], strict=True)), stalls, blocked, ends, last, shares)


def _kept(depths: np.ndarray, words: np.ndarray, record: bool) -> tuple[np.ndarray, np.ndarray]:
    """How many cycles of one end of each FIFO to keep, and the mask that turns the number of a word to its place."""
    if record:
        return words, np.full_like(words, -1)
    size = np.ones_like(words) << np.frompyfunc(int.bit_length, 1, 1)(np.maximum(depths - 1, 0)).astype(np.int64)
    ring = (depths > 0) & (size < words)
    return np.where(ring, size, words), np.where(ring, size - 1, -1)


def _address(array: np.ndarray) -> int:
    return array.ctypes.data


def peak_occupancy(writes: np.ndarray, reads: np.ndarray) -> int:
    """Most words in a FIFO in one cycle, from the ascending cycles of all writes and reads."""
    writes, reads = (np.ascontiguousarray(cycles, dtype=np.int64) for cycles in (writes, reads))
    return load_library().peak_occupancy(writes.ctypes.data, len(writes), reads.ctypes.data, len(reads))

"""Interface to the simulation's event loop in C++ (``engine.cpp``), compiled once and cached like other programs."""

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
from hls_projects.errors import InputError
from hls_projects.simulation.compiler import Program, compile_programs

ENGINE = Program(
    name="engine.so",
    sources=(str(Path(__file__).parent / "engine.cpp"),),
    flags=("-O3", "-std=c++17", "-shared", "-fPIC"),
)


@dataclass(frozen=True)
class Run:
    """Results by the numbers that FIFOs, processes and ports have in the network's ``code``.

    Args:
        moves: cycles of all writes and of all reads by FIFO; empty where they were not recorded.
        stalls: cycles that the process waited, by port, int64 (ports,).
        blocked: the port at which each process is blocked for ever, -1 where it completed, int64 (processes,).
        image_ends: cycle of the last word of each image, -1 where it was not reached, int64 (processes, images).
        last: the last cycle in which a word moved, -1 where none did.
        time_by_state: cycles busy, starved and backpressured, int64 (processes, bins, 3).
    """

    moves: list[tuple[np.ndarray, np.ndarray]]
    stalls: np.ndarray
    blocked: np.ndarray
    image_ends: np.ndarray
    last: int
    time_by_state: np.ndarray


@functools.cache
def load_library() -> ctypes.CDLL:
    """The compiled functions of ``engine.cpp``.

    Raises:
        InputError: no g++, or an error of its.
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
def compiling_in_background() -> Iterator[None]:
    """Compile ``engine.cpp`` in a thread beside other work; :func:`load_library` raises what may be wrong with it."""

    def compile_library() -> None:
        with contextlib.suppress(InputError):
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
    reuse_delays: np.ndarray,
    images: int,
    *,
    timed: bool,
    record: bool,
    edges: np.ndarray,
) -> Run:
    """Simulate ``network``.

    Args:
        depths: words that every FIFO holds, in its slots and in the registers before them, int64 (FIFOs,) in the
            network's order; 0 for an unbounded one.
        latencies: cycles from a word's write to the first cycle in which it can be read, int64 (FIFOs,).
        reuse_delays: cycles from a word's read to the first cycle in which its slot takes another, int64 (FIFOs,).
        timed: False to find ``blocked`` alone, which is faster.
        record: whether to return the cycle of every word.
        edges: edges of the bins of ``time_by_state``, ascending; empty for none.

    Raises:
        InputError: no g++, or an error of its.
    """
    code = network.code
    stored, masks = _stored_cycles(depths, images * network.words_by_fifo, record)
    starts = np.concatenate([[0], np.cumsum(np.repeat(stored, 2))])
    masks = np.repeat(masks, 2)
    cycles = np.empty(starts[-1] if timed else 0, dtype=np.int64)
    counts, stalls = np.zeros(2 * len(depths), dtype=np.int64), np.zeros(len(code.ports), dtype=np.int64)
    processes, bins = len(network.processes), max(len(edges) - 1, 0)
    blocked, ends = np.zeros(processes, dtype=np.int64), np.zeros((processes, images), dtype=np.int64)
    edges, time_by_state = edges.astype(np.int64), np.zeros((processes, bins, 3), dtype=np.int64)
    programs = (code.rows, code.row_starts, code.ports, code.port_starts)
    arrays = (
        code.moves,
        depths,
        latencies,
        reuse_delays,
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
        *(bins, _address(edges), _address(time_by_state)),
    )
    parts = [cycles[start : start + count] for start, count in zip(starts, counts, strict=False)] if record else []
    return Run(list(zip(parts[::2], parts[1::2], strict=True)), stalls, blocked, ends, last, time_by_state)


def _stored_cycles(depths: np.ndarray, words: np.ndarray, record: bool) -> tuple[np.ndarray, np.ndarray]:
    """Sizes of the arrays of cycles at one end of each FIFO, and the masks that turn a word's number into an index.

    Unless all words are recorded, an array is a ring of a power of two of at least the FIFO's depth: no process asks
    for the cycle of an earlier word. A mask of -1 is an array of all words.
    """
    if record:
        return words, np.full_like(words, -1)
    size = np.ones_like(words) << np.frompyfunc(int.bit_length, 1, 1)(np.maximum(depths - 1, 0)).astype(np.int64)
    ring = (depths > 0) & (size < words)
    return np.where(ring, size, words), np.where(ring, size - 1, -1)


def _address(array: np.ndarray) -> int:
    return array.ctypes.data


def peak_occupancy(writes: np.ndarray, reads: np.ndarray) -> int:
    """Largest number of words in a FIFO in any cycle, from the ascending cycles of all its writes and reads."""
    writes, reads = (np.ascontiguousarray(cycles, dtype=np.int64) for cycles in (writes, reads))
    return load_library().peak_occupancy(writes.ctypes.data, len(writes), reads.ctypes.data, len(reads))

"""What every process does when: busy, starved (waits for a word) or blocked (waits for a free slot)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from hls_projects.dataflow.network import Process
from hls_projects.dataflow.simulation import Trace

STATES = ("busy", "starved", "blocked")
BINS = 160


def timeline(trace: Trace) -> list[dict[str, Any]]:
    """Stretches ``{process, start, end, state}`` in clock cycles, in ascending order by process.

    Time is cut into :data:`BINS` parts; a part has the state in which the process spends most of it, and
    the parts before its first word and after its last none.
    """
    end = max(int(cycles.max(initial=0)) for cycles in trace.reads.values()) + 1
    edges = np.linspace(0, end, BINS + 1).round().astype(np.int64)
    found = []
    for process in trace.network.processes:
        spans = _spans(trace, process)
        shares = np.stack([_covered(spans[state], edges) for state in STATES])
        state = np.where(shares.sum(axis=0) > 0, shares.argmax(axis=0), -1)
        changes = np.flatnonzero(np.diff(state, prepend=-2, append=-2))
        for first, after in itertools.pairwise(changes):
            if state[first] >= 0:
                stretch = {"start": int(edges[first]), "end": int(edges[after]), "state": STATES[state[first]]}
                found.append({"process": process.name, **stretch})
    return found


def _spans(trace: Trace, process: Process) -> dict[str, np.ndarray]:
    """Start and end of everything that ``process`` did, (N, 2) by state, waiting before its first word left out."""
    moves = {end: _Moves(trace, *end) for end in process.words}
    steps, rest = process.instructions
    spans: dict[str, list[tuple[int, int]]] = {state: [] for state in STATES}
    cycle = None
    for _ in range(trace.pictures):
        for step in steps:
            found = [moves[end].next() for end in step.ends]
            if None in found:
                break
            at = found[0][0]
            ready = at if cycle is None else cycle + step.delay
            if cycle is not None:
                spans["busy"].append((cycle, ready))
                _, writes = step.ends[max(range(len(found)), key=lambda index: found[index][1])]
                spans["blocked" if writes else "starved"].append((ready, at))
            spans["busy"].append((at, at + 1))
            cycle = at + 1
        cycle = None if cycle is None else cycle + rest
    return {state: np.array(pairs, dtype=np.int64).reshape(-1, 2) for state, pairs in spans.items()}


class _Moves:
    """Cycles of the words at one end of a FIFO, one after another, with the first in which each could have moved."""

    def __init__(self, trace: Trace, fifo: str, writes: bool) -> None:
        depth = trace.depth(fifo)
        own, other = (trace.writes, trace.reads) if writes else (trace.reads, trace.writes)
        before = np.full(len(own[fifo]) if depth is None else depth, -1) if writes else np.zeros(0, dtype=np.int64)
        possible = np.concatenate([before, other[fifo]]) + 1
        self._words = zip(own[fifo].tolist(), possible.tolist(), strict=False)

    def next(self) -> tuple[int, int] | None:
        return next(self._words, None)


def _covered(spans: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Cycles of each part between ``edges`` that ``spans`` cover."""
    starts, ends = np.concatenate([[[0, 0]], spans]).T
    before = np.cumsum(ends - starts) - (ends - starts)
    index = np.searchsorted(starts, edges, side="right") - 1
    return np.diff(before[index] + np.minimum(edges, ends[index]) - starts[index])

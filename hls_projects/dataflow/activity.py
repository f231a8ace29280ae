"""What every process does when (busy, starved or backpressured), and what every FIFO holds."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from hls_projects.dataflow.simulation import Trace, shares

STATES = ("busy", "starved", "backpressured")
BINS = 160


def stretches(trace: Trace) -> np.ndarray:
    """Bounds, in cycles, of the up to :data:`BINS` parts into which the time of a simulation is cut."""
    return np.unique(np.linspace(0, trace.last + 1, BINS + 1).round().astype(np.int64))


def occupancy(trace: Trace, edges: np.ndarray) -> dict[str, np.ndarray]:
    """Most slots of each FIFO in use between each two ``edges``, which ascend, from a trace that was recorded.

    Returns:
        int64, (edges - 1,), by FIFO.
    """
    found = {}
    for name, writes in trace.writes.items():
        most = trace.slots_before(name, edges[:-1])
        parts = np.searchsorted(edges, writes, side="right") - 1
        inside = (parts >= 0) & (parts < len(most))
        np.maximum.at(most, parts[inside], trace.occupancy(name)[inside])
        found[name] = most
    return found


def timeline(trace: Trace) -> list[dict[str, Any]]:
    """Stretches ``{process, start, end, state}`` in cycles, in ascending order by process.

    Time is cut into :data:`BINS` parts; a part has the state in which the process spends most of it, and
    the parts before its first word and after its last none.
    """
    edges = stretches(trace)
    found = []
    for process, parts in zip(trace.network.processes, shares(trace, edges), strict=True):
        state = np.where(parts.sum(axis=1) > 0, parts.argmax(axis=1), -1)
        changes = np.flatnonzero(np.diff(state, prepend=-2, append=-2))
        for first, after in itertools.pairwise(changes):
            if state[first] >= 0:
                stretch = {"start": int(edges[first]), "end": int(edges[after]), "state": STATES[state[first]]}
                found.append({"process": process.name, **stretch})
    return found

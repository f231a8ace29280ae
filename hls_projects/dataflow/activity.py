"""States of the processes (busy, starved or backpressured) and slots in use of the FIFOs over time."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from hls_projects.dataflow.simulation import Trace, time_by_state

STATES = ("busy", "starved", "backpressured")
BINS = 160


def bin_edges(trace: Trace) -> np.ndarray:
    """Edges, in cycles, of the at most :data:`BINS` bins into which the time of a simulation is divided."""
    return np.unique(np.linspace(0, trace.last + 1, BINS + 1).round().astype(np.int64))


def occupancy(trace: Trace, edges: np.ndarray) -> dict[str, np.ndarray]:
    """Most slots of each FIFO in use in each bin.

    Args:
        trace: of a simulation that was recorded.
        edges: ascending cycles, one more than there are bins.

    Returns:
        int64, (bins,), by FIFO.
    """
    found = {}
    for name, writes in trace.writes.items():
        most = trace.slots_before(name, edges[:-1])
        bins = np.searchsorted(edges, writes, side="right") - 1
        inside = (bins >= 0) & (bins < len(most))
        np.maximum.at(most, bins[inside], trace.occupancy(name)[inside])
        found[name] = most
    return found


def timeline(trace: Trace) -> list[dict[str, Any]]:
    """Spans ``{process, start, end, state}`` in cycles, by process and then ascending.

    Time is divided into :data:`BINS` bins. A bin has the state in which the process spends most of it; bins before
    the first word of a process and after its last one have no state. Neighbouring bins of one state are one span.
    """
    edges = bin_edges(trace)
    found = []
    for process, cycles in zip(trace.network.processes, time_by_state(trace, edges), strict=True):
        state = np.where(cycles.sum(axis=1) > 0, cycles.argmax(axis=1), -1)
        changes = np.flatnonzero(np.diff(state, prepend=-2, append=-2))
        for first, after in itertools.pairwise(changes):
            if state[first] >= 0:
                span = {"start": int(edges[first]), "end": int(edges[after]), "state": STATES[state[first]]}
                found.append({"process": process.name, **span})
    return found

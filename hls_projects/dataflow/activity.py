"""What every process does when: busy, starved (waits for a word) or blocked (waits for a free slot)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from hls_projects.dataflow.simulation import Trace, shares

STATES = ("busy", "starved", "blocked")
BINS = 160


def timeline(trace: Trace) -> list[dict[str, Any]]:
    """Stretches ``{process, start, end, state}`` in clock cycles, in ascending order by process.

    Time is cut into :data:`BINS` parts; a part has the state in which the process spends most of it, and
    the parts before its first word and after its last none.
    """
    edges = np.linspace(0, trace.last + 1, BINS + 1).round().astype(np.int64)
    found = []
    for process, parts in zip(trace.network.processes, shares(trace, edges), strict=True):
        state = np.where(parts.sum(axis=1) > 0, parts.argmax(axis=1), -1)
        changes = np.flatnonzero(np.diff(state, prepend=-2, append=-2))
        for first, after in itertools.pairwise(changes):
            if state[first] >= 0:
                stretch = {"start": int(edges[first]), "end": int(edges[after]), "state": STATES[state[first]]}
                found.append({"process": process.name, **stretch})
    return found

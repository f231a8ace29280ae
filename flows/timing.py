"""Depths of the FIFOs and the timing of the pipeline, for the build and for flows/simulate.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hls_projects.dataflow import Network, NetworkError, Trace, explain, settled, simulate
from hls_projects.dataflow.activity import timeline
from hls_projects.dataflow.simulation import goes_on
from hls_projects.dataflow.sizing import Depths, in_use, without_deadlock, without_loss
from hls_projects.pipeline import read_depths
from hls_projects.targets import Target

TIMELINE_PICTURES = 2


def chosen_depths(network: Network, kernels: Network, file: Path | None, *, rough: bool = False) -> Depths:
    """Depths from ``file``; without one the smallest that cost no throughput, and with which the C++ runs.

    Args:
        network, kernels: the twins, and the kernels of the generated C++, which hold other parts of tokens.
        rough: see :func:`hls_projects.dataflow.sizing.without_loss`.

    Raises:
        NetworkError: a file that does not fit the network.
    """
    if file:
        return read_depths(file, network)
    depths = without_loss(network, rough=rough)
    if goes_on(kernels, depths):
        return depths
    needed = without_deadlock(kernels, in_use(kernels))
    return {name: max(depth, needed[name]) for name, depth in depths.items()}


def timed(network: Network, depths: Depths) -> Trace:
    """A simulation that comes to its end, of as many pictures as it takes until the interval stays the same.

    Raises:
        NetworkError: a deadlock, its circle and its remedy.
    """
    trace = settled(network, depths)
    if found := explain(trace):
        raise NetworkError(str(found))
    return trace


def check_kernels(kernels: Network, depths: Depths) -> None:
    """The generated C++ comes to its end.

    Raises:
        NetworkError: a deadlock, its circle and its remedy.
    """
    if found := explain(simulate(kernels, depths, 1, record=False)):
        raise NetworkError(f"the generated C++ would stand still: {found}")


def timing_facts(trace: Trace, target: Target) -> dict[str, Any]:
    """The report's table of timing."""
    short = simulate(trace.network, trace.depths, TIMELINE_PICTURES, record=False)
    return {
        "interval_cycles": trace.interval(),
        "latency_cycles": trace.latency(),
        "clock_mhz": target.clock_mhz,
        "evidence": "simulated",
        "timeline": timeline(short),
    }

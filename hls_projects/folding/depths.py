"""Depths of the FIFOs of a folded pipeline, and its timing with them."""

from __future__ import annotations

from pathlib import Path

from hls_projects.dataflow import Network, NetworkError, Trace, explain, settled, simulate
from hls_projects.dataflow.simulation import completes
from hls_projects.dataflow.sizing import Depths, LosslessSearch, depths_in_use, without_deadlock
from hls_projects.project.pipeline import read_depths


def chosen_depths(network: Network, kernels: Network, file: Path | None) -> Depths:
    """Depths from ``file``; without one, those of :class:`LosslessDepths`.

    Args:
        network: of the Verilog twins.
        kernels: of the generated C++.

    Raises:
        NetworkError: a file that does not fit the network.
    """
    return read_depths(file, network) if file else LosslessDepths(network, kernels).depths()


class LosslessDepths:
    """Smallest depths with which the twins lose no throughput and the generated C++ does not deadlock.

    Args:
        network: of the Verilog twins.
        kernels: of the generated C++.

    Raises:
        NetworkError: a network that deadlocks whatever the depths are.
    """

    def __init__(self, network: Network, kernels: Network) -> None:
        self.network, self.kernels = network, kernels
        self.search = LosslessSearch(network)

    def depths(self, *, rough: bool = False) -> Depths:
        """The depths; for ``rough`` see :meth:`hls_projects.dataflow.sizing.LosslessSearch.depths`."""
        depths = self.search.depths(rough=rough)
        if completes(self.kernels, depths):
            return depths
        needed = without_deadlock(self.kernels, depths_in_use(self.kernels))
        return {name: max(depth, needed[name]) for name, depth in depths.items()}


def settled_trace(network: Network, depths: Depths) -> Trace:
    """The simulation of as many images as it takes until their interval stays the same.

    Raises:
        NetworkError: a deadlock, with the processes that wait for each other and what would free them.
    """
    trace = settled(network, depths)
    if found := explain(trace):
        raise NetworkError(str(found))
    return trace


def check_kernels(kernels: Network, depths: Depths) -> None:
    """Check that the generated C++ does not deadlock.

    Raises:
        NetworkError: it does; with the processes that wait for each other and what would free them.
    """
    if found := explain(simulate(kernels, depths, 1, record=False)):
        raise NetworkError(f"the generated C++ would deadlock: {found}")

"""Depths of the FIFOs and the timing of the pipeline, for the build and for flows/simulate.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from hls_projects.dataflow import Network, NetworkError, Trace, explain, settled, simulate
from hls_projects.dataflow.activity import timeline
from hls_projects.dataflow.simulation import goes_on
from hls_projects.dataflow.sizing import Depths, WithoutLoss, in_use, without_deadlock
from hls_projects.folding.estimate import DESIGN, SIMULATED
from hls_projects.folding.folded import Folded, FoldOptions, fold
from hls_projects.project.pipeline import read_depths
from hls_projects.targets import Target

TIMELINE_IMAGES = 2


def chosen_depths(network: Network, kernels: Network, file: Path | None) -> Depths:
    """Depths from ``file``; without one the smallest that cost no throughput, and with which the C++ runs.

    Args:
        network, kernels: the twins, and the kernels of the generated C++, which hold other parts of tokens.

    Raises:
        NetworkError: a file that does not fit the network.
    """
    return read_depths(file, network) if file else LosslessFifos(network, kernels).depths()


class LosslessFifos:
    """Smallest depths that cost no throughput, and with which the C++ runs."""

    def __init__(self, network: Network, kernels: Network) -> None:
        self.network, self.kernels = network, kernels
        self.twins = WithoutLoss(network)

    def depths(self, *, rough: bool = False) -> Depths:
        """See :meth:`hls_projects.dataflow.sizing.WithoutLoss.depths`."""
        depths = self.twins.depths(rough=rough)
        if goes_on(self.kernels, depths):
            return depths
        needed = without_deadlock(self.kernels, in_use(self.kernels))
        return {name: max(depth, needed[name]) for name, depth in depths.items()}


def fold_pipeline(
    model: ModelWrapper, target: Target, options: FoldOptions, file: Path | None = None, *, rough: bool = False
) -> Folded:
    """:func:`hls_projects.folding.folded.fold` with the depths of ``file``, or else with :class:`LosslessFifos`.

    Whether a plan fits is told by rough depths, so that all who fold a graph for a board find the same plan.

    Args:
        rough: be content with these.
    """
    if file:
        return fold(model, target, options, lambda network, _: read_depths(file, network))
    tried: list[LosslessFifos] = []

    def sized(network: Network, kernels: Network) -> Depths:
        tried.append(LosslessFifos(network, kernels))
        return tried[-1].depths(rough=True)

    folded = fold(model, target, options, sized)
    if rough:
        return folded
    fifos = next(fifos for fifos in tried if fifos.network is folded.network)
    return folded.with_depths(fifos.depths())


def timed(network: Network, depths: Depths) -> Trace:
    """A simulation that comes to its end, of as many images as it takes until the interval stays the same.

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
    short = simulate(trace.network, trace.depths, TIMELINE_IMAGES, record=False)
    return {
        "interval_cycles": trace.interval(),
        "latency_cycles": trace.latency(),
        "clock_mhz": target.clock_mhz,
        "evidence": SIMULATED,
        "design": DESIGN,
        "timeline": timeline(short),
    }

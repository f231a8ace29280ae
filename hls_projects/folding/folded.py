"""A folded graph, the network of processes and FIFOs that it becomes, and what that costs."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from hls_projects.cost import Resources, clone_resources, fifo_resources
from hls_projects.dataflow import Network
from hls_projects.dataflow.sizing import Depths
from hls_projects.folding.choices import apply_foldings, operators_of
from hls_projects.folding.plan import Plan, current_plan
from hls_projects.lowering.merging import merged, separated
from hls_projects.operators.base import Folding
from hls_projects.project import pipeline
from hls_projects.project.conversion import make_graph
from hls_projects.targets import Target


@dataclass(frozen=True)
class Folded:
    """A folded graph with its network and cost.

    Args:
        model: a copy of the graph that was folded; its linear layers may be merged, see
            :mod:`hls_projects.lowering.merging`.
        plan: foldings and resources.
        network: of the Verilog twins, whose cycles are those of the hardware.
        kernels: of the generated C++, which moves the same words but holds other parts of tokens.
        depths: of the FIFOs, by name.
    """

    model: ModelWrapper
    plan: Plan
    network: Network
    kernels: Network
    depths: Depths

    def with_depths(self, depths: Depths) -> Folded:
        """The same with FIFOs of these ``depths``, and with their resources."""
        fixed = interconnect_resources(self.network, depths)
        return dataclasses.replace(self, depths=depths, plan=dataclasses.replace(self.plan, fixed=fixed))


def at_clock(target: Target, clock_mhz: float | None) -> Target:
    """``target`` with another clock frequency, unless that is None."""
    return dataclasses.replace(target, clock_mhz=clock_mhz) if clock_mhz else target


def restore(model: ModelWrapper, target: Target, foldings: Mapping[str, Folding], depths: Depths) -> Folded:
    """``model`` with foldings and depths that an earlier search found.

    Raises:
        FoldingError: foldings that do not fit the model.
    """
    model = with_foldings(model, foldings)
    plan = current_plan(operators_of(model), Resources())
    return Folded(model, plan, *networks_of(model, target), {}).with_depths(depths)


def with_foldings(model: ModelWrapper, foldings: Mapping[str, Folding]) -> ModelWrapper:
    """A copy of ``model`` with these foldings; its layers are merged where ``foldings`` names merged ones.

    Raises:
        FoldingError: foldings that do not fit the model.
    """
    separate = separated(model)
    together = merged(separate)
    only_merged = operators_of(together).keys() - operators_of(separate).keys()
    chosen = together if only_merged & foldings.keys() else separate
    apply_foldings(operators_of(chosen), foldings)
    return chosen


def networks_of(model: ModelWrapper, target: Target) -> tuple[Network, Network]:
    """The network of the Verilog twins, and that of the generated C++."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        model.save(str(path))
        graph = make_graph(path, target, Path(folder) / "hls")
    return pipeline.network(graph), pipeline.network(graph, kernels=True)


def interconnect_resources(network: Network, depths: Depths) -> Resources:
    """Resources of all FIFOs and forks."""
    fifos = (fifo_resources(fifo.word_bits, depths[fifo.name]) for fifo in network.sizable)
    bits = {fifo.name: fifo.word_bits for fifo in network.fifos}
    forks = (
        clone_resources(len(process.words) - 1, max(bits[name] for name, _ in process.words))
        for process in network.processes
        if process.kind == pipeline.CLONE
    )
    return sum((*fifos, *forks), Resources())

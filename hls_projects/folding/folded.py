"""The folding of a lowered graph for a board, with the FIFOs that it needs."""

from __future__ import annotations

import dataclasses
import functools
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from hls_projects.cost import Resources, clone_resources, fifo_resources
from hls_projects.dataflow import Network, NetworkError
from hls_projects.dataflow.sizing import Depths
from hls_projects.folding import choices as folding
from hls_projects.folding.choices import Choice, Folding, FoldingError, Plan, TooSmallError
from hls_projects.lowering.merging import merged, merged_layers, separated
from hls_projects.operators import HardwareOperator
from hls_projects.project import pipeline
from hls_projects.project.conversion import make_graph
from hls_projects.targets import Target

FILL = 0.85
"""Largest share of any resource that a folding takes by default."""
# FIFOs are known when all else is; a plan that leaves them too little room is made again.
ROUNDS = 6
# Merged layers keep a pipeline back that is no slower than so many times what they need at least.
NEAR = 1.05


Operators = dict[str, HardwareOperator]


@dataclass(frozen=True, kw_only=True)
class FoldOptions:
    """What a folding is to be.

    Args:
        fps: images/s, by default as many as fit.
        clock_mhz: instead of the target's.
        fill: largest share of any resource.
        dense: weights that are zero take time as others do.
        file: a folding.json instead of all that.
    """

    fps: float | None = None
    clock_mhz: float | None = None
    fill: float = FILL
    dense: bool = False
    file: Path | None = None


@dataclass(frozen=True)
class Folded:
    """A folded graph, the network of its processes and FIFOs, and what all that costs.

    The graph is another one than was to be folded: its layers may be merged, see :mod:`hls_projects.lowering.merging`.

    Args:
        network, kernels: of the twins, and of the kernels of the generated C++.
    """

    model: ModelWrapper
    plan: Plan
    network: Network
    kernels: Network
    depths: Depths

    def with_depths(self, depths: Depths) -> Folded:
        return dataclasses.replace(
            self, depths=depths, plan=dataclasses.replace(self.plan, fixed=joints(self.network, depths))
        )


def at_clock(target: Target, clock_mhz: float | None) -> Target:
    return dataclasses.replace(target, clock_mhz=clock_mhz) if clock_mhz else target


def fold(
    model: ModelWrapper, target: Target, options: FoldOptions, sized: Callable[[Network, Network], Depths]
) -> Folded:
    """Fold ``model``, with its layers merged or apart, and size its FIFOs; ``model`` stays as it is.

    Args:
        sized: gives the depths of the FIFOs from the network of the twins and that of the C++ kernels, for every
            plan that is tried.

    Raises:
        FoldingError: a board that is too small, or a file that does not fit the model.
        NetworkError: depths that do not fit the network.
    """
    target = at_clock(target, options.clock_mhz)
    forms = _forms(model, options)

    def attempt(options: FoldOptions) -> Folded:
        return _fold_a_form(forms, target, options, sized)

    try:
        return attempt(options)
    except TooSmallError as error:
        if not options.fps:
            raise FoldingError(f"{error}, however slow") from error
        try:
            best = attempt(dataclasses.replace(options, fps=None))
        except TooSmallError as smallest:
            raise FoldingError(f"{error}; however slow, {smallest}") from smallest
        most = folding.images_per_second(best.plan.interval_cycles, target)
        # A slower pipeline can need longer FIFOs.
        if most >= options.fps:
            return best
        raise FoldingError(f"{error}; {most:,} images/s would fit") from error


def folded_as(model: ModelWrapper, target: Target, foldings: Mapping[str, Folding], depths: Depths) -> Folded:
    """``model`` with foldings and depths that were found before.

    Raises:
        FoldingError: foldings that do not fit the model.
    """
    model = with_foldings(model, foldings)
    plan = current_plan(folding.operators_of(model), Resources())
    return Folded(model, plan, *networks_of(model, target), {}).with_depths(depths)


def with_foldings(model: ModelWrapper, foldings: Mapping[str, Folding]) -> ModelWrapper:
    """A copy of ``model`` with these foldings, its layers merged where they name merged ones, else apart.

    Raises:
        FoldingError: foldings that do not fit the model.
    """
    apart = separated(model)
    together = merged(apart)
    only_merged = folding.operators_of(together).keys() - folding.operators_of(apart).keys()
    chosen = together if only_merged & foldings.keys() else apart
    folding.apply(folding.operators_of(chosen), foldings)
    return chosen


@dataclass(frozen=True)
class _Form:
    """A graph, and with ``dense`` whether zeros take time."""

    model: ModelWrapper
    dense: bool

    @functools.cached_property
    def operators(self) -> Operators:
        return folding.operators_of(self.model)

    @functools.cached_property
    def table(self) -> folding.Table:
        return folding.choices_of(self.operators, use_zeros=not self.dense)

    @functools.cached_property
    def merged_cycles(self) -> int:
        """Of the slowest merged layer where it is as fast as can be."""
        names = merged_layers(self.model)
        return max(alike.quickest for alike in self.table if names & alike.operators.keys())


def _forms(model: ModelWrapper, options: FoldOptions) -> list[_Form]:
    """The forms of ``model`` that may be folded, the smallest one first."""
    if options.file:
        return [_Form(with_foldings(model, folding.read_foldings(options.file)), options.dense)]
    apart = separated(model)
    together = merged(apart)
    return [_Form(model, options.dense) for model in ((together, apart) if merged_layers(together) else (apart,))]


def _fold_a_form(
    forms: list[_Form], target: Target, options: FoldOptions, sized: Callable[[Network, Network], Depths]
) -> Folded:
    """The first form, unless its merged layers keep it back and the other one is better."""
    *together, apart = forms
    asked = math.floor(target.clock_mhz * 1e6 / options.fps) if options.fps and not options.file else None
    if not together or (asked and asked < together[0].merged_cycles):
        return _fold(apart, target, options, sized)
    near = NEAR * together[0].merged_cycles
    try:
        found = _fold(together[0], target, options, sized)
    except (FoldingError, NetworkError):
        if not asked or asked > near:
            raise
        return _fold(apart, target, options, sized)
    if (asked or found.plan.interval_cycles) > near:
        return found
    try:
        other = _fold(apart, target, options, sized)
    except (FoldingError, NetworkError):
        return found
    if asked:
        return min(found, other, key=lambda folded: folding.share(folded.plan.resources, target))
    return min(found, other, key=lambda folded: folded.plan.interval_cycles)


def _fold(form: _Form, target: Target, options: FoldOptions, sized: Callable[[Network, Network], Depths]) -> Folded:
    model, operators = form.model, form.operators
    table = None if options.file else form.table
    fixed, best = Resources(), None
    for _ in range(ROUNDS):
        plan = _plan(operators, table, target, options, fixed)
        if best and plan.interval_cycles >= best.plan.interval_cycles:
            break
        hopeless = folding.share(plan.resources, target) > options.fill
        folding.apply(operators, plan.foldings)
        network, kernels = networks_of(model, target)
        found = Folded(model, plan, network, kernels, {}).with_depths(sized(network, kernels))
        plan = found.plan
        fits = options.file or folding.share(plan.resources, target) <= options.fill
        if fits:
            best = found
        if best and (options.file or options.fps or not fits):
            break
        if hopeless:
            break
        # The FIFOs of a plan that does not fit may be more than others need; those of one that does are enough.
        fixed = plan.fixed if best else Resources(*map(max, fixed.values(), plan.fixed.values()))
    if best is None:
        raise TooSmallError(folding.too_small(plan.resources, target, options.fill))
    folding.apply(operators, best.plan.foldings)
    return best


def _plan(
    operators: Operators, table: folding.Table | None, target: Target, options: FoldOptions, fixed: Resources
) -> Plan:
    if table is None:
        return current_plan(operators, fixed)
    if options.fps:
        interval = math.floor(target.clock_mhz * 1e6 / options.fps)
        return folding.for_interval(table, target, fixed, interval)
    return folding.fastest(table, target, options.fill, fixed)


def current_plan(operators: Operators, fixed: Resources) -> Plan:
    """The plan that the nodes have."""
    return Plan({name: Choice(o.folding_now(), o.cost()) for name, o in operators.items()}, fixed)


def networks_of(model: ModelWrapper, target: Target) -> tuple[Network, Network]:
    """Of the twins, and of the kernels of the generated C++."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        model.save(str(path))
        graph = make_graph(path, target, Path(folder) / "hls")
    return pipeline.network(graph), pipeline.network(graph, kernels=True)


def joints(network: Network, depths: Depths) -> Resources:
    """What FIFOs and forks cost."""
    fifos = (fifo_resources(fifo.word_bits, depths[fifo.name]) for fifo in network.sizable)
    bits = {fifo.name: fifo.word_bits for fifo in network.fifos}
    forks = (
        clone_resources(len(process.words) - 1, max(bits[name] for name, _ in process.words))
        for process in network.processes
        if process.kind == pipeline.CLONE
    )
    return sum((*fifos, *forks), Resources())

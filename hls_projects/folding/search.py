"""The search for the folding of a lowered graph on a board, together with the FIFOs that it needs."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from hls_projects.cost import Resources
from hls_projects.dataflow import Network, NetworkError
from hls_projects.dataflow.sizing import Depths
from hls_projects.folding.choices import ChoiceTable, Operators, apply_foldings, choice_table, operators_of
from hls_projects.folding.depths import LosslessDepths
from hls_projects.folding.folded import Folded, at_clock, networks_of, with_foldings
from hls_projects.folding.json_file import read_foldings
from hls_projects.folding.options import FoldingError, FoldOptions, TooSmallError
from hls_projects.folding.plan import (
    Plan,
    current_plan,
    fastest_plan,
    images_per_second,
    plan_for_interval,
    shortage,
    utilization,
)
from hls_projects.lowering.merging import merged, merged_layers, separated
from hls_projects.project.pipeline import read_depths
from hls_projects.targets import Target

# A plan whose FIFOs leave too little room is made again with their resources set aside, at most this often.
ROUNDS = 6
# A pipeline that is at most this much slower than its slowest merged layer at its fastest counts as limited by it.
NEAR = 1.05

SizeFifos = Callable[[Network, Network], Depths]
"""Depths of the FIFOs from the network of the twins and that of the C++ kernels."""


def fold_pipeline(
    model: ModelWrapper, target: Target, options: FoldOptions, file: Path | None = None, *, rough: bool = False
) -> Folded:
    """:func:`fold` with the depths in ``file``, or without one with :class:`LosslessDepths`.

    Whether a plan fits is decided by rough depths, so that every caller finds the same plan for a graph and a board.

    Args:
        rough: return those rough depths, which take half the time.

    Raises:
        FoldingError: a board that is too small, or a folding that does not fit the model.
        NetworkError: depths that do not fit the network, or a network that deadlocks.
    """
    if file:
        return fold(model, target, options, lambda network, _: read_depths(file, network))
    tried: list[LosslessDepths] = []

    def size_fifos(network: Network, kernels: Network) -> Depths:
        tried.append(LosslessDepths(network, kernels))
        return tried[-1].depths(rough=True)

    folded = fold(model, target, options, size_fifos)
    if rough:
        return folded
    chosen = next(each for each in tried if each.network is folded.network)
    return folded.with_depths(chosen.depths())


def fold(model: ModelWrapper, target: Target, options: FoldOptions, size_fifos: SizeFifos) -> Folded:
    """Fold a copy of ``model``, with its layers merged or separate, and size its FIFOs.

    Args:
        size_fifos: called for every plan that is tried.

    Raises:
        FoldingError: a board that is too small, or a file of foldings that does not fit the model.
        NetworkError: depths that do not fit the network.
    """
    target = at_clock(target, options.clock_mhz)
    forms = _forms(model, options)

    def attempt(options: FoldOptions) -> Folded:
        return _fold_better_form(forms, target, options, size_fifos)

    try:
        return attempt(options)
    except TooSmallError as error:
        if not options.fps:
            raise FoldingError(f"{error}, even at the lowest throughput") from error
        try:
            best = attempt(dataclasses.replace(options, fps=None))
        except TooSmallError as smallest:
            raise FoldingError(f"{error}; at the lowest throughput, {smallest}") from smallest
        most = images_per_second(best.plan.interval_cycles, target)
        # A slower pipeline can need deeper FIFOs, so the fastest one may fit where one that is just enough does not.
        if most >= options.fps:
            return best
        raise FoldingError(f"{error}; {most:,} images/s would fit") from error


@dataclass(frozen=True)
class _Form:
    """A graph with its layers merged or separate.

    Args:
        dense: see :class:`FoldOptions`.
    """

    model: ModelWrapper
    dense: bool

    @functools.cached_property
    def operators(self) -> Operators:
        return operators_of(self.model)

    @functools.cached_property
    def table(self) -> ChoiceTable:
        return choice_table(self.operators, use_zeros=not self.dense)

    @functools.cached_property
    def merged_cycles(self) -> int:
        """Cycles of the slowest merged layer at its fastest."""
        names = merged_layers(self.model)
        return max(equal.fewest_cycles for equal in self.table if names & equal.operators.keys())


def _forms(model: ModelWrapper, options: FoldOptions) -> list[_Form]:
    """The forms of ``model`` to try: the merged one, which needs fewer resources, before the separate one."""
    if options.file:
        return [_Form(with_foldings(model, read_foldings(options.file)), options.dense)]
    separate = separated(model)
    together = merged(separate)
    models = (together, separate) if merged_layers(together) else (separate,)
    return [_Form(model, options.dense) for model in models]


def _fold_better_form(forms: list[_Form], target: Target, options: FoldOptions, size_fifos: SizeFifos) -> Folded:
    """The merged form, unless its merged layers limit the throughput and the separate form is better."""
    *together, separate = forms
    asked = _cycles_an_image(options, target) if options.fps and not options.file else None
    if not together or (asked and asked < together[0].merged_cycles):
        return _fold_form(separate, target, options, size_fifos)
    near = NEAR * together[0].merged_cycles
    try:
        found = _fold_form(together[0], target, options, size_fifos)
    except (FoldingError, NetworkError):
        if not asked or asked > near:
            raise
        return _fold_form(separate, target, options, size_fifos)
    if (asked or found.plan.interval_cycles) > near:
        return found
    try:
        other = _fold_form(separate, target, options, size_fifos)
    except (FoldingError, NetworkError):
        return found
    if asked:
        return min(found, other, key=lambda folded: utilization(folded.plan.resources, target))
    return min(found, other, key=lambda folded: folded.plan.interval_cycles)


def _fold_form(form: _Form, target: Target, options: FoldOptions, size_fifos: SizeFifos) -> Folded:
    """The best plan of ``form`` that fits, in rounds: a plan, then its FIFOs, then a plan that leaves room for them."""
    model, operators = form.model, form.operators
    table = None if options.file else form.table
    fixed, best = Resources(), None
    for _ in range(ROUNDS):
        plan = _plan(operators, table, target, options, fixed)
        if best and plan.interval_cycles >= best.plan.interval_cycles:
            break
        hopeless = utilization(plan.resources, target) > options.fill
        apply_foldings(operators, plan.foldings)
        network, kernels = networks_of(model, target)
        found = Folded(model, plan, network, kernels, {}).with_depths(size_fifos(network, kernels))
        plan = found.plan
        fits = options.file or utilization(plan.resources, target) <= options.fill
        if fits:
            best = found
        if best and (options.file or options.fps or not fits):
            break
        if hopeless:
            break
        # The FIFOs of a plan that does not fit may be more than others need; those of one that does are enough.
        fixed = plan.fixed if best else Resources(*map(max, fixed.values(), plan.fixed.values()))
    if best is None:
        raise TooSmallError(shortage(plan.resources, target, options.fill))
    apply_foldings(operators, best.plan.foldings)
    return best


def _plan(
    operators: Operators, table: ChoiceTable | None, target: Target, options: FoldOptions, fixed: Resources
) -> Plan:
    """The plan that ``options`` asks for; without a ``table`` the operators stay folded as they are."""
    if table is None:
        return current_plan(operators, fixed)
    if options.fps:
        return plan_for_interval(table, target, fixed, _cycles_an_image(options, target))
    return fastest_plan(table, target, options.fill, fixed)


def _cycles_an_image(options: FoldOptions, target: Target) -> int:
    """The longest interval that gives the images/s that are asked for."""
    return math.floor(target.clock_mhz * 1e6 / options.fps)

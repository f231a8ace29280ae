"""How much of every operator works in parallel, chosen so that the pipeline is balanced and fits a board.

An image leaves when the slowest operator has worked on it, so all others may take as long. For an interval
between images every operator has foldings that keep to it; which of them together take the smallest share of
the board's scarcest resource is a small integer program, solved by HiGHS (scipy). The shortest interval with a
share that is allowed is found by bisection over the cycles that foldings take.

``folding.json`` is an object: for every operator that has a folding its attributes.
"""

from __future__ import annotations

import itertools
import json
import math
from bisect import bisect_left
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from hls_projects.cost import KINDS, Cost, Resources
from hls_projects.operators import HardwareOperator
from hls_projects.operators.base import Folding
from hls_projects.targets import Target

# A solution this much above the best is as good as the cost model.
GAP = 0.01
SECONDS_A_PROGRAM = 2.0


class FoldingError(ValueError):
    """A folding that is not one of the network's, or a board that none fits."""


class TooSmallError(FoldingError):
    """A board that is too small for a plan."""


@dataclass(frozen=True)
class Choice:
    """A folding of one operator and what it costs."""

    folding: Folding
    cost: Cost


@dataclass(frozen=True)
class Plan:
    """A folding of every operator.

    Args:
        choices: by the operator's name.
        fixed: resources of what has no folding: FIFOs and forks.
    """

    choices: dict[str, Choice]
    fixed: Resources

    @property
    def interval_cycles(self) -> int:
        """Cycles between images: those of the slowest operator."""
        return max(choice.cost.cycles for choice in self.choices.values())

    @property
    def bottleneck(self) -> str:
        return max(self.choices, key=lambda name: self.choices[name].cost.cycles)

    @property
    def resources(self) -> Resources:
        return sum((choice.cost.resources for choice in self.choices.values()), self.fixed)

    @property
    def foldings(self) -> dict[str, Folding]:
        """By the operator's name, of those that have one."""
        return {name: choice.folding for name, choice in self.choices.items() if choice.folding}


def operators_of(model: ModelWrapper) -> dict[str, HardwareOperator]:
    """The hardware operators of a lowered graph by name."""
    return {node.name: getCustomOp(node) for node in model.graph.node}


def apply(operators: Mapping[str, HardwareOperator], foldings: Mapping[str, Folding]) -> None:
    """Give every operator its folding.

    Raises:
        FoldingError: an operator that is not there or left out, an attribute that it does not have, or a
            folding that does not fit it.
    """
    folded = {name for name, operator in operators.items() if operator.fold_attributes()}
    unknown, missing = sorted(set(foldings) - folded), sorted(folded - set(foldings))
    if unknown:
        raise FoldingError(f"there is no operator {unknown[0]} that can be folded")
    if missing:
        raise FoldingError(f"operator {missing[0]} has no folding")
    for name, folding in foldings.items():
        operator = operators[name]
        known = operator.fold_attributes()
        if set(folding) != set(known):
            raise FoldingError(
                f"the folding of {name} must have {', '.join(known)}, not {', '.join(folding) or 'nothing'}"
            )
        try:
            operator.fold(folding)
            operator.check_folding()
        except (ValueError, TypeError) as error:
            raise FoldingError(f"the folding of {name}: {error}") from error


def choices(operator: HardwareOperator, *, use_zeros: bool = True) -> list[Choice]:
    """Foldings of ``operator``, without those that another one beats or equals in cycles and every resource."""
    before = operator.folding_now()
    found = []
    for folding in operator.foldings():
        if not use_zeros and folding.get("sparse"):
            continue
        operator.fold(folding)
        found.append(Choice(folding, operator.cost()))
    operator.fold(before)
    figures = np.array([(choice.cost.cycles, *choice.cost.resources.values()) for choice in found])
    kept = []
    for index, row in enumerate(figures):
        better = (figures <= row).all(axis=1) & ((figures < row).any(axis=1) | (np.arange(len(figures)) < index))
        if not better.any():
            kept.append(found[index])
    return kept


@dataclass(frozen=True)
class Alike:
    """Operators of the same sizes, by name, and the choices of one of them, which cost the others about the same."""

    operators: Mapping[str, HardwareOperator]
    choices: Sequence[Choice]
    known: dict[tuple[str, int], Choice] = field(default_factory=dict, compare=False, repr=False)

    def chosen(self, name: str, index: int) -> Choice:
        """The choice ``index`` with what it costs the operator ``name`` itself; worked out once."""
        if (name, index) not in self.known:
            operator, folding = self.operators[name], self.choices[index].folding
            operator.fold(folding)
            self.known[name, index] = Choice(folding, operator.cost())
        return self.known[name, index]

    @property
    def quickest(self) -> int:
        """Cycles of the fastest choice."""
        return min(choice.cost.cycles for choice in self.choices)


Table = Sequence[Alike]


def choices_of(operators: Mapping[str, HardwareOperator], *, use_zeros: bool = True) -> Table:
    """:func:`choices` of operators, those that are alike together."""
    groups: dict[Hashable, dict[str, HardwareOperator]] = {}
    for name, operator in operators.items():
        groups.setdefault(operator.likeness(), {})[name] = operator
    return [Alike(group, choices(next(iter(group.values())), use_zeros=use_zeros)) for group in groups.values()]


def fastest(table: Table, target: Target, fill: float, fixed: Resources) -> Plan:
    """The plan with the shortest interval that takes at most the share ``fill`` of each resource.

    Where not even the slowest one does, it is that.
    """
    candidates = sorted({choice.cost.cycles for alike in table for choice in alike.choices})
    start = bisect_left(candidates, max(alike.quickest for alike in table))
    plans: dict[int, Plan] = {}

    def fits(interval: int) -> bool:
        plans[interval] = _plan(table, target, fixed, interval)
        return share(plans[interval].resources, target) <= fill

    if not fits(candidates[-1]):
        return plans[candidates[-1]]
    place = bisect_left(candidates, True, lo=start, hi=len(candidates) - 1, key=fits)
    return plans[candidates[place]]


def for_interval(table: Table, target: Target, fixed: Resources, interval: int) -> Plan:
    """The plan with the smallest share of the scarcest resource whose interval is at most ``interval`` cycles.

    Raises:
        FoldingError: no folding is that fast.
    """
    slowest = max(table, key=lambda alike: alike.quickest)
    if slowest.quickest > interval:
        raise FoldingError(
            f"{next(iter(slowest.operators))} takes {slowest.quickest:,} cycles an image at its fastest, more than "
            f"{interval:,}: at most {images_per_second(slowest.quickest, target):,} images/s at "
            f"{target.clock_mhz:g} MHz"
        )
    return _plan(table, target, fixed, interval)


def images_per_second(interval: int, target: Target) -> int:
    """Whole ones, of one every ``interval`` cycles; asked for, they allow as many cycles."""
    return math.floor(target.clock_mhz * 1e6 / interval)


def share(resources: Resources, target: Target) -> float:
    """The largest share of a resource of ``target``."""
    return max(used / target.resources[kind] for kind, used in zip(KINDS, resources.values(), strict=True))


def too_small(resources: Resources, target: Target, fill: float) -> str:
    """What of ``target`` is short, and by how much, block RAMs in halves."""
    short = []
    for kind, used in zip(KINDS, resources.values(), strict=True):
        halves = 2 if kind == "BRAM36" else 1
        allowed = math.floor(halves * fill * target.resources[kind]) / halves
        if used > fill * target.resources[kind]:
            whole = math.ceil(halves * used) / halves
            short.append(
                f"{_count(whole)} {kind}, {_count(whole - allowed)} more than {fill:.0%} of {target.resources[kind]:,}"
            )
    return f"{target.name} is too small: it takes {' and '.join(short)}"


def _count(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _plan(table: Table, target: Target, fixed: Resources, interval: int) -> Plan:
    """The choices of at most ``interval`` cycles with the smallest largest share.

    A variable says how many of the operators that are alike have a choice.
    """
    flat = [
        (row, index)
        for row, alike in enumerate(table)
        for index, choice in enumerate(alike.choices)
        if choice.cost.cycles <= interval
    ]
    available = np.array([target.resources[kind] for kind in KINDS], dtype=float)
    resources = [table[row].choices[index].cost.resources.values() for row, index in flat]
    shares = np.array(resources).T / available[:, None]
    rows = np.array([row for row, _ in flat])
    members = np.array([len(alike.operators) for alike in table])
    all_chosen = sparse.csr_matrix(
        (np.ones(len(flat)), (rows, np.arange(len(flat)))), shape=(len(table), len(flat) + 1)
    )
    most = sparse.csr_matrix(np.hstack([shares, -np.ones((len(KINDS), 1))]))
    # The last variable is the largest share; the rest of the objective keeps the other resources small.
    objective = np.append(1e-3 * shares.sum(axis=0), 1.0)
    found = milp(
        objective,
        integrality=np.append(np.ones(len(flat)), 0),
        bounds=Bounds(0, np.append(members[rows], np.inf)),
        constraints=[
            LinearConstraint(all_chosen, members, members),
            LinearConstraint(most, -np.inf, -np.array(fixed.values()) / available),
        ],
        options={"mip_rel_gap": GAP, "time_limit": SECONDS_A_PROGRAM},
    )
    if found.x is None:
        raise FoldingError(f"no folding was found in {SECONDS_A_PROGRAM:g} s: {found.message}")
    waiting = [iter(alike.operators) for alike in table]
    chosen: dict[str, Choice] = {}
    for (row, index), count in zip(flat, found.x[:-1], strict=True):
        for name in itertools.islice(waiting[row], round(count)):
            chosen[name] = table[row].chosen(name, index)
    return Plan(chosen, fixed)


def folding_file(foldings: Mapping[str, Folding]) -> str:
    """The text of ``folding.json``."""
    lines = (f"  {json.dumps(name)}: {json.dumps(folding)}" for name, folding in foldings.items() if folding)
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_foldings(path: Path) -> dict[str, Folding]:
    """Foldings from such a file.

    Raises:
        FoldingError: no such file, or not of this form.
    """
    try:
        rows: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FoldingError(f"folding {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise FoldingError(f"folding {path} is not JSON: {error}") from error
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise FoldingError(f'folding {path} must be an object of {{"OPERATOR": {{"pe": N}}}}')
    return rows

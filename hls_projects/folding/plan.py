"""One choice for every operator: the integer program that balances the pipeline.

An image leaves when the slowest operator has finished with it, so every other operator may take as long. For a given
interval between images the plan with the lowest utilization of the board's scarcest resource is a small integer
program, solved by HiGHS (scipy). The shortest interval that fits is found by bisection over the cycles that
foldings take.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from hls_projects.cost import KINDS, Resources
from hls_projects.folding.choices import Choice, ChoiceTable, Operators
from hls_projects.folding.options import FoldingError
from hls_projects.operators.base import Folding
from hls_projects.targets import Target

# Relative gap at which HiGHS stops: the cost model itself is not more accurate.
RELATIVE_GAP = 0.01
SOLVER_SECONDS = 2.0
# Weight of the sum of all utilizations beside the largest one: it breaks ties, and keeps the other resources low.
SUM_WEIGHT = 1e-3


@dataclass(frozen=True)
class Plan:
    """A folding of every operator.

    Args:
        choices: by the operator's name.
        fixed: resources that do not depend on a choice: FIFOs and forks.
    """

    choices: dict[str, Choice]
    fixed: Resources

    @property
    def interval_cycles(self) -> int:
        """Cycles between images: those of the slowest operator."""
        return max(choice.cost.cycles for choice in self.choices.values())

    @property
    def bottleneck(self) -> str:
        """Name of the slowest operator."""
        return max(self.choices, key=lambda name: self.choices[name].cost.cycles)

    @property
    def resources(self) -> Resources:
        """Of all operators, FIFOs and forks."""
        return sum((choice.cost.resources for choice in self.choices.values()), self.fixed)

    @property
    def foldings(self) -> dict[str, Folding]:
        """The foldings by operator, without operators that have no attribute of folding."""
        return {name: choice.folding for name, choice in self.choices.items() if choice.folding}


def current_plan(operators: Operators, fixed: Resources) -> Plan:
    """The plan made of the foldings that ``operators`` have now."""
    return Plan({name: Choice(o.folding_now(), o.cost()) for name, o in operators.items()}, fixed)


def fastest_plan(table: ChoiceTable, target: Target, fill: float, fixed: Resources) -> Plan:
    """The plan with the shortest interval whose utilization of every resource is at most ``fill``.

    Where no plan fits, the result is the slowest one, whose :func:`utilization` is above ``fill``.
    """
    intervals = sorted({choice.cost.cycles for equal in table for choice in equal.choices})
    shortest = bisect_left(intervals, max(equal.fewest_cycles for equal in table))
    plans: dict[int, Plan] = {}

    def fits(interval: int) -> bool:
        plans[interval] = _solve(table, target, fixed, interval)
        return utilization(plans[interval].resources, target) <= fill

    if not fits(intervals[-1]):
        return plans[intervals[-1]]
    index = bisect_left(intervals, True, lo=shortest, hi=len(intervals) - 1, key=fits)
    return plans[intervals[index]]


def plan_for_interval(table: ChoiceTable, target: Target, fixed: Resources, interval: int) -> Plan:
    """The plan of lowest utilization whose interval is at most ``interval`` cycles.

    Raises:
        FoldingError: an operator has no folding that fast.
    """
    slowest = max(table, key=lambda equal: equal.fewest_cycles)
    cycles = slowest.fewest_cycles
    if cycles > interval:
        raise FoldingError(
            f"{next(iter(slowest.operators))} takes {cycles:,} cycles an image at its fastest, more than "
            f"{interval:,}: at most {images_per_second(cycles, target):,} images/s at {target.clock_mhz:g} MHz"
        )
    return _solve(table, target, fixed, interval)


def images_per_second(interval: int, target: Target) -> int:
    """Throughput at one image every ``interval`` cycles, rounded down.

    It is rounded down so that a folding for this throughput may take ``interval`` cycles again.
    """
    return math.floor(target.clock_mhz * 1e6 / interval)


def utilization(resources: Resources, target: Target) -> float:
    """Utilization of the scarcest resource of ``target``; above 1 where it is exceeded."""
    return max(used / target.resources[kind] for kind, used in zip(KINDS, resources.values(), strict=True))


def shortage(resources: Resources, target: Target, fill: float) -> str:
    """A sentence that names every resource of ``target`` that is exceeded, and by how much; block RAMs in halves."""
    short = []
    for kind, used in zip(KINDS, resources.values(), strict=True):
        halves = 2 if kind == "BRAM36" else 1
        allowed = math.floor(halves * fill * target.resources[kind]) / halves
        if used > fill * target.resources[kind]:
            needed = math.ceil(halves * used) / halves
            short.append(
                f"{_count(needed)} {kind}, {_count(needed - allowed)} more than {fill:.0%} of "
                f"{target.resources[kind]:,}"
            )
    return f"{target.name} is too small: the design needs {' and '.join(short)}"


def _count(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _solve(table: ChoiceTable, target: Target, fixed: Resources, interval: int) -> Plan:
    """The plan of lowest utilization among the choices of at most ``interval`` cycles.

    One integer variable for each choice of each row of ``table`` counts the operators that take it; the last variable
    is the largest utilization of a resource, which is minimized.
    """
    columns = [
        (row, index)
        for row, equal in enumerate(table)
        for index, choice in enumerate(equal.choices)
        if choice.cost.cycles <= interval
    ]
    available = np.array([target.resources[kind] for kind in KINDS], dtype=float)
    resources = [table[row].choices[index].cost.resources.values() for row, index in columns]
    shares = np.array(resources).T / available[:, None]  # (kinds, columns)
    rows = np.array([row for row, _ in columns])
    members = np.array([len(equal.operators) for equal in table])
    every_member_chooses = sparse.csr_matrix(
        (np.ones(len(columns)), (rows, np.arange(len(columns)))), shape=(len(table), len(columns) + 1)
    )
    below_largest = sparse.csr_matrix(np.hstack([shares, -np.ones((len(KINDS), 1))]))
    found = milp(
        np.append(SUM_WEIGHT * shares.sum(axis=0), 1.0),
        integrality=np.append(np.ones(len(columns)), 0),
        bounds=Bounds(0, np.append(members[rows], np.inf)),
        constraints=[
            LinearConstraint(every_member_chooses, members, members),
            LinearConstraint(below_largest, -np.inf, -np.array(fixed.values()) / available),
        ],
        options={"mip_rel_gap": RELATIVE_GAP, "time_limit": SOLVER_SECONDS},
    )
    if found.x is None:
        raise FoldingError(f"HiGHS found no folding within {SOLVER_SECONDS:g} s: {found.message}")
    unassigned = [iter(equal.operators) for equal in table]
    chosen: dict[str, Choice] = {}
    for (row, index), count in zip(columns, found.x[:-1], strict=True):
        for name in itertools.islice(unassigned[row], round(count)):
            chosen[name] = table[row].choice_of(name, index)
    return Plan(chosen, fixed)

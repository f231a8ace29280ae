"""The integer program, against the enumeration of all plans."""

from __future__ import annotations

import dataclasses
import itertools
import random
from dataclasses import dataclass

import pytest

from hls_projects.cost import KINDS, Cost, Resources
from hls_projects.folding.choices import Choice, EqualOperators
from hls_projects.folding.options import FoldingError
from hls_projects.folding.plan import (
    RELATIVE_GAP,
    SUM_WEIGHT,
    Plan,
    fastest_plan,
    images_per_second,
    plan_for_interval,
    shortage,
    utilization,
)
from hls_projects.targets import Target, load_target

BOARD = dataclasses.replace(load_target("pynq-z2"), resources=dict.fromkeys(KINDS, 100))
NONE = Resources()


@dataclass
class FoldedOperator:
    """An operator that has the cost of the choice it is folded to."""

    costs: dict[int, Cost]
    pe: int = 0

    def fold(self, folding: dict[str, int]) -> None:
        self.pe = folding["pe"]

    def cost(self) -> Cost:
        return self.costs[self.pe]


def random_table(seed: int) -> list[EqualOperators]:
    """Up to three sets of up to three operators of up to four choices, the faster the larger."""
    draw = random.Random(seed)
    table = []
    for row in range(draw.randint(1, 3)):
        costs = {
            pe: Cost(24 // pe, Resources(*(pe * draw.randint(0, 8) for _ in KINDS)))
            for pe in draw.sample((1, 2, 3, 4), draw.randint(1, 4))
        }
        operators = {f"operator{row}_{index}": FoldedOperator(costs) for index in range(draw.randint(1, 3))}
        table.append(EqualOperators(operators, [Choice({"pe": pe}, cost) for pe, cost in costs.items()]))
    return table


def all_plans(table: list[EqualOperators]) -> list[Plan]:
    """Every combination of choices."""
    options = [(name, equal.choices) for equal in table for name in equal.operators]
    names = [name for name, _ in options]
    return [
        Plan(dict(zip(names, combination, strict=True)), NONE)
        for combination in itertools.product(*(choices for _, choices in options))
    ]


def objective(plan: Plan, target: Target) -> float:
    total = sum(used / target.resources[kind] for kind, used in zip(KINDS, plan.resources.values(), strict=True))
    return utilization(plan.resources, target) + SUM_WEIGHT * total


@pytest.mark.parametrize("seed", range(25))
def test_a_plan_for_an_interval_has_the_lowest_utilization(seed: int):
    table = random_table(seed)
    interval = random.Random(seed).choice(sorted({plan.interval_cycles for plan in all_plans(table)}))
    found = plan_for_interval(table, BOARD, NONE, interval)
    assert found.interval_cycles <= interval
    assert set(found.choices) == {name for equal in table for name in equal.operators}
    best = min(objective(plan, BOARD) for plan in all_plans(table) if plan.interval_cycles <= interval)
    assert objective(found, BOARD) <= best * (1 + RELATIVE_GAP) + 1e-6


@pytest.mark.parametrize("seed", range(25))
def test_the_fastest_plan_has_the_shortest_interval_that_fits(seed: int):
    table, fill = random_table(seed), 0.6
    found = fastest_plan(table, BOARD, fill, NONE)
    fitting = [plan.interval_cycles for plan in all_plans(table) if utilization(plan.resources, BOARD) <= fill]
    # The program stops at a gap, so a plan at the very edge of the board may be missed.
    safe = [
        plan.interval_cycles
        for plan in all_plans(table)
        if utilization(plan.resources, BOARD) <= fill / (1 + 2 * RELATIVE_GAP)
    ]
    if safe:
        assert utilization(found.resources, BOARD) <= fill
        assert min(fitting) <= found.interval_cycles <= min(safe)
    elif not fitting:
        assert utilization(found.resources, BOARD) > fill


def test_fixed_resources_leave_less_room():
    costs = {1: Cost(24, NONE), 2: Cost(12, Resources(LUT=50))}
    table = [EqualOperators({"a": FoldedOperator(costs)}, [Choice({"pe": pe}, cost) for pe, cost in costs.items()])]
    assert fastest_plan(table, BOARD, 0.85, Resources(LUT=30)).interval_cycles == 12
    assert fastest_plan(table, BOARD, 0.85, Resources(LUT=40)).interval_cycles == 24


def test_an_interval_that_no_folding_has():
    table = [EqualOperators({"a": FoldedOperator({})}, [Choice({"pe": 1}, Cost(30, NONE))])]
    with pytest.raises(FoldingError, match=r"^a takes 30 cycles an image at its fastest, more than 29: at most "):
        plan_for_interval(table, BOARD, NONE, 29)


def test_as_many_images_as_are_promised_allow_as_many_cycles():
    for interval in range(1, 2000):
        assert BOARD.clock_mhz * 1e6 / images_per_second(interval, BOARD) >= interval


def test_a_shortage_names_all_that_is_short_in_halves_of_block_rams():
    text = shortage(Resources(LUT=90.2, FF=10, BRAM36=85.2, DSP=85), BOARD, 0.85)
    assert text == (
        "pynq-z2 is too small: the design needs 91 LUT, 6 more than 85% of 100 "
        "and 85.5 BRAM36, 0.5 more than 85% of 100"
    )

"""The choices of operators: the Pareto front, and sets of equal operators."""

from __future__ import annotations

import random

import pytest
from qonnx.core.modelwrapper import ModelWrapper

from hls_projects.cost import Cost, Resources
from hls_projects.folding.choices import Choice, _pareto_front, choice_table, choices, operators_of


def naive_front(found: list[Choice]) -> list[Choice]:
    """The choices that no other one dominates; of equal ones the first."""
    figures = [(choice.cost.cycles, *choice.cost.resources.values()) for choice in found]

    def dominated(index: int) -> bool:
        for other, row in enumerate(figures):
            no_worse = all(a <= b for a, b in zip(row, figures[index], strict=True))
            if no_worse and (row != figures[index] or other < index):
                return True
        return False

    return [choice for index, choice in enumerate(found) if not dominated(index)]


@pytest.mark.parametrize("seed", range(20))
def test_the_front_is_that_of_the_definition(seed: int):
    draw = random.Random(seed)
    found = [
        Choice({"pe": index}, Cost(draw.randint(1, 4), Resources(*(draw.randint(0, 3) for _ in range(4)))))
        for index in range(draw.randint(1, 30))
    ]
    assert [found[index] for index in _pareto_front(found)] == naive_front(found)


def test_a_table_has_every_operator_once_with_its_own_cost(lowered: ModelWrapper):
    operators = operators_of(lowered)
    table = choice_table(operators)
    assert sorted(name for equal in table for name in equal.operators) == sorted(operators)
    for equal in table:
        for name, operator in equal.operators.items():
            own = choices(operator)
            exact = [equal.choice_of(name, index) for index in range(len(equal.choices))]
            assert {choice.cost.cycles for choice in exact} == {choice.cost.cycles for choice in own}
            assert {str(choice.folding) for choice in own} & {str(choice.folding) for choice in exact}


def test_choices_leave_the_folding_as_it_is(lowered: ModelWrapper):
    operators = operators_of(lowered)
    before = {name: operator.folding_now() for name, operator in operators.items()}
    choice_table(operators, use_zeros=False)
    for operator in operators.values():
        assert not any(choice.folding.get("sparse") for choice in choices(operator, use_zeros=False))
    assert {name: operator.folding_now() for name, operator in operators.items()} == before

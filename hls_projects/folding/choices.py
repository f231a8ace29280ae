"""The foldings that an operator can have, and what each costs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from hls_projects.cost import Cost
from hls_projects.folding.options import FoldingError
from hls_projects.operators import HardwareOperator
from hls_projects.operators.base import Folding

Operators = dict[str, HardwareOperator]


@dataclass(frozen=True)
class Choice:
    """A folding of one operator and its cost."""

    folding: Folding
    cost: Cost


@dataclass(frozen=True)
class EqualOperators:
    """Operators with the same :meth:`~HardwareOperator.equivalence_key`, such as the layers of repeated blocks.

    Args:
        operators: the members by name.
        choices: of the first member. The others have the same foldings with the same cycles; their resources may
            differ slightly, because memories of weights depend on the weights.
        exact: cache of :meth:`choice_of`.
    """

    operators: Mapping[str, HardwareOperator]
    choices: Sequence[Choice]
    exact: dict[tuple[str, int], Choice] = field(default_factory=dict, compare=False, repr=False)

    def choice_of(self, name: str, index: int) -> Choice:
        """The choice ``index`` with the exact cost of the member ``name``."""
        if (name, index) not in self.exact:
            operator, folding = self.operators[name], self.choices[index].folding
            operator.fold(folding)
            self.exact[name, index] = Choice(folding, operator.cost())
        return self.exact[name, index]

    @property
    def fewest_cycles(self) -> int:
        """Cycles of the fastest choice."""
        return min(choice.cost.cycles for choice in self.choices)


ChoiceTable = Sequence[EqualOperators]


def operators_of(model: ModelWrapper) -> Operators:
    """The hardware operators of a lowered graph by name."""
    return {node.name: getCustomOp(node) for node in model.graph.node}


def choices(operator: HardwareOperator, *, use_zeros: bool = True) -> list[Choice]:
    """The foldings of ``operator`` that no other folding beats or equals in cycles and in every resource.

    The operator's own folding stays as it is.

    Args:
        use_zeros: whether foldings that skip weights of zero are among them.
    """
    before = operator.folding_now()
    found = []
    for folding in operator.foldings():
        if not use_zeros and folding.get("sparse"):
            continue
        operator.fold(folding)
        found.append(Choice(folding, operator.cost()))
    operator.fold(before)
    return [found[index] for index in _pareto_front(found)]


def _pareto_front(found: Sequence[Choice]) -> list[int]:
    """Indices of the choices that are not dominated; of equal ones the first stays."""
    figures = np.array([(choice.cost.cycles, *choice.cost.resources.values()) for choice in found])
    front = []
    for index, row in enumerate(figures):
        better = (figures <= row).all(axis=1) & ((figures < row).any(axis=1) | (np.arange(len(figures)) < index))
        if not better.any():
            front.append(index)
    return front


def choice_table(operators: Mapping[str, HardwareOperator], *, use_zeros: bool = True) -> ChoiceTable:
    """:func:`choices` of all ``operators``, computed once for each set of equal ones."""
    sets: dict[Hashable, Operators] = {}
    for name, operator in operators.items():
        sets.setdefault(operator.equivalence_key(), {})[name] = operator
    return [
        EqualOperators(members, choices(next(iter(members.values())), use_zeros=use_zeros)) for members in sets.values()
    ]


def apply_foldings(operators: Mapping[str, HardwareOperator], foldings: Mapping[str, Folding]) -> None:
    """Give every operator its folding.

    Raises:
        FoldingError: an unknown operator, one without a folding, attributes that an operator does not have, or
            values that its kernel cannot work with.
    """
    foldable = {name for name, operator in operators.items() if operator.fold_attributes()}
    unknown, missing = sorted(set(foldings) - foldable), sorted(foldable - set(foldings))
    if unknown:
        raise FoldingError(f"there is no operator {unknown[0]} that can be folded")
    if missing:
        raise FoldingError(f"operator {missing[0]} has no folding")
    for name, folding in foldings.items():
        operator = operators[name]
        attributes = operator.fold_attributes()
        if set(folding) != set(attributes):
            raise FoldingError(
                f"the folding of {name} must have {', '.join(attributes)}, not {', '.join(folding) or 'nothing'}"
            )
        try:
            operator.fold(folding)
            operator.check_folding()
        except (ValueError, TypeError) as error:
            raise FoldingError(f"the folding of {name}: {error}") from error

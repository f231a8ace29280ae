"""How much the seed of a training matters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flows.evaluation.lineage import Checkpoint, StartError
from flows.evaluation.phases import Evaluation


@dataclass(frozen=True)
class Range:
    """Of several runs."""

    mean: float
    min: float
    max: float

    @classmethod
    def of(cls, values: list[float]) -> Range:
        return cls(sum(values) / len(values), min(values), max(values))


@dataclass(frozen=True)
class Spread:
    """Checkpoints whose recipes differ only in their seed.

    Args:
        checkpoints, seeds: of the runs, in order.
        accuracy: top-1 in percent.
        loss: points under the start that they share; None where it could not be evaluated.
        start: name of that start.
    """

    checkpoints: list[str]
    seeds: list[int]
    accuracy: Range
    loss: Range | None
    start: str | None


def spreads(found: Evaluation) -> Iterator[Spread]:
    """One for every recipe that was trained with two seeds or more; a seed counts once."""
    groups: dict[str, dict[int, Checkpoint]] = {}
    for checkpoint in found.family.members.values():
        if "seed" in checkpoint.recipe:
            rest = {key: value for key, value in checkpoint.recipe.items() if key not in ("seed", "start")}
            key = json.dumps([rest, checkpoint.start_digest], sort_keys=True)
            groups.setdefault(key, {}).setdefault(checkpoint.recipe["seed"], checkpoint)
    for group in groups.values():
        if len(group) > 1:
            yield _spread(found, list(group.values()))


def _spread(found: Evaluation, runs: list[Checkpoint]) -> Spread:
    accuracies = [found.scores[run.digest].accuracy for run in runs]
    try:
        start = found.family.start_of(runs[0])
    except StartError:
        start = None
    under = found.scores[start.digest].accuracy if start else None
    return Spread(
        [run.name for run in runs],
        [run.recipe["seed"] for run in runs],
        Range.of(accuracies),
        None if under is None else Range.of([under - accuracy for accuracy in accuracies]),
        start.name if start else None,
    )


def in_words(spread: Spread) -> str:
    """One line."""

    def told(values: Range, write: Callable[[float], str]) -> str:
        return f"mean {write(values.mean)}, min {write(values.min)}, max {write(values.max)}"

    seeds = ", ".join(map(str, spread.seeds))
    line = f"{len(spread.seeds)} seeds ({seeds}) of {spread.checkpoints[0]}: "
    line += told(spread.accuracy, lambda value: f"{value:.2f} %")
    if spread.loss:
        return f"{line}; loss against {spread.start} {told(spread.loss, lambda value: f'{value:+.2f}')} points"
    return f"{line}; loss not known, their start cannot be evaluated"

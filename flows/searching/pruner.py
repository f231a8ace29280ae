"""Stopping bad trials of a search with two objectives.

Optuna's ``should_prune`` refuses studies of more than one objective. Here one of Optuna's pruners is
asked about a study in memory whose only objective is accuracy, made of the trials that a trial may
fairly be held against: of its weight format, and of similar or lower cost. A small model is so never
stopped for being small, and what is stopped is worse than what costs no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import optuna
from optuna.pruners import BasePruner, NopPruner, PercentilePruner
from optuna.trial import FrozenTrial, TrialState

from flows.searching.cost import OBJECTIVE

# A trial that costs up to this much more counts as similar.
SIMILAR = 1.1
# Fair comparisons that must have ended before any trial is stopped.
STARTUP_TRIALS = 4


@dataclass(frozen=True)
class TrialPruner:
    """Decides after every epoch.

    Args:
        keep: per cent of the fair comparisons among which a trial's best accuracy so far must be; 100
            stops none.
        after: whole epochs before a trial can be stopped.
        startup: fair comparisons that must have ended first.
    """

    keep: float = 50.0
    after: int = 1
    startup: int = STARTUP_TRIALS

    def optuna_pruner(self) -> BasePruner:
        if self.keep >= 100:
            return NopPruner()
        return PercentilePruner(self.keep, n_startup_trials=self.startup, n_warmup_steps=self.after)

    def should_prune(self, trial: FrozenTrial, trials: list[FrozenTrial], objective: str = OBJECTIVE) -> bool:
        """Whether ``trial`` is bad, going by its validation accuracies after each epoch.

        Args:
            trial: has the user attributes of :class:`flows.searching.ledger.Ledger`.
            trials: of the same study.
            objective: the attribute that says what a trial costs.
        """
        shadow = optuna.create_study(direction="maximize", pruner=self.optuna_pruner())
        shadow.add_trials([_accuracy_only(other) for other in trials if comparable(other, trial, objective)])
        asked = shadow.ask()
        for epoch, accuracy in _accuracies(trial).items():
            asked.report(accuracy, epoch)
        return bool(asked.should_prune())


def comparable(other: FrozenTrial, trial: FrozenTrial, objective: str = OBJECTIVE) -> bool:
    """Whether ``other`` has ended and costs no more than something similar to ``trial``."""
    return (
        other.number != trial.number
        and other.state in (TrialState.COMPLETE, TrialState.PRUNED)
        and bool(other.user_attrs.get("accuracies"))
        and other.params["weight_format"] == trial.params["weight_format"]
        and other.user_attrs[objective] <= SIMILAR * trial.user_attrs[objective]
    )


def _accuracies(trial: FrozenTrial) -> dict[int, float]:
    """Validation accuracy by epoch, from 1."""
    return dict(enumerate(trial.user_attrs.get("accuracies", ()), start=1))


def _accuracy_only(trial: FrozenTrial) -> FrozenTrial:
    accuracies = _accuracies(trial)
    return optuna.trial.create_trial(
        state=trial.state, value=accuracies[len(accuracies)], intermediate_values=accuracies
    )

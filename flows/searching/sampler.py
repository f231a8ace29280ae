"""Optuna's TPE, held to the points of a search space that describe models and were not tried."""

from __future__ import annotations

import random
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

from flows.searching.space import Point, SearchSpace

# Proposals of TPE that are looked at before chance decides.
PROPOSALS = 50
STARTUP_TRIALS = 10


class PointSampler(BaseSampler):
    """Every sampled point is valid and new, so that no trial is wasted.

    Every draw depends on the seed, the trial's number and what the study holds, so a search that was
    stopped goes on as it would have.

    Source: multi-objective TPE, Ozaki et al. 2022, through Optuna.
    """

    def __init__(self, space: SearchSpace, points: list[Point], seed: int) -> None:
        self.distributions, self.seed = space.distributions(), seed
        self.points = {key(point): point for point in points}

    def untried(self, study: Study) -> list[Point]:
        """Points that no trial has, whatever became of it."""
        tried = {key(point_of(trial)) for trial in study.get_trials(deepcopy=False)}
        return [point for name, point in self.points.items() if name not in tried]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        left = {key(point): point for point in self.untried(study)}
        if not left or trial.user_attrs.get("point"):
            return {}  # the trial has its point already
        seed = random.Random(f"{self.seed} {trial.number}").getrandbits(32)
        inner = TPESampler(seed=seed, multivariate=True, n_startup_trials=STARTUP_TRIALS)
        free = {name: spread for name, spread in self.distributions.items() if not spread.single()}
        single = {name: choices for name, choices in next(iter(left.values())).items() if name not in free}
        for _ in range(PROPOSALS):
            proposed = inner.sample_relative(study, trial, free)
            if not proposed:
                break
            point = left.get(key(single | proposed))
            if point:
                return point
        return random.Random(seed).choice(list(left.values()))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        raise AssertionError(f"{param_name} was not sampled with the others")


def key(point: Point) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(point.items()))


def point_of(trial: FrozenTrial) -> Point:
    """The point of a trial, also of one that waits; empty where it died before it had one."""
    return trial.user_attrs.get("point") or trial.params

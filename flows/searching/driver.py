"""A search: asks the study for trials, has them trained and tells what came of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from optuna.trial import FrozenTrial
from tqdm import tqdm

from brevitas_model.config import ConfigError, ViTConfig
from brevitas_model.training.recipe import Recipe
from flows.searching.jobs import STATE, History, Job, Outcome, Pool
from flows.searching.ledger import Ledger, folder_of
from flows.searching.pruner import TrialPruner
from hls_projects.errors import InputError

# Trials that may fail one after the other before something other than the trial is suspected.
MOST_FAILURES = 3


def trial_recipe(base: Recipe, point: dict[str, object]) -> Recipe:
    """The recipe of the trial at ``point`` of the search space.

    Raises:
        ConfigError: a base that is no vision transformer's, or starts from a checkpoint, whose shape a
            trial would not have.
    """
    if not isinstance(base.model, ViTConfig):
        raise ConfigError(f"a search is for vision transformers; the recipe trains a {type(base.model).__name__}")
    if base.start is not None:
        raise ConfigError("a trial starts from random weights; leave start out of the recipe")
    return dataclasses.replace(base, model=dataclasses.replace(base.model, **point))


@dataclass
class Search:
    """Drives a study until ``trials`` of its trials have ended.

    Args:
        recipe: of a trial; the searched fields of its model are replaced.
        folder: of the trials' folders.
    """

    ledger: Ledger
    recipe: Recipe
    pruner: TrialPruner
    folder: Path
    trials: int
    failures: int = field(default=0, init=False)
    running: dict[str, int] = field(default_factory=dict, init=False)

    @property
    def epochs(self) -> int:
        return self.recipe.schedule.epochs

    def run(self, pool: Pool) -> None:
        """Carry the search to its end.

        Raises:
            InputError: the space is exhausted, or trial after trial fails.
        """
        with tqdm(total=self.trials * self.epochs, unit="epoch", smoothing=0.1) as self.bar:
            self.show()
            for outcome in pool.run(self.jobs()):
                self.settle(outcome)
                self.show()

    def jobs(self) -> Iterator[Job]:
        """As many trials as are wanting."""
        for _ in range(self.trials - len(self.ledger.counted())):
            trial = self.ledger.ask(self.recipe.model)
            if trial is None:
                tqdm.write(f"every model of the search space was tried: {len(self.ledger.counted())} trials")
                return
            yield self.job(trial)

    def job(self, trial: FrozenTrial) -> Job:
        number, deaths = trial.number, list(trial.user_attrs.get("deaths", ()))

        def died(reason: str) -> None:
            deaths.append(reason)
            self.ledger.note(number, deaths=deaths)
            tqdm.write(f"trial {number}: its worker died and it runs again ({reason[:100]})")

        recipe = trial_recipe(self.recipe, trial.params)
        name = str(number)
        self.running[name] = 0
        return Job(name, self.folder / folder_of(trial), recipe, lambda past: self.report(number, past), died)

    def report(self, number: int, history: History) -> bool:
        """Keep the accuracies of a trial; says whether it is to be stopped."""
        accuracies = [line["validation_accuracy"] for line in history]
        seconds = round(sum(line["seconds"] for line in history), 1)
        self.ledger.note(number, accuracies=accuracies, seconds=seconds)
        self.running[str(number)] = len(history)
        self.show()
        if len(history) >= self.epochs:
            return False
        return self.pruner.should_prune(self.ledger.trial(number), self.ledger.trials(), self.ledger.objective)

    def settle(self, outcome: Outcome) -> None:
        """Tell the study, then drop the state, which only a trial that has not ended needs."""
        number = int(outcome.job.name)
        if outcome.reason is not None:
            self.ledger.fail(number, outcome.reason)
        elif outcome.stopped:
            self.ledger.prune(number)
        else:
            self.ledger.complete(number)
        (outcome.job.folder / STATE).unlink(missing_ok=True)
        self.running.pop(outcome.job.name)
        self.failures = self.failures + 1 if outcome.reason is not None else 0
        if self.failures >= MOST_FAILURES:
            raise InputError(f"{self.failures} trials failed one after the other, the last by: {outcome.reason}")

    def show(self) -> None:
        """Ended trials count as all of their epochs, so that the time left covers what was saved."""
        ended = self.ledger.counted()
        done = min(self.trials, len(ended)) * self.epochs + sum(self.running.values())
        if self.bar.n == 0 and not self.running:
            self.bar.initial = done  # of an earlier session
        front = self.ledger.front()
        best = f"{front[-1].values[0]:.2f} % at {front[-1].values[1]:.0f} {self.ledger.objective}" if front else "-"
        self.bar.set_description(f"{len(ended)}/{self.trials} trials", refresh=False)
        self.bar.set_postfix(best=best, refresh=False)
        self.bar.n = done
        self.bar.refresh()

"""Trainings to be done, and doing them one after the other in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from brevitas_model.training.data import Dataset
from brevitas_model.training.recipe import Recipe
from brevitas_model.training.run import Run, hold_run
from hls_projects.errors import kind_and_message

STATE = "state.safetensors"
History = list[dict[str, Any]]


def _go_on(history: History) -> bool:
    return False


@dataclass
class Job:
    """One training in one folder, which may hold its finished epochs.

    Args:
        name: for messages.
        report: told the history when the job is taken up again and after every epoch; says whether to stop.
        died: told why a worker was lost, before the job is run again.
    """

    name: str
    folder: Path
    recipe: Recipe
    report: Callable[[History], bool] = _go_on
    died: Callable[[str], None] = field(default=lambda reason: None)


@dataclass(frozen=True)
class Outcome:
    """How a job ended: whole, ``stopped`` by its report, or with the ``reason`` of a failure."""

    job: Job
    history: History
    stopped: bool = False
    reason: str | None = None


class Pool(Protocol):
    """Where jobs run."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Take a job whenever there is room for one; give outcomes as they come."""


@dataclass(frozen=True)
class LocalPool:
    """Runs jobs in this process.

    Args:
        images: the training split.
        validation: images whose accuracy is reported.
    """

    dataset: Dataset
    validation: Dataset

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        for job in jobs:
            yield self.train(job)

    def train(self, job: Job) -> Outcome:
        """Carry one job to its end.

        Raises:
            OSError, CheckpointError, ConfigError: what another job would meet, too.
        """
        history: History = []
        try:
            with hold_run(job.folder):
                if (job.folder / STATE).exists():
                    run = Run.resume(job.folder, job.recipe)
                else:
                    run = Run.start(job.folder, job.recipe, self.dataset)
                history = run.history
                if not (history and job.report(history)):
                    run.train(self.dataset, self.validation, lambda line: job.report(history))
                    return Outcome(job, history, stopped=run.epoch < job.recipe.schedule.epochs)
                return Outcome(job, history, stopped=True)
        except (RuntimeError, MemoryError) as error:  # of this model: out of memory, for one
            return Outcome(job, history, reason=kind_and_message(error))

"""The short fine-tunings of a sweep, one folder for each attention mode."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from brevitas_model.checkpoint import load_checkpoint, save_checkpoint
from brevitas_model.config import ConfigError, ViTConfig
from brevitas_model.shipped import CheckpointError
from brevitas_model.training.recipe import Recipe
from brevitas_model.training.run import Run, start_digest
from flows.searching.jobs import STATE, History, Job, Pool
from flows.sweeping.modes import training_name
from hls_projects.errors import InputError

MODEL, METRICS = "model.safetensors", "metrics.jsonl"


@dataclass(frozen=True)
class Training:
    """A fine-tuning to be done, or done, in ``folder``; its recipe is whole."""

    folder: Path
    recipe: Recipe

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def checkpoint(self) -> Path:
        return self.folder / MODEL

    @property
    def done(self) -> bool:
        """Whether the result is there.

        Raises:
            CheckpointError: a result that is damaged, or that another recipe or start made.
        """
        if not self.checkpoint.is_file():
            return False
        _, facts = load_checkpoint(self.checkpoint)
        try:
            same = Recipe.from_dict(facts["recipe"]) == self.recipe
        except (KeyError, ConfigError):
            same = False
        if not same or facts.get("start") != start_digest(self.recipe):
            raise CheckpointError(f"{self.folder} was made by another recipe or start; choose another --out")
        return True

    def accuracy(self) -> float:
        """Top-1 on the validation images after the last epoch, in percent.

        Raises:
            CheckpointError: the training left no such figure.
        """
        try:
            last = (self.folder / METRICS).read_text().splitlines()[-1]
            return float(json.loads(last)["validation_accuracy"])
        except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{self.folder / METRICS} does not tell the accuracy; remove {self.folder}, it is trained again"
            ) from error

    def finish(self) -> None:
        """Turn the state after the last epoch into the result."""
        run = Run.resume(self.folder, self.recipe)
        facts = {"recipe": dataclasses.asdict(self.recipe), "start": run.origin}
        save_checkpoint(self.checkpoint, run.model.eval(), facts, run.masks)
        (self.folder / STATE).unlink()


def make_trainings(recipe: Recipe, configs: Iterable[ViTConfig], folder: Path) -> dict[ViTConfig, Training]:
    """The training of each of ``configs``."""
    return {
        config: Training(folder / training_name(config), dataclasses.replace(recipe, model=config))
        for config in configs
    }


def _jobs(trainings: Iterable[Training]) -> Iterator[Job]:
    for training in trainings:

        def report(history: History, name: str = training.name) -> bool:
            tqdm.write(f"{name}: epoch {len(history)}, {history[-1]['validation_accuracy']:.2f} % in validation")
            return False

        yield Job(training.name, training.folder, training.recipe, report)


def train_all(pool: Pool, trainings: Iterable[Training]) -> None:
    """Carry ``trainings`` to their ends, each from its last whole epoch on.

    Raises:
        InputError: a training failed.
    """
    by_name = {training.name: training for training in trainings}
    for outcome in pool.run(_jobs(by_name.values())):
        if outcome.reason is not None:
            raise InputError(f"the training of {outcome.job.name} failed: {outcome.reason}")
        by_name[outcome.job.name].finish()
        # What was compiled for one model is of no use to the next and counts against torch's limit.
        torch.compiler.reset()

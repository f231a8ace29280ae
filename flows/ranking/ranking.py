"""Rank correlation between short trials and long runs: the assumption that a search rests on.

Rank correlations: Spearman 1904, Kendall's tau-b 1945, from scipy.stats.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy import stats
from tqdm import tqdm

from brevitas_model.config import ConfigError
from brevitas_model.training.recipe import Recipe
from flows.command_line import Status
from flows.reporting.formatting import count, fixed
from flows.reporting.text_table import text_table
from flows.searching.cost import OBJECTIVE, cost
from flows.searching.driver import trial_recipe
from flows.searching.jobs import History, Job, Pool
from flows.searching.lock import lock_folder
from flows.searching.space import read_toml
from flows.searching.starting import base_recipe, pool, splits
from hls_projects.errors import InputError
from hls_projects.files import write_whole
from hls_projects.names import is_file_name, shown

FEWEST = 6
RUNS = ("short", "long")
SHIPPED = Path(__file__).with_name("models.toml")
# Of rank.json.
SCHEMA_VERSION = 2


def load_models(path: Path, base: Recipe) -> dict[str, Recipe]:
    """Recipes by name from a TOML file of one table a model, such as ``[small]`` with ``embed_dim = 64``.

    Args:
        base: gives the fields that a table leaves out, and the training.

    Raises:
        ConfigError: no such file, not TOML, fewer than six models, the same one twice, or one that
            cannot be.
    """
    tables = read_toml(path, "models")
    known = {item.name for item in dataclasses.fields(base.model)}
    recipes: dict[str, Recipe] = {}
    for name, table in tables.items():
        if not is_file_name(name):
            raise ConfigError(f"models {path}: {shown(name)!r} names a folder; use letters, digits, and . _ + = -")
        if not isinstance(table, dict):
            raise ConfigError(f"models {path}: {name} is no table; write [{name}] and its sizes below")
        if unknown := sorted(set(table) - known):
            raise ConfigError(
                f"models {path}: {name} has an unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}"
            )
        try:
            recipe = trial_recipe(base, table)
        except ConfigError as error:
            raise ConfigError(f"models {path}: {name}: {error}") from error
        if twin := next((other for other, made in recipes.items() if made == recipe), None):
            raise ConfigError(f"models {path}: {name} and {twin} are the same model")
        recipes[name] = recipe
    if len(recipes) < FEWEST:
        raise ConfigError(f"a rank correlation needs at least {FEWEST} models; {path} has {len(recipes)}")
    return recipes


@dataclass
class Ranking:
    """Trains every model twice, each time on a whole schedule of its own, in ``out/NAME/EPOCHS-epochs``.

    Args:
        epochs: of the short and of the long run.
    """

    recipes: dict[str, Recipe]
    epochs: tuple[int, int]
    out: Path

    def jobs(self) -> Iterator[Job]:
        """Short runs first, so that their table is there early."""
        for epochs in self.epochs:
            for name, recipe in self.recipes.items():
                schedule = dataclasses.replace(recipe.schedule, epochs=epochs)
                job = Job(
                    f"{name} {epochs}",
                    self.out / name / f"{epochs}-epochs",
                    dataclasses.replace(recipe, schedule=schedule),
                )
                job.report = lambda history, job=job: self.show(job, history)
                yield job

    def show(self, job: Job, history: History) -> bool:
        self.finished[job.name] = len(history)
        self.bar.n = sum(self.finished.values())
        self.bar.set_postfix({job.name.split()[0]: f"{history[-1]['validation_accuracy']:.2f} %"})
        return False

    def run(self, pool: Pool) -> dict[str, Any]:
        """Train what is not trained yet; returns the facts, which are also in ``out/rank.json``.

        Raises:
            InputError: a run failed.
        """
        self.finished: dict[str, int] = {}
        accuracies: dict[str, float] = {}
        with tqdm(total=len(self.recipes) * sum(self.epochs), unit="epoch", desc="rank") as self.bar:
            for outcome in pool.run(self.jobs()):
                if outcome.reason is not None:
                    raise InputError(f"run {outcome.job.name} failed: {outcome.reason}")
                accuracies[outcome.job.name] = outcome.history[-1]["validation_accuracy"]
        short, long = ([accuracies[f"{name} {epochs}"] for name in self.recipes] for epochs in self.epochs)
        facts = self.facts(short, long)
        write_whole(self.out / "rank.json", json.dumps(facts, indent=1) + "\n")
        return facts

    def facts(self, short: list[float], long: list[float]) -> dict[str, Any]:
        models = [
            {
                "name": name,
                OBJECTIVE: cost(recipe.model)[OBJECTIVE],
                "short_accuracy": first,
                "long_accuracy": last,
                "short_rank": rank(short, first),
                "long_rank": rank(long, last),
                "model": dataclasses.asdict(recipe.model),
            }
            for (name, recipe), first, last in zip(self.recipes.items(), short, long, strict=True)
        ]
        return {
            "schema_version": SCHEMA_VERSION,
            "epochs": list(self.epochs),
            **correlations(short, long),
            "models": models,
        }


def rank(accuracies: list[float], accuracy: float) -> int:
    """From 1, the best; equal accuracies share the better rank."""
    return 1 + sum(other > accuracy for other in accuracies)


def correlations(short: list[float], long: list[float]) -> dict[str, Any]:
    """Spearman's rho and Kendall's tau-b with their p values; None where all of one side are equal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        spearman, kendall = stats.spearmanr(short, long), stats.kendalltau(short, long)
    found = {
        "spearman": spearman.statistic,
        "spearman_p": spearman.pvalue,
        "kendall": kendall.statistic,
        "kendall_p": kendall.pvalue,
    }
    return {name: None if math.isnan(value) else round(float(value), 4) for name, value in found.items()}


def rank_table(facts: dict[str, Any]) -> str:
    """Models from the best of the long runs down, and both correlations."""
    short, long = facts["epochs"]
    header = ("model", OBJECTIVE, *(f"{epochs} epochs, {what}" for what in ("%", "rank") for epochs in (short, long)))
    rows = [
        [
            *(model["name"], count(model[OBJECTIVE])),
            *(fixed(model[f"{run}_accuracy"], 2) for run in RUNS),
            *(count(model[f"{run}_rank"]) for run in RUNS),
        ]
        for model in sorted(facts["models"], key=lambda model: model["long_rank"])
    ]
    lines = [text_table(header, rows)]
    for name, title in (("spearman", "Spearman's rho"), ("kendall", "Kendall's tau")):
        value = facts[name]
        said = "undefined, all accuracies of one side are equal" if value is None else f"{value:.3f}"
        lines.append(f"{title} {said}" + ("" if value is None else f" (p = {facts[f'{name}_p']:.4f})"))
    return "\n".join(lines)


def run_ranking(args: argparse.Namespace) -> Status:
    """Train what is not trained yet, and print the table.

    Raises:
        ConfigError: models or a recipe that cannot be used, or long runs that are no longer than short trials.
    """
    recipe = base_recipe(args)
    short = recipe.schedule.epochs
    if args.long_epochs <= short:
        raise ConfigError(f"--long-epochs {args.long_epochs} is no longer than a short trial's {short}")
    ranking = Ranking(load_models(args.models or SHIPPED, recipe), (short, args.long_epochs), args.out)
    dataset, validation = splits(args, recipe)
    with (
        lock_folder(args.out, f"rank runs on {len(dataset)} images"),
        pool(args.ray, dataset, validation) as trainer,
    ):
        print(rank_table(ranking.run(trainer)))
    print(f"the same as JSON: {args.out / 'rank.json'}")
    return Status.OK

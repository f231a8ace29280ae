"""A sweep: the trainings and timings that are still missing, and the table and plot of all."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

from brevitas_model.config import ConfigError, ViTConfig
from brevitas_model.training import data
from brevitas_model.training.recipe import Recipe
from flows.command_line import Status
from flows.searching.lock import lock_folder
from flows.searching.starting import given_recipe, pool, splits
from flows.sweeping.claims import claims
from flows.sweeping.modes import mode_config, trained_config
from flows.sweeping.plot import sweep_plot
from flows.sweeping.table import Row, csv_text, table
from flows.sweeping.timings import Hardware, Timings
from flows.sweeping.trainings import Training, make_trainings, train_all
from hls_projects.files import write_whole
from hls_projects.targets import Target, load_target


def base_recipe(args: argparse.Namespace) -> Recipe:
    """The recipe of a training, before its attention and tiles are set.

    Raises:
        ConfigError: no recipe, or one of a model that has no pipeline.
    """
    recipe = given_recipe(args)
    if not isinstance(recipe.model, ViTConfig) or not recipe.model.quantized:
        raise ConfigError(
            f'recipe {args.recipe} trains no quantized transformer; set model.weight_format to "pot4" or "pot6"'
        )
    return recipe


def owner(args: argparse.Namespace, recipe: Recipe) -> str:
    """What must be the same for trainings to lie in one folder."""
    digest = hashlib.sha256(recipe.to_json().encode()).hexdigest()[:8]
    return f"a sweep by recipe {digest} on {args.images or 'all'} images"


def train_missing(args: argparse.Namespace, recipe: Recipe, trainings: list[Training]) -> None:
    missing = [training for training in trainings if not training.done]
    if not missing:
        return
    tqdm.write(f"{len(missing)} of {len(trainings)} trainings are to be done: {', '.join(t.name for t in missing)}")
    dataset, validation = splits(args, recipe)
    with pool(args.ray, dataset, validation) as trainer:
        train_all(trainer, missing)


def measure_all(
    args: argparse.Namespace, target: Target, configs: list[ViTConfig], training_of: Callable[[ViTConfig], Training]
) -> list[Row]:
    """A row for every point, in the order of modes, tile sizes and lengths."""
    timings, rows = Timings(args.out / "timings.json", args.simulated_images), []
    lengths = list(dict.fromkeys(args.fifo_lengths))
    for config in tqdm(configs, desc="simulate", unit="model"):
        training = training_of(config)
        hardware = Hardware(training.checkpoint, config, target)
        for length in lengths:
            facts: dict[str, Any] = dataclasses.asdict(config)
            point = {name: facts[name] for name in ("attention", "tile_size", "context_tiles", "token_order")}
            if config.attention == "global":
                point["context_tiles"] = None
            rows.append(
                point
                | {"fifo_length": length, "training": training.name, "accuracy": training.accuracy()}
                | timings.of(hardware, length)
                | {"target": target.name, "clock_mhz": target.clock_mhz}
            )
    return rows


def sweep(args: argparse.Namespace) -> Status:
    """Train and simulate what is missing, and write and print the table and what follows from it."""
    target, recipe = load_target(args.target), base_recipe(args)
    pairs = itertools.product(dict.fromkeys(args.modes), dict.fromkeys(args.tile_sizes))
    configs = [mode_config(recipe.model, mode, size, args.context_tiles) for mode, size in pairs]
    trained = {config: trained_config(recipe.model, config) for config in configs}
    with lock_folder(args.out, owner(args, recipe)):
        trainings = make_trainings(recipe, dict.fromkeys(trained.values()), args.out / "trainings")
        train_missing(args, recipe, list(trainings.values()))
        rows = measure_all(args, target, configs, lambda config: trainings[trained[config]])
        found = claims(rows, data.VALIDATION_IMAGES)
        text = "\n".join([table(rows), "", *(f"{number}. {claim}" for number, claim in enumerate(found, 1))]) + "\n"
        write_whole(args.out / "sweep.csv", csv_text(rows))
        write_whole(args.out / "sweep.png", sweep_plot(rows, target.clock_mhz))
        write_whole(args.out / "sweep.txt", text)
    print(text, end="")
    return Status.OK

"""What a command of many trainings starts with: the recipe of one, its images, and who trains."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator

from brevitas_model.config import ConfigError
from brevitas_model.training.data import Dataset, load_cifar10, train_validation_split
from brevitas_model.training.recipe import Recipe, load_recipe
from flows.searching.driver import trial_recipe
from flows.searching.jobs import LocalPool, Pool
from flows.searching.ray_pool import ray_pool


def base_recipe(args: argparse.Namespace) -> Recipe:
    """The recipe of a trial, which its point is put into."""
    return trial_recipe(given_recipe(args), {})


def given_recipe(args: argparse.Namespace) -> Recipe:
    """The recipe that the options of :func:`flows.command_line.options.add_many_trainings` describe."""
    epochs = [f"schedule.epochs={args.epochs}"] if args.epochs else []
    return load_recipe(args.recipe, args.set + epochs)


def splits(args: argparse.Namespace, recipe: Recipe) -> tuple[Dataset, Dataset]:
    """Training and validation images, the former cut to ``--images``.

    Raises:
        ConfigError: fewer images than a step takes, or more than there are.
    """
    dataset, validation = train_validation_split(load_cifar10(args.data, train=True))
    images = args.images or len(dataset)
    if not recipe.schedule.batch_size <= images <= len(dataset):
        raise ConfigError(
            f"--images must be {recipe.schedule.batch_size} (a step's) to {len(dataset)} (all), not {images}"
        )
    return dataset[:images], validation


@contextlib.contextmanager
def pool(address: str | None, dataset: Dataset, validation: Dataset) -> Iterator[Pool]:
    if address is None:
        yield LocalPool(dataset, validation)
    else:
        with ray_pool(address, dataset, validation) as made:
            yield made

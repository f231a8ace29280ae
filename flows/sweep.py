"""What tiles and FIFOs cost and give: accuracy, memory and timing by attention mode, tile size and FIFO length.

    python flows/sweep.py --out runs/sweep
    python flows/sweep.py --tile-sizes 8 16 --fifo-lengths 8 64 lossless --modes windowed

Each attention mode and tile size is fine-tuned shortly, from the recipe's start, and its accuracy is that on the
validation images; where every query sees every key one training serves all. Its pipeline is then simulated with
every length of the FIFOs: a number of words, the same for all of them, or "smallest" (each as short as it can be
without deadlock), or "lossless" (without loss of throughput, as a build takes them). A sweep that was stopped goes
on with the same command; timings are measured again where the code has changed, accuracies are not.

--out then holds sweep.csv, sweep.png, sweep.txt, and the trainings.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from brevitas_model.config import ConfigError, ViTConfig
from brevitas_model.shipped import CheckpointError
from brevitas_model.training import data
from brevitas_model.training.data import DataError
from brevitas_model.training.recipe import Recipe, load_recipe
from brevitas_model.training.run import TrainingError
from flows.building.settings import positive
from flows.command_line import CommandParser, guarded
from flows.search import add_training_arguments, pool, splits
from flows.searching.errors import SearchError
from flows.searching.lock import lock_folder
from flows.sweeping.claims import claims
from flows.sweeping.modes import MODES, mode_config, trained_config
from flows.sweeping.plot import sweep_plot
from flows.sweeping.table import Row, csv_text, table
from flows.sweeping.timings import LOSSLESS, SMALLEST, Hardware, Length, Timings
from flows.sweeping.trainings import Training, make_trainings, train_all
from hls_projects.dataflow import NetworkError
from hls_projects.files import write_whole
from hls_projects.lowering import LoweringError
from hls_projects.project.conversion import ConversionError
from hls_projects.targets import Target, TargetError, load_target, target_names

TILE_SIZES = (4, 8, 16, 32, 64)
FIFO_LENGTHS: tuple[Length, ...] = (2, 64, 1024, 16384, SMALLEST, LOSSLESS)
BAD_INPUT = (
    CheckpointError, ConfigError, ConversionError, DataError, LoweringError, NetworkError, OSError, SearchError,
    TargetError, TrainingError,
)  # fmt: skip
# With these a pipeline with FIFOs of up to an image's tokens has filled.
IMAGES = 8


def parser() -> argparse.ArgumentParser:
    made = CommandParser("sweep", __doc__)
    made.add_argument("--target", default="pynq-z2", help=f"board: {', '.join(target_names())} (default: pynq-z2)")
    made.add_argument(
        "--tile-sizes", type=positive, nargs="+", default=TILE_SIZES, metavar="N", help="default: 4 8 16 32 64"
    )
    made.add_argument(
        "--fifo-lengths", type=fifo_length, nargs="+", default=FIFO_LENGTHS, metavar="N",
        help=f"words, {SMALLEST} or {LOSSLESS} (default: {' '.join(map(str, FIFO_LENGTHS))})",
    )  # fmt: skip
    made.add_argument("--modes", choices=MODES, nargs="+", default=MODES, help="of attention (default: all)")
    made.add_argument("--context-tiles", type=int, default=1, help="that a window has before its own (default: 1)")
    made.add_argument(
        "--simulated-images",
        type=positive,
        default=IMAGES,
        metavar="N",
        help="images of a simulated run, at least 2 (default: %(default)s)",
    )
    made.add_argument("--out", type=Path, default=Path("runs/sweep"), help="folder (default: %(default)s)")
    add_training_arguments(made, "sweep", "training")
    return made


def fifo_length(text: str) -> Length:
    """A number of words, or the name of a sizing, for argparse."""
    if text in (SMALLEST, LOSSLESS):
        return text
    try:
        return positive(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or one of {SMALLEST}, {LOSSLESS}") from error


def base_recipe(args: argparse.Namespace) -> Recipe:
    """The recipe of a training, but for its attention and tiles.

    Raises:
        ConfigError: no recipe, or one of a model that has no pipeline.
    """
    epochs = [f"schedule.epochs={args.epochs}"] if args.epochs else []
    recipe = load_recipe(args.recipe, args.set + epochs)
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


def sweep(args: argparse.Namespace) -> int:
    target, recipe = load_target(args.target), base_recipe(args)
    if args.simulated_images < 2:
        raise ConfigError("--simulated-images must be at least 2, for an interval")
    pairs = itertools.product(dict.fromkeys(args.modes), dict.fromkeys(args.tile_sizes))
    configs = [mode_config(recipe.model, mode, size, args.context_tiles) for mode, size in pairs]
    trained = {config: trained_config(recipe.model, config) for config in configs}
    with lock_folder(args.out, owner(args, recipe)):
        trainings = make_trainings(recipe, dict.fromkeys(trained.values()), args.out / "trainings")
        train_missing(args, recipe, list(trainings.values()))
        rows = measure_all(args, target, configs, lambda config: trainings[trained[config]])
        found = claims(rows, data.VALIDATION_IMAGES)
        text = "\n".join([table(rows), "", *(f"{number}. {claim}" for number, claim in enumerate(found, 1))]) + "\n"
        write_whole(args.out / "sweep.csv", csv_text(rows).encode())
        write_whole(args.out / "sweep.png", sweep_plot(rows, target.clock_mhz))
        write_whole(args.out / "sweep.txt", text.encode())
    print(text, end="")
    return 0


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return guarded(
        "sweep", lambda: sweep(args), BAD_INPUT, "the same command goes on after the last whole epoch and point"
    )


if __name__ == "__main__":
    sys.exit(main())

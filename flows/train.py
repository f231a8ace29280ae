"""Train a model on CIFAR-10: float or quantized, from random weights or from a checkpoint.

    python flows/train.py vit-float --out runs/vit-float
    python flows/train.py vit-pot4 --start runs/vit-pruned/model.safetensors --out runs/vit-pot4

A run that was stopped goes on after its last whole epoch when the same command is given again.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from brevitas_model.config import ConfigError
from brevitas_model.shipped import CheckpointError
from brevitas_model.training.data import DataError, Dataset, load_cifar10, train_validation_split
from brevitas_model.training.recipe import SHIPPED_RECIPES, Recipe, load_recipe
from brevitas_model.training.run import Run, TrainingError, hold_run, train
from flows.command_line import CommandParser, guarded

BAD_INPUT = (ConfigError, CheckpointError, DataError, TrainingError, OSError)


def add_arguments(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Options of a command that trains; without a ``default`` recipe, one must be named."""
    names = ", ".join(sorted(path.stem for path in SHIPPED_RECIPES.glob("*.toml")))
    told = f"TOML file, or the name of a shipped recipe: {names}" + (f" (default: {default})" if default else "")
    chosen = {"nargs": "?", "default": Path(default)} if default else {}
    parser.add_argument("recipe", type=Path, help=told, **chosen)
    parser.add_argument("--start", help="checkpoint to start from, a shipped name or a file (default: the recipe's)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override the recipe: schedule.epochs=3"
    )
    parser.add_argument("--data", type=Path, help="torchvision root of CIFAR-10 (default: CIFAR10_ROOT, else download)")
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME)")


def chosen_recipe(args: argparse.Namespace) -> Recipe:
    start = [f"start={json.dumps(args.start)}"] if args.start else []
    return load_recipe(args.recipe, args.set + start)


def run_folder(args: argparse.Namespace) -> Path:
    return args.out or Path("runs") / args.recipe.stem


def command_line(name: str, args: argparse.Namespace) -> str:
    """What gives the same result on another machine: everything but where data and results lie."""
    overrides = [word for text in args.set for word in ("--set", text)]
    start = ["--start", args.start] if args.start else []
    return shlex.join(["python", f"flows/{name}.py", str(args.recipe), *overrides, *start])


def carry_out(
    name: str, args: argparse.Namespace, recipe: Recipe, before: Callable[[Dataset, Dataset], None] | None = None
) -> int:
    """Start or go on with the run of ``recipe``; returns its exit status.

    ``before`` is called with the training and the validation split when the run is open, ahead of its next step.
    """
    out = run_folder(args)
    dataset, validation = train_validation_split(load_cifar10(args.data, train=True))
    with hold_run(out):
        started = (out / "state.safetensors").exists()
        run = Run.resume(out, recipe) if started else Run.start(out, recipe, dataset)
        if before:
            before(dataset, validation)
        path = train(run, dataset, validation, command_line(name, args))
    last = run.history[-1]
    print(f"validation accuracy {last['validation_accuracy']:.2f} %, {last['sparsity']:.1%} zeros; model in {path}")
    return 0


def training_status(name: str, work: Callable[[], int]) -> int:
    """The exit status of ``work``, a training by the command ``name``."""
    return guarded(name, work, BAD_INPUT, "the same command goes on after the last whole epoch")


def main(argv: list[str] | None = None) -> int:
    parser = CommandParser("train", __doc__)
    add_arguments(parser)
    args = parser.parse_args(argv)
    return training_status("train", lambda: carry_out("train", args, chosen_recipe(args)))


if __name__ == "__main__":
    sys.exit(main())

"""A training by a recipe: started, or gone on with after its last whole epoch."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable
from pathlib import Path

from brevitas_model.training.data import Dataset, load_cifar10, train_validation_split
from brevitas_model.training.recipe import Recipe, load_recipe
from brevitas_model.training.run import Run, hold_run, train
from flows.command_line import Status


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
) -> Status:
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
    return Status.OK

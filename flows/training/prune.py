"""A training that prunes: what its start reaches, the run, and the zeros of every layer."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from brevitas_model.checkpoint import load_checkpoint
from brevitas_model.config import ConfigError
from brevitas_model.pruning import apply_masks, make_masks, matrices, sparsity
from brevitas_model.training.data import Dataset
from brevitas_model.training.recipe import Recipe, load_recipe
from brevitas_model.training.run import accuracy, start_model
from flows.command_line import Status
from flows.training.train import carry_out, chosen_recipe, run_folder


def pruning_recipe(args: argparse.Namespace, given: Mapping[str, str]) -> Recipe:
    """The recipe of ``args`` with what was ``given``; this becomes part of ``args.set``, and so of the command line.

    Raises:
        ConfigError: a recipe that cannot be used, or that does not prune.
    """
    start = [f"start={json.dumps(args.start)}"] if args.start else []
    # The options would make a table of their own in a recipe that has none.
    if load_recipe(args.recipe, start).pruning is None:
        raise ConfigError(f"recipe {args.recipe} has no table [pruning]; add one, or train it with flows/train.py")
    args.set = args.set + [f"{key}={value}" for key, value in given.items()]
    return chosen_recipe(args)


def tell_start(recipe: Recipe, dataset: Dataset, validation: Dataset) -> None:
    """Print what the start reaches in validation, and what it reaches pruned, where that is done at once."""
    model, masks = start_model(recipe, dataset)
    apply_masks(model, masks)
    print(f"start {recipe.start}: validation accuracy {accuracy(model, validation):.2f} %")
    if not recipe.pruning.ramp_epochs:
        apply_masks(model, make_masks(model, recipe.pruning))
        print(
            f"pruned, before any tuning: {accuracy(model, validation):.2f} %, {sparsity(model):.1%} zeros", flush=True
        )


def tell_layers(path: Path) -> None:
    """Print the share of zeros of every layer of the checkpoint ``path``."""
    model, _ = load_checkpoint(path)
    layers = matrices(model)
    width = max(map(len, layers))
    for name, layer in layers.items():
        print(f"  {name:<{width}}  {float((layer.weight == 0).float().mean()):6.1%} zeros")


def prune(args: argparse.Namespace, given: Mapping[str, str]) -> Status:
    """Carry out the training.

    Args:
        given: settings of the recipe by their key, as text.
    """
    recipe = pruning_recipe(args, given)
    status = carry_out("prune", args, recipe, before=lambda *splits: tell_start(recipe, *splits))
    tell_layers(run_folder(args) / "model.safetensors")
    return status

"""Prune a trained checkpoint by magnitude and fine-tune what is left.

    python flows/prune.py
    python flows/prune.py --sparsity 0.75 --block 16 --seed 1 --out runs/vit-pruned-75

It is flows/train.py with a recipe that has a table [pruning], and options for what that table says. Zeros
stay zeros, and the masks are part of the checkpoint. A run that was stopped goes on after its last whole
epoch when the same command is given again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from brevitas_model.checkpoint import load_checkpoint
from brevitas_model.config import ConfigError
from brevitas_model.pruning import apply_masks, make_masks, matrices, sparsity
from brevitas_model.training.data import Dataset
from brevitas_model.training.recipe import Recipe, load_recipe
from brevitas_model.training.run import accuracy, start_model
from flows.command_line import CommandParser
from flows.train import add_arguments, carry_out, chosen_recipe, run_folder, training_status

DEFAULT_RECIPE = "vit-pruned"
# Option, the key of the recipe that it sets, what it shows in the help.
OPTIONS = (
    ("--sparsity", "pruning.sparsity", "SHARE", "share of zeros, above 0 and below 1"),
    ("--structure", "pruning.structure", "KIND", "block: as many zeros in every block of inputs; or unstructured"),
    ("--block", "pruning.block", "N", "inputs a block"),
    ("--scope", "pruning.scope", "SCOPE", "layer: every layer as sparse; global: the smallest of all layers go"),
    ("--ramp-epochs", "pruning.ramp_epochs", "E", "epochs over which zeros grow to their share; 0 prunes at once"),
    ("--seed", "seed", "N", "of every random draw"),
    ("--epochs", "schedule.epochs", "N", "of the whole run, the ramp among them"),
)


def pruning_recipe(args: argparse.Namespace) -> Recipe:
    """The recipe of ``args``, with its options set.

    Raises:
        ConfigError: a recipe that cannot be used, or that does not prune.
    """
    start = [f"start={json.dumps(args.start)}"] if args.start else []
    # The options would make a table of their own in a recipe that has none.
    if load_recipe(args.recipe, start).pruning is None:
        raise ConfigError(f"recipe {args.recipe} has no table [pruning]; add one, or train it with flows/train.py")
    given = [(key, getattr(args, flag.strip("-").replace("-", "_"))) for flag, key, _, _ in OPTIONS]
    args.set = args.set + [f"{key}={value}" for key, value in given if value is not None]
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


def prune(args: argparse.Namespace) -> int:
    recipe = pruning_recipe(args)
    status = carry_out("prune", args, recipe, before=lambda *splits: tell_start(recipe, *splits))
    tell_layers(run_folder(args) / "model.safetensors")
    return status


def main(argv: list[str] | None = None) -> int:
    parser = CommandParser("prune", __doc__)
    add_arguments(parser, DEFAULT_RECIPE)
    for flag, key, shown, told in OPTIONS:
        parser.add_argument(flag, metavar=shown, help=f"{told} (recipe: {key})")
    args = parser.parse_args(argv)
    return training_status("prune", lambda: prune(args))


if __name__ == "__main__":
    sys.exit(main())

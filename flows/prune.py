"""Prune a trained checkpoint by magnitude and fine-tune what is left.

    python flows/prune.py
    python flows/prune.py --sparsity 0.75 --block 16 --seed 1 --out runs/vit-pruned-75

It is flows/train.py with a recipe that has a table [pruning], and options for what that table says. Zeros
stay zeros, and the masks are part of the checkpoint. A run that was stopped goes on after its last whole
epoch when the same command is given again.
"""

from __future__ import annotations

import argparse
import sys

from flows.command_line import Command
from flows.command_line.options import add_one_training

DEFAULT_RECIPE = "vit-pruned"
GOES_ON = "the same command goes on after the last whole epoch"
# Option, the key of the recipe that it sets, what stands for its value in the help, and the help.
RECIPE_OPTIONS = (
    ("--sparsity", "pruning.sparsity", "SHARE", "share of zeros, above 0 and below 1"),
    ("--structure", "pruning.structure", "KIND", "block: as many zeros in every block of inputs; or unstructured"),
    ("--block", "pruning.block", "N", "inputs a block"),
    ("--scope", "pruning.scope", "SCOPE", "layer: every layer as sparse; global: the smallest of all layers go"),
    ("--ramp-epochs", "pruning.ramp_epochs", "E", "epochs over which zeros grow to their share; 0 prunes at once"),
    ("--seed", "seed", "N", "of every random draw"),
    ("--epochs", "schedule.epochs", "N", "of the whole run, the ramp among them"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_one_training(parser, DEFAULT_RECIPE)
    for flag, key, shown, told in RECIPE_OPTIONS:
        parser.add_argument(flag, dest=key, metavar=shown, help=f"{told} (recipe: {key})")


def given_settings(args: argparse.Namespace) -> dict[str, str]:
    """Settings of the recipe that options give, by their key."""
    return {key: getattr(args, key) for _, key, _, _ in RECIPE_OPTIONS if getattr(args, key) is not None}


def run(args: argparse.Namespace) -> int:
    from flows.training.prune import prune

    return prune(args, given_settings(args))


COMMAND = Command("prune", __doc__, add_options, run, GOES_ON)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

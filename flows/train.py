"""Train a model on CIFAR-10: float or quantized, from random weights or from a checkpoint.

    python flows/train.py vit-float --out runs/vit-float
    python flows/train.py vit-pot4 --start runs/vit-pruned/model.safetensors --out runs/vit-pot4

A run that was stopped goes on after its last whole epoch when the same command is given again.
"""

from __future__ import annotations

import argparse
import sys

from flows.command_line import Command
from flows.command_line.options import add_one_training

GOES_ON = "the same command goes on after the last whole epoch"


def add_options(parser: argparse.ArgumentParser) -> None:
    add_one_training(parser)


def run(args: argparse.Namespace) -> int:
    from flows.training.train import carry_out, chosen_recipe

    return carry_out("train", args, chosen_recipe(args))


COMMAND = Command("train", __doc__, add_options, run, GOES_ON)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())

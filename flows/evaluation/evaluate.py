"""An evaluation: of a family of checkpoints on the images of a split."""

from __future__ import annotations

import argparse

from brevitas_model.training.data import Dataset, load_cifar10, train_validation_split
from flows.command_line import Status
from flows.evaluation.files import prepare, write_evaluation
from flows.evaluation.lineage import Family, shipped_chain
from flows.evaluation.phases import evaluate
from flows.evaluation.table import as_text


def _images(options: argparse.Namespace) -> Dataset:
    if options.split == "test":
        return load_cifar10(options.data, train=False)[: options.images]
    return train_validation_split(load_cifar10(options.data, train=True))[1][: options.images]


def run_evaluation(options: argparse.Namespace) -> Status:
    """Evaluate, print and write the tables."""
    family = Family(options.checkpoints or shipped_chain())
    images = _images(options)
    prepare(options.out)
    found = evaluate(family, images)
    print(as_text(found, options.split), end="")
    write_evaluation(options.out, found, options.split)
    print(f"\ntables and confusion matrices in {options.out}")
    return Status.OK if found.holds else Status.DIFFERS

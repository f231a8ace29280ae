"""Accuracy, size and zeros of every phase: float, pruned, fine-tuned, 4 and 6 bits, exported.

    python flows/evaluate.py
    python flows/evaluate.py runs/vit-pruned runs/vit-pruned-seed-1 --split validation

A checkpoint is the name of a shipped one, a file or the folder of a run; what it was trained from is
evaluated with it where it can be found. Look at the test split once, at the end, when nothing is chosen
by it any more; until then there is --split validation.

Exit status: 0; 1 when an exported file gives another logit than torch, or zeros are not where pruning
promised them; 2 when something that the command was given cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from brevitas_model.config import ConfigError
from brevitas_model.shipped import CheckpointError
from brevitas_model.training.data import DataError, Dataset, load_cifar10, train_validation_split
from flows.command_line import CommandParser, guarded
from flows.evaluation.files import OutputError, prepare, write_evaluation
from flows.evaluation.lineage import Family, shipped_chain
from flows.evaluation.phases import evaluate
from flows.evaluation.table import as_text
from hls_projects.graphs.qonnx_file import QonnxError

BAD_INPUT = (CheckpointError, ConfigError, DataError, OutputError, QonnxError, OSError)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("evaluate", __doc__)
    parser.add_argument(
        "checkpoints",
        nargs="*",
        metavar="CHECKPOINT",
        help="shipped name, file or folder of a run (default: the shipped chain of phases)",
    )
    parser.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="test: 10,000 images, meant to be looked at once, at the end; validation: the last 5,000 training "
        "images, which no training sees (default: test)",
    )
    parser.add_argument("--data", type=Path, help="torchvision root of CIFAR-10 (default: CIFAR10_ROOT, else download)")
    parser.add_argument("--images", type=_positive, metavar="N", help="only the first N images of the split")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/evaluation"), help="folder of the result (default: runs/evaluation)"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def _images(options: argparse.Namespace) -> Dataset:
    if options.split == "test":
        return load_cifar10(options.data, train=False)[: options.images]
    return train_validation_split(load_cifar10(options.data, train=True))[1][: options.images]


def run(options: argparse.Namespace) -> int:
    family = Family(options.checkpoints or shipped_chain())
    images = _images(options)
    prepare(options.out)
    found = evaluate(family, images)
    print(as_text(found, options.split), end="")
    write_evaluation(options.out, found, options.split)
    print(f"\ntables and confusion matrices in {options.out}")
    return int(not found.holds)


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    return guarded("evaluate", lambda: run(options), BAD_INPUT, "earlier results are as they were")


if __name__ == "__main__":
    sys.exit(main())

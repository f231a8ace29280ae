"""Options that several commands have, and the values that options take; all of it without a heavy import."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Protocol

from brevitas_model.shipped import SHIPPED_RECIPES, find_checkpoint
from hls_projects.folding.options import FILL, FoldOptions
from hls_projects.targets import TARGET_HELP, target_names

DEFAULT_TARGET = "pynq-z2"
SHIPPED_CHECKPOINT = find_checkpoint("vit-pot4")
# Endings of plot files.
PLOTS = (".png", ".pdf", ".svg")

# A parser, or a group of its options.
Options = argparse._ActionsContainer


def add_target(options: Options) -> None:
    options.add_argument(
        "--target",
        default=DEFAULT_TARGET,
        help=f"{TARGET_HELP}: {', '.join(target_names())} (default: {DEFAULT_TARGET})",
    )


def add_checkpoint(options: Options) -> None:
    options.add_argument(
        "--checkpoint",
        type=find_checkpoint,
        default=SHIPPED_CHECKPOINT,
        help="quantized checkpoint: a safetensors file, or the name of a shipped one (default: vit-pot4)",
    )


def add_model(options: Options) -> None:
    """Either a checkpoint or the lowered graph of a build."""
    source = options.add_mutually_exclusive_group()
    add_checkpoint(source)
    source.add_argument("--lowered", type=Path, metavar="FILE", help="the lowered.onnx of a build instead")


def add_data(options: Options, otherwise: str = "else download") -> None:
    """Where CIFAR-10 is; ``otherwise`` says what is done where nothing tells it."""
    options.add_argument("--data", type=Path, help=f"torchvision root of CIFAR-10 (default: CIFAR10_ROOT, {otherwise})")


def add_inputs(options: Options) -> None:
    options.add_argument("--inputs", type=Path, help="images from a .npy file instead: uint8, N x 32 x 32 x 3")


def add_out(options: Options, default: str) -> None:
    """Folder of the result."""
    options.add_argument("--out", type=Path, default=Path(default), help="folder of the result (default: %(default)s)")


def add_json(options: Options) -> None:
    options.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")


def add_fifo_depths(options: Options) -> None:
    options.add_argument(
        "--fifo-depths",
        type=Path,
        metavar="FILE",
        help="depths of the FIFOs, a fifo_depths.json (default: the smallest that cost no throughput)",
    )


def add_folding(options: Options) -> None:
    """The options of :class:`~hls_projects.folding.options.FoldOptions`, except for the clock."""
    options.add_argument("--folding", type=Path, metavar="FILE", help="folding.json instead of one for the target")
    options.add_argument("--fps", type=above_zero, help="images/s that are enough (default: as many as fit)")
    options.add_argument("--fill", type=share, default=FILL, help=f"largest share of any resource (default: {FILL})")
    options.add_argument("--dense", action="store_true", help="spend time on weights that are zero, too")


class FoldingArguments(Protocol):
    """Something with the options of :func:`add_folding`."""

    fps: float | None
    fill: float
    dense: bool
    folding: Path | None


def fold_options(args: FoldingArguments, clock_mhz: float | None = None) -> FoldOptions:
    """What the options of :func:`add_folding` ask for."""
    return FoldOptions(fps=args.fps, clock_mhz=clock_mhz, fill=args.fill, dense=args.dense, file=args.folding)


def add_overrides(options: Options) -> None:
    """Single settings of a recipe."""
    options.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override the recipe: schedule.epochs=3"
    )


def add_one_training(options: Options, default: str | None = None) -> None:
    """Options of a command that trains one model; without a ``default`` recipe, one must be named."""
    names = ", ".join(sorted(path.stem for path in SHIPPED_RECIPES.glob("*.toml")))
    text = f"TOML file, or the name of a shipped recipe: {names}" + (f" (default: {default})" if default else "")
    chosen = {"nargs": "?", "default": Path(default)} if default else {}
    options.add_argument("recipe", type=Path, help=text, **chosen)
    options.add_argument("--start", help="checkpoint to start from, a shipped name or a file (default: the recipe's)")
    add_overrides(options)
    add_data(options)
    options.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME)")


def add_many_trainings(options: Options, recipe: str, what: str) -> None:
    """Options of a command that makes many trainings by one ``recipe``, each of them a ``what``."""
    options.add_argument("--recipe", type=Path, default=Path(recipe), help=f"of a {what} (default: {recipe}, shipped)")
    add_overrides(options)
    options.add_argument("--epochs", type=positive, help=f"of a {what} (default: the recipe's)")
    options.add_argument("--images", type=positive, metavar="N", help="only the first N training images")
    add_data(options)
    options.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="train on a Ray cluster (default: the one of this machine, else a new one); needs potstream[ray]",
    )


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def at_least_two(text: str) -> int:
    """A number of images that has an interval."""
    if text == "1":
        raise argparse.ArgumentTypeError("must be at least 2, for an interval")
    return positive(text)


def above_zero(text: str) -> float:
    """A finite number above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def share(text: str) -> float:
    """A number above 0, at most 1."""
    value = _number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share above 0 and up to 1")
    return value


def percentage(text: str) -> float:
    """A number above 0, at most 100."""
    value = _number(text)
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 100, not {text}")
    return value


def _number(text: str) -> float:
    """NaN where ``text`` is none, which no range holds."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def plot_file(text: str) -> Path:
    """The path of a plot; its ending is its format."""
    path = Path(text)
    if path.suffix and path.suffix not in PLOTS:
        raise argparse.ArgumentTypeError(f"{text} must end in {', '.join(PLOTS)}")
    return path

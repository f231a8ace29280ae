"""Search for models: validation accuracy against cost, a short training a trial, with Optuna.

    python flows/search.py --trials 50
    python flows/search.py --space space.toml --max-parameters 400000 --ray
    python flows/search.py --space quantized.toml --target pynq-z2
    python flows/search.py --report-only
    python flows/search.py rank --epochs 4 --long-epochs 30

The study is a database, so a search that was stopped or killed goes on with the same command; trials that
went down with it are run again from their last whole epoch. --out then holds trials.csv, trials.json,
front.png and a folder a trial. ``rank`` measures what the search rests on: the rank correlation between
the accuracies of short trials and of long runs (``rank --help``).

Exit status: 0; 2 when something that it was given cannot be used; 130 when interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

from brevitas_model.config import ConfigError
from brevitas_model.shipped import CheckpointError
from brevitas_model.training.data import DataError, Dataset, load_cifar10, train_validation_split
from brevitas_model.training.recipe import Recipe, load_recipe
from brevitas_model.training.run import TrainingError
from flows.command_line import CommandParser, guarded
from flows.searching import hardware
from flows.searching.cost import OBJECTIVE, cost
from flows.searching.driver import Search, trial_recipe
from flows.searching.errors import SearchError
from flows.searching.jobs import LocalPool, Pool
from flows.searching.lease import Lease
from flows.searching.ledger import Ledger
from flows.searching.lock import lock_folder
from flows.searching.pruner import TrialPruner
from flows.searching.rank import SHIPPED, Ranking, load_models, rank_table
from flows.searching.ray_pool import ray_pool
from flows.searching.results import front_table, write_report
from flows.searching.sampler import PointSampler
from flows.searching.space import SearchSpace, load_space
from flows.searching.storage import one_line_failures
from hls_projects.cost import CostError
from hls_projects.targets import TARGET_HELP, TargetError, load_target

BAD_INPUT = (
    SearchError, ConfigError, CheckpointError, DataError, SafetensorError, TargetError, TrainingError, CostError,
    OSError,
)  # fmt: skip
GOES_ON = "the same command goes on after the last whole epochs"
QUANTIZED = ("pot4", "pot6")


def add_training_arguments(parser: argparse.ArgumentParser, recipe: str = "search", what: str = "trial") -> None:
    """Options of a command that makes many trainings, each of them a ``what``."""
    parser.add_argument("--recipe", type=Path, default=Path(recipe), help=f"of a {what} (default: {recipe}, shipped)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override the recipe: schedule.batch_size=64"
    )
    parser.add_argument("--epochs", type=positive, help=f"of a {what} (default: the recipe's)")
    parser.add_argument("--images", type=positive, help="only the first so many training images")
    parser.add_argument("--data", type=Path, help="torchvision root of CIFAR-10 (default: CIFAR10_ROOT, else download)")
    parser.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="train on a Ray cluster (default: the one of this machine, else a new one); needs potstream[ray]",
    )


def search_parser() -> argparse.ArgumentParser:
    parser = CommandParser("search", __doc__)
    parser.add_argument("--space", type=Path, help="TOML file of choices, depth = [2, 3] (default: a space of 5,280)")
    parser.add_argument("--max-parameters", type=positive, help="no larger models")
    parser.add_argument(
        "--target",
        help="minimize the cycles between two images on this board, with half of the weights zero, instead of the "
        f"parameters: {TARGET_HELP}",
    )
    parser.add_argument("--trials", type=positive, default=50, help="of the whole study (default: %(default)s)")
    parser.add_argument("--study", default="search", help="name in the database (default: %(default)s)")
    parser.add_argument("--storage", help="URL of the database (default: sqlite:///OUT/study.db)")
    parser.add_argument("--out", type=Path, default=Path("runs/search"), help="folder (default: %(default)s)")
    parser.add_argument(
        "--keep",
        type=percentage,
        default=50.0,
        metavar="PERCENT",
        help="stop a trial that is not among the best so many per cent of no more expensive ones; 100 stops none "
        "(default: %(default)s)",
    )
    parser.add_argument("--prune-after", type=positive, default=1, metavar="EPOCHS", help="not before (default: 1)")
    parser.add_argument("--report-only", action="store_true", help="write what the study holds, and train nothing")
    add_training_arguments(parser)
    return parser


def rank_parser() -> argparse.ArgumentParser:
    parser = CommandParser("search", "Rank correlation of accuracies between short trials and long runs.", "rank")
    parser.add_argument(
        "models",
        type=Path,
        nargs="?",
        default=SHIPPED,
        help="TOML file of six or more models (default: eight, shipped)",
    )
    parser.add_argument("--long-epochs", type=positive, default=30, help="of a long run (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/rank"), help="folder (default: %(default)s)")
    add_training_arguments(parser)
    return parser


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return number


def percentage(text: str) -> float:
    number = float(text)
    if not 0 < number <= 100:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 100, not {text}")
    return number


def base_recipe(args: argparse.Namespace) -> Recipe:
    epochs = [f"schedule.epochs={args.epochs}"] if args.epochs else []
    recipe = load_recipe(args.recipe, args.set + epochs)
    return trial_recipe(recipe, {})


def searched(args: argparse.Namespace) -> SearchSpace:
    """The space; by default without float models where they are to have a price on a board.

    Raises:
        ConfigError: a space of float models for a board.
    """
    if args.target is None:
        return load_space(args.space)
    if args.space is None:
        return SearchSpace(weight_format=QUANTIZED)
    space = load_space(args.space)
    if set(space.weight_format) - set(QUANTIZED):
        raise ConfigError(f"a board takes quantized models: of weight_format in {args.space}, leave out 'float'")
    return space


def splits(args: argparse.Namespace, recipe: Recipe) -> tuple[Dataset, Dataset]:
    """Training and validation images, the former cut to ``--images``.

    Raises:
        ConfigError: fewer images than a step takes, or more than there are.
    """
    dataset, validation = train_validation_split(load_cifar10(args.data, train=True))
    images = args.images or len(dataset)
    if not recipe.schedule.batch_size <= images <= len(dataset):
        raise ConfigError(
            f"--images must be {recipe.schedule.batch_size} (a step's) to {len(dataset)} (all), not {images}"
        )
    return dataset[:images], validation


@contextlib.contextmanager
def pool(address: str | None, dataset: Dataset, validation: Dataset) -> Iterator[Pool]:
    if address is None:
        yield LocalPool(dataset, validation)
    else:
        with ray_pool(address, dataset, validation) as made:
            yield made


def search(args: argparse.Namespace) -> int:
    url = args.storage or f"sqlite:///{args.out / 'study.db'}"
    with one_line_failures(url):
        if args.report_only:
            return report(Ledger.read(url, args.study), args.out)
        price = cost if args.target is None else hardware.BoardPrice(load_target(args.target))
        recipe, space = base_recipe(args), searched(args)
        points = space.points(recipe.model, args.max_parameters)
        dataset, validation = splits(args, recipe)
        identity = {
            "space": space.choices(),
            "max_parameters": args.max_parameters,
            "target": args.target,
            "objective": OBJECTIVE if args.target is None else hardware.OBJECTIVE,
            "images": args.images,
            "recipe": dataclasses.asdict(recipe),
        }
        ledger = Ledger.open(url, args.study, identity, PointSampler(space, points, recipe.seed), price)
        with Lease(ledger, args.out):
            if again := ledger.rerun_lost():
                print(f"{again} trials went down with an earlier driver and are run again")
            with pool(args.ray, dataset, validation) as trainer:
                pruner = TrialPruner(args.keep, args.prune_after)
                Search(ledger, recipe, pruner, args.out / "trials", args.trials).run(trainer)
            return report(ledger, args.out)


def report(ledger: Ledger, out: Path) -> int:
    print(front_table(write_report(ledger, out), ledger.objective))
    print(f"all trials: {out / 'trials.csv'}, {out / 'trials.json'}; plot: {out / 'front.png'}")
    return 0


def rank(args: argparse.Namespace) -> int:
    recipe = base_recipe(args)
    short = recipe.schedule.epochs
    if args.long_epochs <= short:
        raise ConfigError(f"--long-epochs {args.long_epochs} is no longer than a short trial's {short}")
    ranking = Ranking(load_models(args.models, recipe), (short, args.long_epochs), args.out)
    dataset, validation = splits(args, recipe)
    with (
        lock_folder(args.out, f"rank runs on {len(dataset)} images"),
        pool(args.ray, dataset, validation) as trainer,
    ):
        print(rank_table(ranking.run(trainer)))
    print(f"the same as JSON: {args.out / 'rank.json'}")
    return 0


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["rank"]:
        args = rank_parser().parse_args(argv[1:])
        return guarded("search", lambda: rank(args), BAD_INPUT, GOES_ON)
    args = search_parser().parse_args(argv)
    return guarded("search", lambda: search(args), BAD_INPUT, GOES_ON)


if __name__ == "__main__":
    sys.exit(main())

"""A search: its space, its study, and the trials that are still missing."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from brevitas_model.config import ConfigError
from flows.command_line import Status
from flows.searching import hardware
from flows.searching.cost import OBJECTIVE, cost
from flows.searching.driver import Search
from flows.searching.lease import Lease
from flows.searching.ledger import Ledger
from flows.searching.pruner import TrialPruner
from flows.searching.results import front_table, write_report
from flows.searching.sampler import PointSampler
from flows.searching.space import SearchSpace, load_space
from flows.searching.starting import base_recipe, pool, splits
from flows.searching.storage import one_line_failures
from hls_projects.targets import load_target

QUANTIZED = ("pot4", "pot6")


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


def search(args: argparse.Namespace) -> Status:
    """Run the trials that the study is still to have, and write what it holds."""
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


def report(ledger: Ledger, out: Path) -> Status:
    print(front_table(write_report(ledger, out), ledger.objective))
    print(f"all trials: {out / 'trials.csv'}, {out / 'trials.json'}; plot: {out / 'front.png'}")
    return Status.OK

"""The search: spaces, sampling, stopping of trials, a study that survives its driver, and what is shown."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.engine import Engine

from brevitas_model.checkpoint import read_tensors
from brevitas_model.config import ConfigError, ViTConfig
from brevitas_model.export import export
from brevitas_model.models import build_model
from brevitas_model.training import curves, data
from brevitas_model.training.data import Dataset
from brevitas_model.training.recipe import Recipe, load_recipe
from brevitas_model.training.run import Run
from brevitas_model.vit import count_parameters
from flows import rank as rank_command
from flows import search
from flows.ranking import ranking as rank
from flows.searching import ray_pool, starting, storage
from flows.searching.cost import cost
from flows.searching.driver import Search, trial_recipe
from flows.searching.hardware import BoardPrice, random_model
from flows.searching.jobs import STATE, Job, LocalPool, Outcome
from flows.searching.lease import GRACE, Lease
from flows.searching.ledger import Ledger
from flows.searching.pruner import TrialPruner
from flows.searching.results import front_table, rows, write_report
from flows.searching.sampler import PointSampler, key
from flows.searching.space import SearchSpace, load_space
from hls_projects.cost import KINDS
from hls_projects.errors import InputError
from hls_projects.folding.options import FoldOptions
from hls_projects.folding.search import fold_pipeline
from hls_projects.lowering import lower
from hls_projects.targets import load_target
from tests.support import ROOT
from tests.support.models import noise

IMAGES, VALIDATION, BATCH = 128, 40, 64
DATASET = Dataset(noise(IMAGES + VALIDATION), np.arange(IMAGES + VALIDATION) % 10)
SPACE = """
embed_dim = [8, 16]
depth = [1]
num_heads = [1, 2]
mlp_ratio = [1, 2]
patch_size = [16]
global_pool = ["mean"]
weight_format = ["float"]
"""
TINY = SearchSpace(
    embed_dim=(8, 12, 16),
    depth=(1, 2, 3),
    num_heads=(1, 3, 4),
    mlp_ratio=(1, 2),
    patch_size=(8, 16),
    global_pool=("mean", "token"),
    weight_format=("float", "pot4"),
)


def trial_base(epochs: int = 3) -> Recipe:
    return load_recipe(Path("search"), [f"schedule.epochs={epochs}", f"schedule.batch_size={BATCH}"])


# Cost and space


@pytest.mark.parametrize("weight_format", ["float", "pot6"])
@pytest.mark.parametrize("pool, patch, ratio", [("mean", 8, 1), ("token", 16, 3)])
def test_cost_is_that_of_the_model(pool: str, patch: int, ratio: int, weight_format: str):
    config = ViTConfig(
        embed_dim=12, depth=2, num_heads=3, mlp_ratio=ratio, patch_size=patch, global_pool=pool,
        weight_format=weight_format,
    )  # fmt: skip
    model = build_model(config)
    assert cost(config)["parameters"] == count_parameters(model)
    products = []
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(
                lambda module, given, made: products.append(given[0].numel() * module.out_features)
            )
    model(torch.zeros(1, 32, 32, 3))
    attention = 2 * config.depth * config.num_tokens**2 * config.embed_dim
    assert cost(config)["multiply_accumulates"] == sum(products) + attention


def test_every_point_of_the_default_space_is_a_model():
    space, base = SearchSpace(), ViTConfig()
    points = space.points(base)
    assert len(points) == len({key(point) for point in points}) == 5_280
    for point in points[::97]:
        dataclasses.replace(base, **point)


def test_limit_cuts_the_space():
    base = ViTConfig()
    costs = sorted(cost(dataclasses.replace(base, **point))["parameters"] for point in TINY.points(base))
    limit = costs[len(costs) // 2]
    kept = TINY.points(base, limit)
    assert len(kept) == sum(price <= limit for price in costs) < len(costs)
    with pytest.raises(
        ConfigError, match=f"at most {costs[0] - 1} parameters; the smallest of the space has {costs[0]}"
    ):
        TINY.points(base, costs[0] - 1)


@pytest.mark.parametrize(
    "text, message",
    [
        ("heads = [1]", "unknown key 'heads'; known keys: .*num_heads"),
        ("depth = []", "depth must be a list of one or more choices"),
        ("depth = 3", "depth must be a list of one or more choices, not 3"),
        ("depth = [1, 1]", "depth names a choice twice"),
        ("depth = [0]", "depth must be a positive integer, not 0"),
        ('embed_dim = ["wide"]', "embed_dim must be a positive integer, not 'wide'"),
        ("depth = [[1]]", "space"),
        ('weight_format = ["pot5"]', "weight_format must be one of float, pot4, pot6"),
        ("depth = ", "is not TOML"),
        (f"depth = {list(range(1, 257))}\nembed_dim = {list(range(8, 2056, 8))}", "more than 100000 points"),
    ],
)
def test_wrong_space(tmp_path: Path, text: str, message: str):
    (tmp_path / "space.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_space(tmp_path / "space.toml")


@pytest.mark.parametrize(
    "wrong, name", [({"num_heads": (1, 5)}, "num_heads 5"), ({"patch_size": (8, 5)}, "patch_size 5")]
)
def test_a_choice_that_fits_no_model_is_named(wrong: dict[str, tuple[int, ...]], name: str):
    with pytest.raises(ConfigError, match=f"{name} fits no model"):
        dataclasses.replace(TINY, **wrong).points(ViTConfig())


# Sampling


def asked(space: SearchSpace, count: int, limit: int | None = None) -> list[dict[str, object]]:
    sampler = PointSampler(space, space.points(ViTConfig(), limit), seed=0)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    made = []
    for _ in range(count):
        trial = study.ask(sampler.distributions)
        made.append(trial.params)
        price = cost(dataclasses.replace(ViTConfig(), **trial.params))["parameters"]
        study.tell(trial, [trial.params["embed_dim"] - trial.params["depth"], price])
    return made


def test_samples_are_valid_new_and_repeatable():
    limit = 9_000
    points = asked(TINY, 20, limit)
    assert all(cost(ViTConfig(**point))["parameters"] <= limit for point in points)
    assert len({key(point) for point in points}) == 20
    assert points == asked(TINY, 20, limit)


def test_a_small_space_is_sampled_whole():
    space = dataclasses.replace(TINY, embed_dim=(12,), depth=(1,), weight_format=("float",), patch_size=(16,))
    count = len(space.points(ViTConfig()))
    assert count == 3 * 2 * 2
    assert {key(point) for point in asked(space, count)} == {key(point) for point in space.points(ViTConfig())}


# Stopping of trials


def told(number: int, accuracies: list[float], parameters: int, *, ended: bool = True, kind: str = "float"):
    return optuna.trial.create_trial(
        state=TrialState.COMPLETE if ended else TrialState.RUNNING,
        values=[accuracies[-1], parameters] if ended else None,
        params={"weight_format": kind},
        distributions={"weight_format": optuna.distributions.CategoricalDistribution(["float", "pot4"])},
        user_attrs={"accuracies": accuracies, "parameters": parameters},
    )


def numbered(trials: list[optuna.trial.FrozenTrial]) -> list[optuna.trial.FrozenTrial]:
    for number, trial in enumerate(trials):
        trial.number = number
    return trials


def stops(pruner: TrialPruner, accuracies: list[float], parameters: int, others: list, kind: str = "float") -> bool:
    trials = numbered([*others, told(0, accuracies, parameters, ended=False, kind=kind)])
    return pruner.should_prune(trials[-1], trials)


GOOD = [[20.0, 40.0, 60.0], [22.0, 42.0, 62.0], [24.0, 44.0, 64.0], [26.0, 46.0, 66.0]]


def test_pruner_stops_what_is_worse_than_what_costs_no_more():
    others = [told(0, accuracies, 1000) for accuracies in GOOD]
    pruner = TrialPruner()
    assert stops(pruner, [15.0], 1000, others)
    assert stops(pruner, [25.0, 30.0], 5000, others)  # costs more and is worse
    assert not stops(pruner, [25.0], 1000, others)
    assert stops(pruner, [15.0], 950, others)  # similar
    assert not stops(pruner, [15.0], 800, others)  # cheaper: not held against larger models
    assert not stops(pruner, [15.0], 1000, others, kind="pot4")  # nor against other formats


def test_pruner_waits_for_comparisons_and_epochs():
    others = [told(0, accuracies, 1000) for accuracies in GOOD]
    assert not stops(TrialPruner(), [1.0], 1000, others[:3])
    assert not stops(TrialPruner(after=2), [1.0], 1000, others)
    assert stops(TrialPruner(after=2), [1.0, 1.0], 1000, others)
    assert not stops(TrialPruner(keep=100), [1.0], 1000, others)
    assert not stops(TrialPruner(keep=80), [21.5], 1000, others) and stops(TrialPruner(keep=20), [21.5], 1000, others)


# The study


@dataclasses.dataclass
class FakePool:
    """Gives the accuracies that ``accuracy(model, epoch)`` makes up."""

    accuracy: Callable[[ViTConfig, int], float]
    ran: list[Job] = dataclasses.field(default_factory=list)

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        for job in jobs:
            self.ran.append(job)
            job.folder.mkdir(parents=True, exist_ok=True)
            (job.folder / STATE).touch()
            history: list[dict] = []
            for epoch in range(1, job.recipe.schedule.epochs + 1):
                made = self.accuracy(job.recipe.model, epoch)
                history.append({"epoch": epoch, "validation_accuracy": made, "seconds": 1.0})
                if job.report(history):
                    break
            yield Outcome(job, history, stopped=len(history) < job.recipe.schedule.epochs)


def plausible(model: ViTConfig, epoch: int) -> float:
    return round(10.0 * epoch + model.embed_dim / 10 + model.depth, 2)


def open_ledger(folder: Path, space: SearchSpace = TINY, name: str = "s") -> Ledger:
    sampler = PointSampler(space, space.points(ViTConfig()), seed=0)
    return Ledger.open(f"sqlite:///{folder / 'study.db'}", name, {"space": space.choices()}, sampler)


def drive(
    folder: Path, trials: int, pool: FakePool | None = None, keep: float = 100.0, space: SearchSpace = TINY
) -> Ledger:
    ledger = open_ledger(folder, space)
    ledger.rerun_lost()
    Search(ledger, trial_base(), TrialPruner(keep), folder / "trials", trials).run(pool or FakePool(plausible))
    return ledger


def test_search_fills_the_study_and_drops_the_states(tmp_path: Path):
    pool = FakePool(plausible)
    ledger = drive(tmp_path, 5, pool)
    assert [trial.state for trial in ledger.trials()] == [TrialState.COMPLETE] * 5
    for job, trial in zip(pool.ran, ledger.trials(), strict=True):
        model = job.recipe.model
        assert trial.values == [plausible(model, 3), cost(model)["parameters"]]
        assert trial.user_attrs["accuracies"] == [plausible(model, epoch) for epoch in (1, 2, 3)]
        assert trial.user_attrs["multiply_accumulates"] == cost(model)["multiply_accumulates"]
        assert job.folder == tmp_path / "trials" / f"{trial.number:04d}" and not (job.folder / STATE).exists()
    again = FakePool(plausible)
    assert len(drive(tmp_path, 5, again).trials()) == 5 and not again.ran
    assert len(drive(tmp_path, 7, again).trials()) == 7 and len(again.ran) == 2


def test_bad_trials_are_pruned_and_keep_their_accuracies(tmp_path: Path):
    """Deep models learn nothing here, the others all the same."""
    space = dataclasses.replace(
        TINY, embed_dim=(8, 12), num_heads=(1, 4), patch_size=(16,), global_pool=("mean",), weight_format=("float",)
    )
    pool = FakePool(lambda model, epoch: 1.0 if model.depth == 3 else 10.0 * epoch)
    ledger = drive(tmp_path, 24, pool, keep=50.0, space=space)
    pruned = [trial for trial in ledger.trials() if trial.state == TrialState.PRUNED]
    assert pruned and {trial.params["depth"] for trial in pruned} == {3}
    assert all(trial.user_attrs["accuracies"] == [1.0] and trial.values is None for trial in pruned)
    assert len(ledger.counted()) == 24
    assert not {trial.number for trial in pruned} & {trial.number for trial in ledger.front()}


class Killed(BaseException):
    """Stands for a driver that ends at once."""


def test_what_a_dead_driver_left_is_run_again_once(tmp_path: Path):
    def die(model: ViTConfig, epoch: int) -> float:
        if len(pool.ran) == 3 and epoch == 2:
            raise Killed
        return plausible(model, epoch)

    pool = FakePool(die)
    with pytest.raises(Killed):
        drive(tmp_path, 5, pool)
    assert [trial.state.name for trial in open_ledger(tmp_path).trials()] == ["COMPLETE", "COMPLETE", "RUNNING"]
    later = FakePool(plausible)
    ledger = drive(tmp_path, 5, later)
    lost, again = ledger.trials()[2:4]
    assert lost.state == TrialState.FAIL and lost.user_attrs["reason"].startswith("its driver died")
    assert again.state == TrialState.COMPLETE and again.user_attrs["again_of"] == 2
    assert again.params == lost.params and again.user_attrs["folder"] == lost.user_attrs["folder"] == "0002"
    assert later.ran[0].folder == pool.ran[2].folder
    assert len(ledger.trials()) == 6 and len(ledger.counted()) == 5
    points = [key(trial.params) for trial in ledger.counted()]
    assert len(set(points)) == 5
    assert [row["state"] for row in rows(ledger)].count("LOST") == 1


def test_a_driver_may_die_while_it_puts_things_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ledger = open_ledger(tmp_path)
    trial = ledger.ask(ViTConfig())
    open_ledger(tmp_path).study.ask()  # died before it had a point

    def die(*_: object, **__: object) -> None:
        raise Killed

    for method in ("enqueue_trial", "tell"):
        with monkeypatch.context() as patch:
            ledger = open_ledger(tmp_path)
            patch.setattr(ledger.study, method, die)
            with pytest.raises(Killed):
                ledger.rerun_lost()
    ledger = drive(tmp_path, 3)
    again = [other for other in ledger.trials() if other.params == trial.params]
    assert [other.state for other in again] == [TrialState.FAIL, TrialState.COMPLETE]
    assert len(ledger.counted()) == 3 and not [t for t in ledger.trials() if not t.state.is_finished()]


def test_an_exhausted_space_ends_the_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    space = dataclasses.replace(TINY, embed_dim=(12,), depth=(1,), weight_format=("float",), patch_size=(16,))
    ledger = open_ledger(tmp_path, space)
    Search(ledger, trial_base(), TrialPruner(100), tmp_path, 100).run(FakePool(plausible))
    assert len(ledger.counted()) == 12
    assert "every model of the search space was tried: 12 trials" in capsys.readouterr().out


def test_trial_after_trial_that_fails_ends_the_search(tmp_path: Path):
    class Failing(FakePool):
        def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
            yield from (Outcome(job, [], reason="out of memory") for job in jobs)

    with pytest.raises(InputError, match="3 trials failed one after the other, the last by: out of memory"):
        drive(tmp_path, 9, Failing(plausible))
    trials = open_ledger(tmp_path).trials()
    assert [(trial.state, trial.user_attrs["reason"]) for trial in trials] == [(TrialState.FAIL, "out of memory")] * 3


def test_other_studies_are_refused(tmp_path: Path):
    drive(tmp_path, 1)
    other = dataclasses.replace(TINY, depth=(1, 2))
    with pytest.raises(InputError, match=r"space.depth is \[1, 2, 3\] there and \[1, 2\] here; choose another --study"):
        open_ledger(tmp_path, other)
    assert len(open_ledger(tmp_path, other, "another").trials()) == 0
    url = f"sqlite:///{tmp_path / 'study.db'}"
    optuna.create_study(storage=url, study_name="foreign").enqueue_trial({"x": 1})
    with pytest.raises(InputError, match="'foreign' was not made by flows/search"):
        open_ledger(tmp_path, TINY, "foreign")
    with pytest.raises(InputError, match="no study 'none' in this database; there are: another, foreign, s"):
        Ledger.read(url, "none")


def test_a_study_has_one_driver(tmp_path: Path):
    ledger = open_ledger(tmp_path)
    with Lease(ledger, tmp_path / "here"):
        with pytest.raises(InputError, match="another process trains in"), Lease(ledger, tmp_path / "here"):
            pass
        with pytest.raises(InputError, match=r"this study is driven from .*here, last sign of life"):
            Lease(ledger, tmp_path / "there").__enter__()
    with Lease(ledger, tmp_path / "there"):
        pass
    with pytest.raises(InputError, match=r"holds the trainings of study s .*, not of study t"):
        Lease(open_ledger(tmp_path, TINY, "t"), tmp_path / "here").__enter__()
    ledger.study.set_user_attr("driver", {"place": "elsewhere:/x", "seen": time.time() - GRACE - 1})
    with Lease(ledger, tmp_path / "here"):  # silent for too long
        pass


# A board's price

SMALL = {"embed_dim": 16, "depth": 1, "num_heads": 2, "patch_size": 16}


def test_price_on_a_board_is_that_of_the_estimate(tmp_path: Path):
    """The folded interval of a model with half of the weights zero, the same each time; all else as without a board."""
    price = BoardPrice(load_target("pynq-z2"))
    config = ViTConfig(**SMALL)
    found = price(config)
    assert found == price(config)
    assert found.items() >= cost(config).items()
    # A pixel a clock is as fast as an image can come in.
    assert found["interval_cycles"] >= config.image_size**2
    assert all(0 < found[kind] <= 0.85 * price.target.resources[kind] for kind in KINDS)
    lowered = lower(export(random_model(config), tmp_path / "model.onnx"))
    plan = fold_pipeline(lowered, price.target, FoldOptions(), rough=True).plan
    assert found["interval_cycles"] == plan.interval_cycles
    assert [found[kind] for kind in KINDS] == [round(value, 1) for value in plan.resources.values()]
    larger = price(dataclasses.replace(config, embed_dim=32, patch_size=4))
    assert larger["interval_cycles"] > found["interval_cycles"]


def test_price_refuses_what_has_no_hardware_or_does_not_fit():
    target = load_target("pynq-z2")
    with pytest.raises(ConfigError, match="leave weight_format float out"):
        BoardPrice(target)(ViTConfig(**SMALL, weight_format="float"))
    with pytest.raises(ConfigError, match=r"not for pynq-z2: .*(LUT|BRAM36)"):
        BoardPrice(target, fill=0.03)(ViTConfig(**SMALL))


def test_search_with_a_board_minimizes_its_price(tmp_path: Path):
    """Models that do not fit fail on their own and stop nothing."""
    space = dataclasses.replace(TINY, weight_format=("pot4",))

    def price(config: ViTConfig) -> dict[str, float]:
        if config.depth == 3:
            raise ConfigError("not for the board")
        return cost(config) | {"interval_cycles": 1000 * config.depth + config.embed_dim, "LUT": 1.0}

    sampler = PointSampler(space, space.points(ViTConfig()), seed=0)
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'study.db'}", "s", {"objective": "interval_cycles"}, sampler, price)
    Search(ledger, trial_base(), TrialPruner(100.0), tmp_path / "trials", 12).run(FakePool(plausible))
    failed = [trial for trial in ledger.trials() if trial.state == TrialState.FAIL]
    assert failed and all(trial.params["depth"] == 3 for trial in failed)
    assert {trial.user_attrs["reason"] for trial in failed} == {"not for the board"}
    done = [trial for trial in ledger.trials() if trial.state == TrialState.COMPLETE]
    assert done and all(trial.values[1] == trial.user_attrs["interval_cycles"] for trial in done)
    found = write_report(ledger, tmp_path)
    assert {row["interval_cycles"] for row in found if row["on_front"]} == {trial.values[1] for trial in ledger.front()}
    assert "interval_cycles" in front_table(found, ledger.objective).splitlines()[0]
    with (tmp_path / "trials.csv").open() as file:
        assert {row["LUT"] for row in csv.DictReader(file)} == {"1.0", ""}
    assert Ledger.read(f"sqlite:///{tmp_path / 'study.db'}", "s").objective == "interval_cycles"


# Results


def test_report_shows_the_front(tmp_path: Path):
    ledger = drive(tmp_path, 12)
    found = write_report(ledger, tmp_path)
    best = [
        row for row in found
        if not any(
            other["accuracy"] >= row["accuracy"] and other["parameters"] <= row["parameters"]
            and (other["accuracy"], other["parameters"]) != (row["accuracy"], row["parameters"])
            for other in found
        )
    ]  # fmt: skip
    assert 0 < len(best) < 12 and [row for row in found if row["on_front"]] == best
    table = front_table(found, "parameters").splitlines()
    assert [int(line.split()[0]) for line in table[1:-1]] == [
        row["trial"] for row in sorted(best, key=lambda row: row["parameters"])
    ]
    assert table[-1] == "12 trials complete, 0 stopped early, 0 failed"
    assert json.loads((tmp_path / "trials.json").read_text())["trials"] == found
    with (tmp_path / "trials.csv").open() as file:
        assert [row["accuracy"] for row in csv.DictReader(file)] == [str(row["accuracy"]) for row in found]
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")


# Jobs


def job(folder: Path, epochs: int = 2, **more: object) -> Job:
    point = {"embed_dim": 8, "depth": 1, "num_heads": 2, "patch_size": 16, "weight_format": "float"}
    return Job("1", folder, trial_recipe(trial_base(epochs), point), **more)


def local_pool() -> LocalPool:
    return LocalPool(DATASET[:IMAGES], DATASET[IMAGES:])


def test_a_job_stops_where_its_report_says_so_and_goes_on_from_there(tmp_path: Path):
    first = local_pool().train(job(tmp_path, report=lambda history: True))
    assert first.stopped and len(first.history) == 1
    seen = []
    second = local_pool().train(job(tmp_path, report=lambda history: seen.append(len(history)) or False))
    assert not second.stopped and seen == [1, 2] and second.history[0] == first.history[0]


def test_a_model_that_runs_out_of_memory_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise RuntimeError("not enough memory:\n you tried to allocate")

    monkeypatch.setattr(Run, "train_epoch", fail)
    assert local_pool().train(job(tmp_path)).reason == "RuntimeError: not enough memory: you tried to allocate"


class FakeRay:
    """Ray in this process: tasks run when they are waited for, or die with ``deaths``."""

    class exceptions:
        class RayError(Exception):
            pass

    def __init__(self, deaths: Iterable[Exception | None] = ()) -> None:
        self.deaths, self.calls = iter(deaths), 0

    def init(self, *_: object, **__: object) -> None: ...
    def shutdown(self) -> None: ...

    def put(self, value: object) -> object:
        return value

    def nodes(self) -> list[dict]:
        return [{"Alive": True, "Resources": {"CPU": 1}}, {"Alive": False, "Resources": {"CPU": 8}}]

    def remote(self, **_: object) -> Callable[[Callable], object]:
        return lambda task: SimpleNamespace(remote=lambda *given: lambda: task(*given))

    def wait(self, refs: list[Callable], timeout: float) -> tuple[list, list]:
        return refs[:1], refs[1:]

    def get(self, ref: Callable) -> object:
        self.calls += 1
        death = next(self.deaths, None)
        if death:
            raise death
        return ref()


def over_ray(folder: Path, monkeypatch: pytest.MonkeyPatch, ray: FakeRay, **more: object) -> Outcome:
    monkeypatch.setitem(sys.modules, "ray", ray)
    with ray_pool.ray_pool("", DATASET[:IMAGES], DATASET[IMAGES:]) as pool:
        (outcome,) = pool.run([job(folder, **more)])
    return outcome


def test_ray_trains_as_this_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    here = local_pool().train(job(tmp_path / "here"))
    there = over_ray(tmp_path / "there", monkeypatch, FakeRay())
    figures = [[(line["loss"], line["validation_accuracy"]) for line in made.history] for made in (here, there)]
    assert figures[0] == figures[1] and len(figures[0]) == 2
    assert (tmp_path / "there" / "metrics.jsonl").exists()
    ray = FakeRay()
    assert over_ray(tmp_path / "here", monkeypatch, ray).history == here.history and ray.calls == 0


def test_an_epoch_whose_worker_died_is_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    died: list[str] = []
    ray = FakeRay([None, FakeRay.exceptions.RayError("node\n lost"), FakeRay.exceptions.RayError("again")])
    outcome = over_ray(tmp_path, monkeypatch, ray, died=died.append)
    assert len(outcome.history) == 2 and outcome.reason is None and ray.calls == 4
    assert died == ["RayError: node lost", "RayError: again"]


def test_a_job_that_loses_three_workers_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    outcome = over_ray(tmp_path, monkeypatch, FakeRay([FakeRay.exceptions.RayError("node lost")] * 3))
    assert outcome.reason == "lost 3 workers, the last by RayError: node lost" and outcome.history == []


def test_ray_stops_a_trial_between_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ray = FakeRay()
    outcome = over_ray(tmp_path, monkeypatch, ray, epochs=3, report=lambda history: len(history) == 2)
    assert outcome.stopped and len(outcome.history) == ray.calls == 2


# The command


@pytest.fixture(autouse=True)
def hasty_databases() -> Iterator[None]:
    """Do not wait for the disk; what a killed process wrote is kept all the same."""

    def hasten(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hasten)
    yield
    event.remove(Engine, "connect", hasten)


@pytest.fixture(autouse=True)
def no_plots_of_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than these trainings."""
    monkeypatch.setattr(curves, "_plot", lambda history: b"")


@pytest.fixture(autouse=True)
def splits(monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-10 of a few random images."""
    monkeypatch.setattr(data, "VALIDATION_IMAGES", VALIDATION)
    monkeypatch.setattr(starting, "load_cifar10", lambda folder, *, train: DATASET)


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    (tmp_path / "space.toml").write_text(SPACE)
    return [
        "--space",
        str(tmp_path / "space.toml"),
        "--out",
        str(tmp_path / "out"),
        "--set",
        f"schedule.batch_size={BATCH}",
    ]


def test_command_searches_goes_on_and_reports(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert search.main([*options, "--epochs", "1", "--trials", "2"]) == 0
    assert "2 trials complete, 0 stopped early, 0 failed" in capsys.readouterr().out
    assert search.main([*options, "--epochs", "1", "--trials", "3"]) == 0
    said = capsys.readouterr().out
    assert "3 trials complete" in said
    (tmp_path / "out" / "front.png").unlink()
    assert search.main([*options, "--report-only"]) == 0
    assert capsys.readouterr().out == said and (tmp_path / "out" / "front.png").exists()
    found = json.loads((tmp_path / "out" / "trials.json").read_text())["trials"]
    metrics = [(tmp_path / "out" / "trials" / row["folder"] / "metrics.jsonl").read_text() for row in found]
    assert [json.loads(text)["validation_accuracy"] for text in metrics] == [row["accuracy"] for row in found]


def refused(argv: list[str], capsys: pytest.CaptureFixture[str], command: ModuleType = search) -> str:
    """The one line that a refused command says."""
    capsys.readouterr()
    try:
        status = command.main(argv)
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr().err.splitlines()
    said = [line for line in said if line.startswith(command.COMMAND.module)]
    assert status == 2 and len(said) == 1, said
    return said[0]


def test_command_refuses_in_one_line(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for more, words in (
        (["--max-parameters", "10"], "no model has at most 10 parameters"),
        (["--images", "10"], "--images must be 64 (a step's) to 128 (all), not 10"),
        (["--images", "999"], "not 999"),
        (["--recipe", "teacher"], "trains a ResNet9Config"),
        (["--set", 'start="x"'], "leave start out of the recipe"),
        (["--set", "schedule.epoch=1"], "unknown recipe key"),
        (["--report-only"], "does not exist; name another --storage or start a search"),
        (["--storage", "study.db"], "is no database URL"),
        (["--storage", "sqlite://"], "must outlive the search"),
        (["--storage", "mysql+nothing://u:secret@h/d"], "needs a database driver"),
        (["--trials", "0"], "must be a whole number of at least 1"),
        (["--keep", "0"], "must be above 0"),
        (["--target", "pynq-z9"], "pynq-z9"),
        (["--target", "pynq-z2"], "a board takes quantized models: of weight_format"),
    ):
        said = refused([*options, *more], capsys)
        assert words in said and "secret" not in said
    assert not (tmp_path / "out").exists()


def test_command_refuses_another_search(options: list[str], capsys: pytest.CaptureFixture[str]):
    assert search.main([*options, "--epochs", "1", "--trials", "1"]) == 0
    said = refused([*options, "--epochs", "2", "--trials", "1"], capsys)
    assert "recipe.schedule.epochs is 1 there and 2 here" in said
    assert "images is null there and 100 here" in refused([*options, "--epochs", "1", "--images", "100"], capsys)


def test_ray_that_is_not_installed(options: list[str], monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'potstream[ray]'" in refused([*options, "--ray"], capsys)


def test_databases_that_cannot_be_used(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(storage, "PATIENCE", 0.1)
    (tmp_path / "file").write_text("no database, and long enough to be taken for one" * 99)
    assert "cannot be made: File exists" in refused([*options, "--storage", f"sqlite:///{tmp_path}/file/s.db"], capsys)
    assert "file is not a database" in refused([*options, "--storage", f"sqlite:///{tmp_path}/file"], capsys)
    run = [*options, "--epochs", "1", "--trials", "1"]
    assert search.main(run) == 0
    database = tmp_path / "out" / "study.db"
    before = database.read_bytes()
    for url, words in (
        (f"sqlite:///file:{database}?mode=ro&uri=true", "attempt to write a readonly database"),
        (f"sqlite:///{database}", "database is locked"),
    ):
        holder = sqlite3.connect(database, isolation_level=None)
        if "locked" in words:
            holder.execute("BEGIN EXCLUSIVE")
        said = refused([*run[:-1], "2", "--storage", url], capsys)
        holder.close()
        assert words in said and "nothing is lost" in said
    assert database.read_bytes() == before
    assert search.main([*run[:-1], "2"]) == 0


def test_full_disk_under_the_database(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = [*options, "--epochs", "1", "--trials"]
    assert search.main([*run, "1"]) == 0
    database = tmp_path / "out" / "study.db"
    pages = sqlite3.connect(database).execute("PRAGMA page_count").fetchone()[0]

    def no_room(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    # Long attributes, so that a page more is needed soon.
    open_study = optuna.load_study(study_name="search", storage=f"sqlite:///{database}")
    for _ in range(3):
        open_study.set_user_attr("filler", "x" * 1500)
    pages = sqlite3.connect(database).execute("PRAGMA page_count").fetchone()[0]
    event.listen(Engine, "connect", no_room)
    try:
        said = refused([*run, "60", "--keep", "100", "--set", "label_smoothing=0.1"], capsys)
    finally:
        event.remove(Engine, "connect", no_room)
    assert "database or disk is full" in said and "nothing is lost" in said
    assert search.main([*run, "6"]) == 0
    assert "6 trials complete, 0 stopped early, 0 failed" in capsys.readouterr().out


def test_full_disk_under_a_trial(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    save, run = Run.save, [*options, "--epochs", "2", "--trials", "1"]

    def no_room(self: Run) -> None:
        if self.epoch == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(self)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", no_room)
        assert "No space left on device" in refused(run, capsys)
    first = (tmp_path / "out" / "trials" / "0000" / "metrics.jsonl").read_text()
    assert search.main(run) == 0
    said = capsys.readouterr().out
    assert "1 trial complete, 0 stopped early, 0 failed; 1 lost with their driver and run again" in said
    assert (tmp_path / "out" / "trials" / "0000" / "metrics.jsonl").read_text().startswith(first)


def test_command_can_be_interrupted(options: list[str], monkeypatch: pytest.MonkeyPatch, capsys):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "train", interrupt)
    assert search.main([*options, "--trials", "1"]) == 130
    assert "search: interrupted; the same command goes on" in capsys.readouterr().err


SCRIPT = """
import sys
from tests.flows import test_search
from flows import search
from flows.searching import starting
test_search.data.VALIDATION_IMAGES = test_search.VALIDATION
test_search.torch.set_num_threads(1)
starting.load_cifar10 = lambda folder, *, train: test_search.DATASET
sys.exit(search.main())
"""


def wait_for(condition: Callable[[], bool], process: subprocess.Popen, seconds: float = 1200) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


def test_kill_9_loses_nothing(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A search that is killed in its second trial goes on with it after its last whole epoch."""
    run = [*options, "--epochs", "6", "--trials", "3", "--keep", "100"]
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *run],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    metrics = tmp_path / "out" / "trials" / "0001" / "metrics.jsonl"
    try:
        wait_for(lambda: metrics.exists() and metrics.read_text().count("\n") >= 2, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = metrics.read_text().splitlines()
    assert 2 <= len(done) < 6
    assert search.main(run) == 0
    assert "3 trials complete, 0 stopped early, 0 failed; 1 lost" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "trials.json").read_text())["trials"]
    assert [row["state"] for row in found] == ["COMPLETE", "LOST", "COMPLETE", "COMPLETE"]
    assert [row["folder"] for row in found] == ["0000", "0001", "0001", "0003"]
    assert found[2]["rerun_of"] == 1 and {found[2][name] == found[1][name] for name in ("embed_dim", "mlp_ratio")} == {
        True
    }
    # The seconds that an epoch took are in its line: those before the kill were not trained again.
    assert metrics.read_text().splitlines()[: len(done)] == done
    assert all(row["epochs"] == 6 for row in found if row["state"] == "COMPLETE")


# Rank correlation


def models_file(path: Path, count: int = 6) -> Path:
    sizes = (
        '[m{0}]\nembed_dim = {1}\ndepth = 1\nnum_heads = 1\npatch_size = 16\nmlp_ratio = 1\nweight_format = "float"\n'
    )
    path.write_text("".join(sizes.format(index, 4 + 2 * index) for index in range(count)))
    return path


def test_rank_trains_each_model_twice_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = [str(models_file(tmp_path / "models.toml")), "--out", str(tmp_path / "out"), "--epochs", "1"]
    argv += ["--long-epochs", "2", "--set", f"schedule.batch_size={BATCH}", "--images", str(BATCH)]
    assert rank_command.main(argv) == 0
    said = capsys.readouterr().out
    facts = json.loads((tmp_path / "out" / "rank.json").read_text())
    assert "Spearman's rho" in said and "Kendall's tau" in said and len(facts["models"]) == 6
    for model in facts["models"]:
        for length, epochs in (("short", 1), ("long", 2)):
            lines = (tmp_path / "out" / model["name"] / f"{epochs}-epochs" / "metrics.jsonl").read_text().splitlines()
            assert len(lines) == epochs and json.loads(lines[-1])["validation_accuracy"] == model[f"{length}_accuracy"]
            # Schedules of their own: the learning rate of a short run reaches zero, too.
            made = read_tensors(tmp_path / "out" / model["name"] / f"{epochs}-epochs" / STATE)[1]["recipe"]
            assert json.loads(made)["schedule"]["epochs"] == epochs
    states = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob(STATE)}
    assert len(states) == 12
    (tmp_path / "out" / "rank.json").unlink()
    assert rank_command.main(argv) == 0 and capsys.readouterr().out == said
    assert {path: path.stat().st_mtime_ns for path in states} == states
    assert "holds the trainings of rank runs on 64 images" in refused([*argv[:-1], "100"], capsys, rank_command)


def test_correlations():
    assert rank.correlations([1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0])["spearman"] == 1.0
    found = rank.correlations([1.0, 2.0, 3.0, 4.0], [40.0, 30.0, 10.0, 20.0])
    assert (found["spearman"], found["kendall"]) == (-0.8, -0.6667)
    assert rank.correlations([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])["kendall"] is None
    assert [rank.rank([5.0, 7.0, 7.0], accuracy) for accuracy in (5.0, 7.0, 7.0)] == [3, 1, 1]


def test_rank_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    few = models_file(tmp_path / "few.toml", 5)
    assert "at least 6 models; " in refused([str(few)], capsys, rank_command)
    assert "cannot be read" in refused([str(tmp_path / "none.toml")], capsys, rank_command)
    assert "is no longer than a short trial's 4" in refused(["--long-epochs", "4"], capsys, rank_command)
    twice = models_file(tmp_path / "twice.toml").read_text()
    for text, words in (
        (twice + twice.replace("[m", "[n"), "are the same model"),
        ("[a]\nheads = 3\n", "a has an unknown key 'heads'"),
        ("[a]\nnum_heads = 3\n", "a: num_heads 3 does not divide embed_dim 128"),
        ("a = 3\n", "a is no table"),
    ):
        (tmp_path / "wrong.toml").write_text(text)
        assert words in refused([str(tmp_path / "wrong.toml")], capsys, rank_command)


def test_shipped_models_are_in_the_default_space():
    recipes = rank.load_models(rank.SHIPPED, trial_base())
    points = {key(point) for point in SearchSpace().points(ViTConfig())}
    names = list(SearchSpace().choices())
    assert len(recipes) >= 6
    for recipe in recipes.values():
        assert key({name: getattr(recipe.model, name) for name in names}) in points

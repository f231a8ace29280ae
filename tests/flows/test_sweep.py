"""flows/sweep.py: points, what is done once, what a kill costs, the four trade-offs, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from qonnx.custom_op.registry import getCustomOp

from brevitas_model.checkpoint import load_checkpoint, save_checkpoint
from brevitas_model.export import export
from brevitas_model.models import build_model
from brevitas_model.training import data
from brevitas_model.training.data import Dataset
from brevitas_model.training.run import Run, accuracy
from flows import simulate as simulate_command
from flows import sweep
from flows.searching import starting
from flows.sweeping import sweep as work
from flows.sweeping import timings
from flows.sweeping.claims import HOLDS, IN_PART, NOT, UNKNOWN, claims
from flows.sweeping.modes import mode_config, trained_config
from flows.sweeping.timings import Hardware, common_depth
from hls_projects.dataflow import simulate
from hls_projects.lowering import lower
from hls_projects.targets import load_target
from tests.support import ROOT
from tests.support.models import listing, noise, random_model, tiny_config

VALIDATION = 32
IMAGES = Dataset(noise(96 + VALIDATION), np.arange(96 + VALIDATION) % 10)
RECIPE = """
start = "{start}"
[model]
embed_dim = 16
depth = 1
num_heads = 2
patch_size = 8
weight_format = "{weight_format}"
[schedule]
epochs = 2
learning_rate = 1e-3
batch_size = 32
"""
POINTS = ["--tile-sizes", "4", "16", "--fifo-lengths", "1", "512", "smallest", "lossless", "--simulated-images", "4"]


def write_recipe(folder: Path, weight_format: str = "pot4", seed: int = 0) -> Path:
    save_checkpoint(folder / "start.safetensors", random_model(tiny_config(weight_format=weight_format), seed), {})
    path = folder / "tiny.toml"
    path.write_text(RECIPE.format(start=folder / "start.safetensors", weight_format=weight_format))
    return path


@pytest.fixture(autouse=True)
def splits(monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-10 of a few random images, and no curves drawn of each epoch."""
    monkeypatch.setattr("brevitas_model.training.curves._plot", lambda history: b"image")
    monkeypatch.setattr(data, "VALIDATION_IMAGES", VALIDATION)
    monkeypatch.setattr(starting, "load_cifar10", lambda folder, *, train: IMAGES)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("recipe"))


@pytest.fixture(scope="module")
def swept(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep; copy it before you change it."""
    out = tmp_path_factory.mktemp("sweep") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "VALIDATION_IMAGES", VALIDATION)
        patch.setattr(starting, "load_cifar10", lambda folder, *, train: IMAGES)
        assert sweep.main(["--recipe", str(recipe), *POINTS, "--out", str(out)]) == 0
    return out


@pytest.fixture
def copied(swept: Path, tmp_path: Path) -> Path:
    return shutil.copytree(swept, tmp_path / "out")


def run(recipe: Path, out: Path, *more: str) -> int:
    return sweep.main(["--recipe", str(recipe), *POINTS, "--out", str(out), *more])


def read(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "sweep.csv").open()))


def hardware(out: Path, row: dict[str, str]) -> Hardware:
    checkpoint = out / "trainings" / row["training"] / "model.safetensors"
    config = mode_config(tiny_config(), row["attention"], int(row["tile_size"]), 1)
    return Hardware(checkpoint, config, load_target("pynq-z2"))


# Points


def test_every_point_is_there_and_attention_decides_what_is_trained(swept: Path):
    rows = read(swept)
    points = [(row["attention"], row["tile_size"], row["fifo_length"]) for row in rows]
    lengths = ("1", "512", "smallest", "lossless")
    assert points == [(m, t, n) for m in ("global", "windowed") for t in ("4", "16") for n in lengths]
    # A window of the whole sequence is global attention, in tiles of any size.
    assert listing(swept / "trainings") == ["global", "windowed-4-1"]
    assert {row["training"] for row in rows if row["attention"] == "global" or row["tile_size"] == "16"} == {"global"}
    assert {row["context_tiles"] for row in rows if row["attention"] == "global"} == {""}
    text = (swept / "sweep.txt").read_text()
    assert text.count("deadlock; needs ") == sum(row["deadlock"] == "True" for row in rows)
    assert [line[0] for line in text.splitlines() if line[1:3] == ". "] == list("1234")
    assert (swept / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_accuracy_is_that_of_the_models_of_the_points(swept: Path):
    """Also where another tile size or mode was trained than the point's."""
    validation = IMAGES[-VALIDATION:]
    for row in read(swept)[::4]:
        point = hardware(swept, row)
        source, _ = load_checkpoint(point.checkpoint)
        model = build_model(point.config)
        model.load_state_dict(source.state_dict())
        assert float(row["accuracy"]) == pytest.approx(accuracy(model.eval(), validation), abs=0.006)


def test_trainings_start_from_the_recipes_checkpoint_and_change_it(swept: Path, recipe: Path):
    start, _ = load_checkpoint(recipe.parent / "start.safetensors")
    results = [load_checkpoint(swept / "trainings" / name / "model.safetensors") for name in ("global", "windowed-4-1")]
    weights = [model.blocks[0].mlp.fc1.bias for model in (start, *(model for model, _ in results))]
    assert all(0 < (weight - weights[0]).abs().max() < 0.1 for weight in weights[1:])
    assert not torch.equal(weights[1], weights[2])
    for _, facts in results:
        assert facts["recipe"]["schedule"]["epochs"] == 2 and len(facts["start"]) == 64


def test_memory_is_that_of_fifos_keys_and_values(swept: Path, tmp_path: Path):
    stores = {(row["attention"], row["tile_size"]): int(row["key_value_bits"]) for row in read(swept)}
    assert stores["global", "4"] == stores["global", "16"] == stores["windowed", "16"]
    # Eight of sixteen tokens, and while they are in use the next four of as many as there are.
    assert stores["windowed", "4"] / stores["global", "4"] == (8 + 4) / (16 + 16)
    model, _ = load_checkpoint(swept / "trainings" / "windowed-4-1" / "model.safetensors")
    operators = [getCustomOp(node) for node in lower(export(model, tmp_path / "model.onnx")).graph.node]
    assert stores["windowed", "4"] == sum(operator.storage_bits() for operator in operators) > 0
    for row in read(swept):
        assert int(row["memory_bits"]) == int(row["key_value_bits"]) + int(row["fifo_bits"])
    by_length = {row["fifo_length"]: int(row["fifo_bits"]) for row in read(swept)[:4]}
    assert by_length["512"] == 512 * by_length["1"]
    assert by_length["smallest"] <= by_length["lossless"] < by_length["512"]


def test_timing_is_that_of_the_simulate_command(swept: Path, tmp_path: Path):
    rows = read(swept)
    for row in (rows[1], rows[8], rows[9]):
        checkpoint = swept / "trainings" / row["training"] / "model.safetensors"
        options = ["--checkpoint", str(checkpoint), "--fifo-length", row["fifo_length"], "--images", "4"]
        status = simulate_command.main([*options, "--json", str(tmp_path / "timing.json")])
        facts = json.loads((tmp_path / "timing.json").read_text())
        assert status == (row["deadlock"] == "True") == (facts["deadlock"] is not None)
        assert int(row["fifo_bits"]) == facts["storage_bits"]
        if status:
            continue
        assert int(row["interval_cycles"]) == facts["interval_cycles"]
        assert int(row["latency_cycles"]) == facts["latency_cycles"]
        stalls = [s for name, ports in facts["stalls"].items() if name not in ("source", "sink") for s in ports]
        for stall in ("starved", "backpressured"):
            assert int(row[f"{stall}_cycles"]) == sum(s["cycles"] for s in stalls if s["stall"] == stall)
        assert int(row["bottleneck_cycles"]) == max(p["busy_cycles"] for p in facts["processes"].values())
        assert int(row["loaded_latency_cycles"]) >= int(row["latency_cycles"])


def test_a_point_that_stands_still_has_a_remedy_that_works(swept: Path):
    still = [row for row in read(swept) if row["deadlock"] == "True"]
    assert still and all(row["fifo_length"] == "1" for row in still)
    for row in still[:1]:
        assert row["interval_cycles"] == row["latency_cycles"] == row["backpressured_cycles"] == ""
        network, _ = hardware(swept, row).pipeline
        length = int(row["remedy"].rpartition("every FIFO of depth ")[2])
        assert not simulate(network, common_depth(network, length), 2).deadlock
        assert simulate(network, common_depth(network, length - 1), 2).deadlock


def test_a_single_fifo_that_is_enough_is_named(swept: Path):
    """One FIFO too short, all others as in a build."""
    point = hardware(swept, read(swept)[0])
    network, depths = point.pipeline[0], point.depths("lossless")
    name = max(depths, key=depths.__getitem__)
    columns = timings.measure(network, {**depths, name: 1}, 2)
    assert columns["deadlock"] and columns["loaded_latency_cycles"] is None
    remedy, _, rest = columns["remedy"].partition(" or ")
    fifo, _, depth = remedy.partition(" of depth ")
    assert fifo == name and rest.startswith("every FIFO of depth ")
    assert not simulate(network, {**depths, name: int(depth)}, 2).deadlock


# Once, and again


def no_work(*_: object, **__: object) -> None:
    raise AssertionError("this was done already")


def test_the_same_command_again_does_nothing_again(copied: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch):
    before = {path: path.read_bytes() for path in copied.glob("sweep.*") if path.suffix != ".png"}
    for place, name in ((starting, "load_cifar10"), (timings, "simulate"), (timings, "lowered_graph")):
        monkeypatch.setattr(place, name, no_work)
    assert run(recipe, copied) == 0
    assert {path: path.read_bytes() for path in before} == before


def test_more_points_are_added(copied: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch):
    measured = []
    measure = timings.measure
    monkeypatch.setattr(timings, "measure", lambda *given: measured.append(given) or measure(*given))
    monkeypatch.setattr(starting, "load_cifar10", no_work)
    assert run(recipe, copied, "--fifo-lengths", "512", "600", "--modes", "windowed", "--tile-sizes", "4") == 0
    assert [row["fifo_length"] for row in read(copied)] == ["512", "600"] and len(measured) == 1
    assert run(recipe, copied) == 0 and len(measured) == 1


def test_other_hardware_is_measured_anew_and_trains_nothing(copied: Path, recipe: Path, monkeypatch):
    before, measure = read(copied), timings.measure
    monkeypatch.setattr(timings, "code_digest", lambda: b"other code")
    monkeypatch.setattr(starting, "load_cifar10", no_work)
    monkeypatch.setattr(timings, "measure", lambda *given: measure(*given) | {"interval_cycles": 7})
    assert run(recipe, copied, "--modes", "windowed", "--tile-sizes", "4", "--fifo-lengths", "512") == 0
    wanted = next(row for row in before if (row["attention"], row["fifo_length"]) == ("windowed", "512"))
    assert read(copied) == [wanted | {"interval_cycles": "7"}]


def test_other_weights_are_measured_anew(swept: Path, tmp_path: Path):
    point = hardware(swept, read(swept)[8])
    model, _ = load_checkpoint(point.checkpoint)
    with torch.no_grad():
        model.blocks[0].mlp.fc1.weight[0] *= -1
    save_checkpoint(tmp_path / "other.safetensors", model, {})
    other = Hardware(tmp_path / "other.safetensors", point.config, point.target)
    assert other.digest != point.digest == hardware(swept, read(swept)[9]).digest


def test_a_damaged_file_of_timings_is_made_again(copied: Path, recipe: Path):
    some = ["--modes", "windowed", "--tile-sizes", "4", "--fifo-lengths", "1", "512"]
    assert run(recipe, copied, *some) == 0
    before = read(copied)
    (copied / "timings.json").write_text('{"windowed 4')
    assert run(recipe, copied, *some) == 0 and read(copied) == before


def test_an_interrupted_sweep_goes_on_after_its_last_point(
    swept: Path, copied: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (copied / "timings.json").unlink()
    (copied / "sweep.csv").unlink()
    measured = []
    measure = timings.measure

    def counted(*given: object) -> dict[str, object]:
        measured.append(given)
        if len(measured) == 3:
            raise KeyboardInterrupt
        return measure(*given)

    monkeypatch.setattr(timings, "measure", counted)
    some = ["--modes", "windowed", "--fifo-lengths", "1", "512"]
    assert run(recipe, copied, *some) == 130
    assert "sweep: interrupted; the same command goes on" in capsys.readouterr().err
    assert not (copied / "sweep.csv").exists()
    assert len(json.loads((copied / "timings.json").read_text())) == 2
    assert run(recipe, copied, *some) == 0
    assert len(measured) == 5
    wanted = [row for row in read(swept) if row["attention"] == "windowed" and row["fifo_length"] in ("1", "512")]
    assert read(copied) == wanted


SCRIPT = """
import sys
from tests.flows import test_sweep
from flows import sweep
from flows.searching import starting
test_sweep.data.VALIDATION_IMAGES = test_sweep.VALIDATION
test_sweep.torch.set_num_threads(1)
starting.load_cifar10 = lambda folder, *, train: test_sweep.IMAGES
sys.exit(sweep.main())
"""


def test_kill_9_costs_no_whole_epoch(recipe: Path, tmp_path: Path):
    """A sweep that is killed in its first training goes on after its last whole epoch, bit for bit."""
    some = ["--modes", "windowed", "--tile-sizes", "4", "--fifo-lengths", "512", "--epochs", "5"]
    out = tmp_path / "out"
    metrics = out / "trainings" / "windowed-4-1" / "metrics.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "--recipe", str(recipe), *POINTS, "--out", str(out), *some],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 600
    while not metrics.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = metrics.read_text()
    assert 1 <= len(done.splitlines()) < 5 and not (out / "sweep.csv").exists()
    assert run(recipe, out, *some) == 0
    assert metrics.read_text().startswith(done) and len(metrics.read_text().splitlines()) == 5
    rows = read(out)
    assert len(rows) == 1
    assert run(recipe, tmp_path / "whole", *some) == 0
    assert [row["accuracy"] for row in read(tmp_path / "whole")] == [row["accuracy"] for row in rows]
    weights = [
        load_checkpoint(f / "trainings" / "windowed-4-1" / "model.safetensors")[0] for f in (out, tmp_path / "whole")
    ]
    assert all(torch.equal(a, b) for a, b in zip(*(w.state_dict().values() for w in weights), strict=True))


def test_a_training_that_ended_without_its_result_is_not_done_again(copied: Path, recipe: Path, monkeypatch):
    """Killed between the last epoch and the checkpoint."""
    folder = copied / "trainings" / "windowed-4-1"
    shutil.rmtree(folder)
    finish = work.Training.finish
    monkeypatch.setattr(work.Training, "finish", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run(recipe, copied) == 130
    lines = (folder / "metrics.jsonl").read_text()
    assert len(lines.splitlines()) == 2
    monkeypatch.setattr(work.Training, "finish", finish)
    monkeypatch.setattr(Run, "train_epoch", no_work)
    assert run(recipe, copied) == 0
    assert (folder / "metrics.jsonl").read_text() == lines and (folder / "model.safetensors").is_file()
    assert listing(folder) == ["curves.csv", "curves.png", "metrics.jsonl", "model.safetensors"]


@pytest.mark.ray
def test_trainings_on_a_ray_cluster_are_the_same(swept: Path, recipe: Path, tmp_path: Path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert run(recipe, tmp_path / "out", "--ray") == 0
    assert read(tmp_path / "out") == read(swept)


# Trade-offs


def made(attention: str, tile: int, accuracy: float, bits: int, interval: int | None, transit: int = 900) -> dict:
    """A point whose keys and values take 10 bits a token of its tile."""
    return {
        "attention": attention, "tile_size": tile, "accuracy": accuracy, "fifo_bits": bits,
        "memory_bits": bits + 10 * tile, "interval_cycles": interval, "latency_cycles": interval and 500,
        "loaded_latency_cycles": interval and transit, "backpressured_cycles": interval and 0,
        "deadlock": interval is None,
    }  # fmt: skip


def verdicts(rows: list[dict]) -> list[str]:
    return [claim.verdict for claim in claims(rows, 5_000)]


def test_trade_offs_that_hold():
    rows = []
    for tile, top1 in ((4, 84.2), (8, 85.1), (16, 86.0)):
        rows += [made("windowed", tile, top1, 50, None), made("windowed", tile, top1, 100, 400, 600)]
        rows += [{**made("windowed", tile, top1, 200, 300, 700), "latency_cycles": 550}]
    found = claims(rows, 5_000)
    assert [claim.verdict for claim in found] == [HOLDS, IN_PART, HOLDS, HOLDS]
    assert found[0].figures[0] == (
        "windowed: tile 4 to 16: +1.80 points (84.20 to 86.00 %, standard error 0.71), "
        "memory 240 to 360 bits (+50.0%)"
    )  # fmt: skip
    assert "tile 4 instead of 16: 66.7% of the memory, -1.80 points" in found[1].figures[0]
    assert found[2].figures == (
        "windowed, tile 4, 8, 16: interval 400 to 300 cycles (-25.0%), with 100 to 200 bits (+100.0%); "
        "200 bits give no more",
    )
    assert "first image 550 to 500 cycles (-9.1%)" in found[3].figures[0]
    assert "under load 700 to 600 cycles (-14.3%)" in found[3].figures[0]
    assert "interval 300 to 400 cycles (+33.3%); 1 of 3 lengths deadlock" in found[3].figures[0]


@pytest.mark.parametrize(
    "accuracies, verdict, slightly",
    [
        ((85.0, 85.0), NOT, HOLDS),
        ((84.0, 85.0), NOT, HOLDS),
        ((80.0, 85.0), HOLDS, NOT),
        ((83.5, 85.0), HOLDS, NOT),
        ((86.0, 85.0), NOT, HOLDS),
    ],
)
def test_accuracy_within_the_error_is_none(accuracies: tuple[float, float], verdict: str, slightly: str):
    rows = [made("windowed", tile, top1, 100, 300) for tile, top1 in zip((4, 8), accuracies, strict=True)]
    assert verdicts(rows)[:2] == [verdict, slightly]


def test_a_mode_in_which_tiles_change_nothing():
    rows = [{**made("global", tile, 85.0, 100, 300), "memory_bits": 740} for tile in (4, 8)]
    assert verdicts(rows)[:2] == [NOT, NOT]
    rows += [
        made("windowed", 4, 80.0, 100, 300),
        made("windowed", 8, 84.5, 100, 300),
        made("windowed", 16, 85, 100, 300),
    ]
    assert verdicts(rows)[:2] == [IN_PART, IN_PART]


def test_longer_fifos_that_gain_nothing():
    rows = [made("global", 8, 85.0, bits, 300, transit) for bits, transit in ((100, 500), (200, 500), (400, 500))]
    assert verdicts(rows)[2:] == [NOT, NOT]
    rows[2]["loaded_latency_cycles"] = 700
    assert verdicts(rows)[2:] == [NOT, IN_PART]
    rows += [made("windowed", 8, 85.0, 50, 600, 800), made("windowed", 8, 85.0, 100, 300, 700)]
    assert verdicts(rows)[2:] == [IN_PART, IN_PART]


def test_points_too_few_for_a_trade_off():
    assert verdicts([made("global", 8, 85.0, 100, 300)]) == [UNKNOWN] * 4
    assert verdicts([made("global", 8, 85.0, 100, None), made("global", 16, 85.0, 100, None)]) == [UNKNOWN] * 4


def test_windows_know_which_training_they_need():
    base = tiny_config(tile_size=4)
    for size in (1, 2, 3, 16):
        assert trained_config(base, mode_config(base, "global", size, 1)) == base
    assert trained_config(base, mode_config(base, "windowed", 16, 1)) == base
    window = mode_config(base, "windowed", 8, 5)
    assert window.context_tiles == 1 and trained_config(base, window) == window


# Refusals


@pytest.mark.parametrize(
    "options, message",
    [
        (["--tile-sizes", "4", "32"], "tile_size 32 is larger than the sequence of 16 tokens"),
        (["--tile-sizes", "5"], "tile_size 5 does not divide the 16 tokens of windowed attention"),
        (["--tile-sizes", "0"], "argument --tile-sizes: must be a whole number of at least 1, not '0'"),
        (["--fifo-lengths", "0"], "argument --fifo-lengths: must be a whole number of at least 1, not '0', or one of"),
        (["--fifo-lengths", "4", "short"], "not 'short', or one of smallest, lossless"),
        (["--fifo-lengths=-4"], "must be a whole number of at least 1, not '-4'"),
        (["--modes", "local"], "argument --modes: invalid choice: 'local' (choose from"),
        (["--context-tiles", "-1"], "context_tiles must be 0 or a positive integer, not -1"),
        (["--simulated-images", "1"], "--simulated-images: must be at least 2, for an interval"),
        (["--target", "moon"], "unknown target 'moon'"),
        (["--recipe", "none"], "recipe none cannot be read"),
        (["--recipe", "vit-float"], 'trains no quantized transformer; set model.weight_format to "pot4" or "pot6"'),
        (["--recipe", "teacher"], "trains no quantized transformer"),
        (["--set", "model.global_pool=token"], 'attention "windowed" needs global_pool "mean"'),
        (["--set", "start=none.safetensors"], "none.safetensors"),
        (["--images", "8"], "--images must be 32 (a step's) to 96 (all), not 8"),
    ],
)
def test_refusals(recipe: Path, tmp_path: Path, options: list[str], message: str, capsys):
    try:
        status = run(recipe, tmp_path / "out", *options)
    except SystemExit as stop:
        status = stop.code
    last = [line for line in capsys.readouterr().err.splitlines() if line][-1]
    assert status == 2 and last.startswith("sweep: ") and message in last and len(last) < 300
    assert not list((tmp_path / "out").glob("sweep.*"))


def test_a_sweep_of_another_recipe_or_other_images(copied: Path, recipe: Path, capsys: pytest.CaptureFixture[str]):
    before = read(copied)
    for options in (["--set", "seed=1"], ["--images", "64"], ["--epochs", "3"]):
        assert run(recipe, copied, *options) == 2
        said = capsys.readouterr().err
        assert "sweep: " in said and "holds the trainings of a sweep by recipe" in said
    (copied / "driver.lock").unlink()
    assert run(recipe, copied, "--set", "seed=1") == 2
    assert "global was made by another recipe or start; choose another --out" in capsys.readouterr().err
    assert read(copied) == before


def test_a_start_that_has_changed(tmp_path: Path, swept: Path, recipe: Path, capsys: pytest.CaptureFixture[str]):
    kept = (recipe.parent / "start.safetensors").read_bytes()
    try:
        write_recipe(recipe.parent, seed=5)
        assert run(recipe, swept) == 2
    finally:
        (recipe.parent / "start.safetensors").write_bytes(kept)
    assert "was made by another recipe or start" in capsys.readouterr().err


def test_results_that_are_damaged(copied: Path, recipe: Path, capsys: pytest.CaptureFixture[str]):
    folder = copied / "trainings" / "global"
    kept = (folder / "metrics.jsonl").read_text()
    for text in ("", "{}\n", "[1]\n", "{"):
        (folder / "metrics.jsonl").write_text(text)
        assert run(recipe, copied) == 2
        assert "does not tell the accuracy; remove" in capsys.readouterr().err
    (folder / "metrics.jsonl").write_text(kept)
    (folder / "model.safetensors").write_bytes(b"no tensors")
    assert run(recipe, copied) == 2
    assert "is not a whole safetensors file" in capsys.readouterr().err


def test_two_sweeps_in_one_folder(copied: Path, recipe: Path, capsys: pytest.CaptureFixture[str]):
    args = sweep.COMMAND.parser().parse_args(["--recipe", str(recipe)])
    with work.lock_folder(copied, work.owner(args, work.base_recipe(args))):
        assert run(recipe, copied) == 2
    assert "sweep: another process trains in" in capsys.readouterr().err

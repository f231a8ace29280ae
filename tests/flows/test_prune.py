"""``flows/prune.py``: options become the recipe, zeros are where they were asked for, figures are the model's."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from brevitas_model.checkpoint import load_checkpoint, load_masks, read_tensors, save_checkpoint
from brevitas_model.pruning import apply_masks, make_masks, matrices
from brevitas_model.training import data
from brevitas_model.training.data import Dataset
from brevitas_model.training.recipe import Pruning, Recipe, load_recipe
from brevitas_model.training.run import accuracy
from flows import prune as command
from flows.training import train
from flows.training.prune import pruning_recipe
from tests.support.models import noise, random_model, tiny_config

IMAGES = Dataset(noise(96), np.arange(96) % 10)
VALIDATION = IMAGES[-32:]
RECIPE = """
{top}
[model]
embed_dim = 16
depth = 1
num_heads = 2
patch_size = 8
weight_format = "float"
[schedule]
epochs = 2
learning_rate = 1e-3
batch_size = 32
{pruning}
"""
PRUNING = """
[pruning]
ramp_epochs = 0
"""


@pytest.fixture(autouse=True)
def splits(monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-10 of a few random images."""
    monkeypatch.setattr(data, "VALIDATION_IMAGES", len(VALIDATION))
    monkeypatch.setattr(train, "load_cifar10", lambda folder, *, train: IMAGES)


@pytest.fixture
def start(tmp_path: Path) -> Path:
    path = tmp_path / "start.safetensors"
    save_checkpoint(path, random_model(tiny_config(weight_format="float")), {})
    return path


@pytest.fixture
def recipe(tmp_path: Path, start: Path) -> Path:
    return written(tmp_path / "tiny.toml", start)


def written(path: Path, start: Path, pruning: str = PRUNING) -> Path:
    path.write_text(RECIPE.format(top=f'start = "{start}"', pruning=pruning))
    return path


def chosen(*argv: object) -> argparse.Namespace:
    """The options of the command."""
    return command.COMMAND.parser().parse_args([*map(str, argv)])


def made_by(args: argparse.Namespace) -> Recipe:
    return pruning_recipe(args, command.given_settings(args))


def test_prunes_at_once_and_tunes(recipe: Path, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "run"
    assert command.main([str(recipe), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    model, _ = load_checkpoint(start)
    assert f"start {start}: validation accuracy {accuracy(model, VALIDATION):.2f} %" in said
    masks = make_masks(model, Pruning())
    apply_masks(model, masks)
    assert f"pruned, before any tuning: {accuracy(model, VALIDATION):.2f} %, 50.0% zeros" in said

    tuned, facts = load_checkpoint(out / "model.safetensors")
    assert facts["command"].startswith("python flows/prune.py") and facts["recipe"]["pruning"]["block"] == 8
    kept = load_masks(out / "model.safetensors", tuned)
    for name, layer in matrices(tuned).items():
        assert torch.equal(kept[name], masks[name])
        zeros = (layer.weight == 0).reshape(len(layer.weight), -1, 8).sum(dim=-1)
        assert bool((zeros == 4).all()), name
        assert re.search(rf"^  {re.escape(name)} +50\.0% zeros$", said, re.M), name
    # The last figure is that of the model in training, the file holds half precision.
    (last,) = re.findall(r"^validation accuracy ([\d.]+) %, 50.0% zeros; model in", said, re.M)
    assert float(last) == pytest.approx(accuracy(tuned, VALIDATION), abs=100 / len(VALIDATION))
    assert not torch.equal(tuned.head.weight, model.head.weight)


def test_ramp_prunes_nothing_before_the_start(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = [str(recipe), "--ramp-epochs", "1", "--structure", "unstructured", "--sparsity", "0.75"]
    assert command.main([*argv, "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "validation accuracy" in said and "before any tuning" not in said
    model, _ = load_checkpoint(tmp_path / "run" / "model.safetensors")
    for name, layer in matrices(model).items():
        assert float((layer.weight == 0).float().mean()) == pytest.approx(0.75, abs=0.01), name


def test_layers_are_told_apart(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = [str(recipe), "--epochs", "1", "--set", 'pruning.skip=["head"]', "--out", str(tmp_path / "run")]
    assert command.main(argv) == 0
    shares = dict(re.findall(r"^  (\S+) +([\d.]+)% zeros$", capsys.readouterr().out, re.M))
    assert shares.pop("head") == "0.0" and set(shares.values()) == {"50.0"}


def test_options_are_keys_of_the_recipe(recipe: Path):
    args = chosen(
        recipe, "--sparsity", "0.75", "--structure", "unstructured", "--block", 4, "--scope", "global",
        "--ramp-epochs", "1.5", "--seed", 3, "--epochs", 7,
    )  # fmt: skip
    made = made_by(args)
    assert made.pruning == Pruning(sparsity=0.75, structure="unstructured", block=4, scope="global", ramp_epochs=1.5)
    assert (made.seed, made.schedule.epochs) == (3, 7)
    assert made_by(chosen(recipe)) == load_recipe(recipe)


def test_shipped_recipe_is_the_default():
    made = made_by(chosen("--sparsity", "0.25"))
    assert made.start == "vit-float" and made.pruning.sparsity == 0.25
    assert made.model == load_recipe(Path("vit-float")).model
    assert (made.pruning.structure, made.pruning.block) == ("block", 16)


def test_goes_on_and_keeps_to_its_recipe(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = [str(recipe), "--epochs", "1", "--out", str(tmp_path / "run")]
    assert command.main(argv) == 0
    before, _ = read_tensors(tmp_path / "run" / "model.safetensors")
    assert command.main(argv) == 0
    again, _ = read_tensors(tmp_path / "run" / "model.safetensors")
    assert before.keys() == again.keys() and all(torch.equal(again[name], tensor) for name, tensor in before.items())
    assert command.main([*argv, "--seed", "1"]) == 2
    assert "another recipe; choose another --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--sparsity", "1.5"], "sparsity must lie between 0 and 1, not 1.5"),
        (["--sparsity", "half"], "sparsity must be a number, not 'half'"),
        (["--structure", "diagonal"], "structure must be one of block, unstructured"),
        (["--scope", "5"], "scope must be one of layer, global"),
        (["--block", "7"], "pruning.block 7 does not divide the 192 inputs of patch_embed"),
        (["--ramp-epochs", "2"], "leaves none of 2 epochs for fine-tuning"),
        (["--sparsity", "0.9"], "leaves nothing of a block of 8"),
        (["--start", "nowhere.safetensors"], "checkpoint nowhere.safetensors "),
        (["--seed=-1"], "seed must "),
    ],
)
def test_impossible_pruning(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], message: str
):
    assert command.main([str(recipe), *argv, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("prune: ") and said.count("\n") == 1 and message in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("argv", [[], ["--sparsity", "0.5"], ["--set", "pruning.sparsity=0.5"]])
def test_recipe_that_does_not_prune(start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str]):
    plain = written(tmp_path / "plain.toml", start, pruning="")
    assert command.main([str(plain), *argv, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "plain.toml has no table [pruning]" in said and said.count("\n") == 1
    assert not (tmp_path / "run").exists()

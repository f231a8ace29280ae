"""Training on a few hundred random pictures: it resumes bit for bit and refuses impossible recipes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from models import noise, tiny_config

from brevitas_model import data
from brevitas_model.checkpoint import CheckpointError, load_checkpoint, read_tensors
from brevitas_model.config import ConfigError
from brevitas_model.data import Pictures
from brevitas_model.recipe import Phase, Recipe, load_recipe
from brevitas_model.training import Run, augment, batches, learning_rate, train
from flows import train as command

PICTURES = Pictures(noise(160), np.arange(160) % 10)
VALIDATION = Pictures(noise(20, seed=1), np.arange(20) % 10)


def tiny_recipe(float_epochs: int = 1, quantized_epochs: int = 2, batch_size: int = 32) -> Recipe:
    return Recipe(
        model=tiny_config(),
        float_phase=Phase(epochs=float_epochs, learning_rate=1e-3, warmup_epochs=0.5),
        quantized_phase=Phase(epochs=quantized_epochs, learning_rate=1e-3, warmup_epochs=0.5),
        batch_size=batch_size,
    )


class Stop(Exception):
    """Stands for a process that ends."""


def interrupted_after(epochs: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until ``epochs`` whole epochs were saved."""
    saved, save = [], Run.save

    def save_and_stop(self: Run) -> None:
        save(self)
        saved.append(self.epoch)
        if len(saved) == epochs:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", save_and_stop)
        with pytest.raises(Stop):
            train(Run.start(folder, tiny_recipe()), PICTURES, VALIDATION, "test")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    folder = tmp_path_factory.mktemp("straight")
    return train(Run.start(folder, tiny_recipe()), PICTURES, VALIDATION, "test").state_dict()


@pytest.mark.parametrize("epochs", [1, 2])
def test_stopped_run_goes_on_bit_for_bit(
    straight: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int
):
    interrupted_after(epochs, tmp_path, monkeypatch)
    torch.manual_seed(12345)
    train(Run.resume(tmp_path, tiny_recipe()), PICTURES, VALIDATION, "test")
    model, facts = load_checkpoint(tmp_path / "model.safetensors")
    assert facts["command"] == "test" and facts["recipe"]["seed"] == 0
    for name, tensor in straight.items():
        assert torch.equal(model.state_dict()[name], tensor), name
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert (last["phase"], last["epoch"]) == ("quantized", 2)


def test_training_changes_weights_but_not_calibrated_scales(tmp_path: Path):
    run = Run.start(tmp_path, tiny_recipe())
    run.quantize(PICTURES)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    run.train_epoch(PICTURES)
    changed = {name for name, tensor in run.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert "head.weight" in changed and "pos_embed" in changed
    assert not [name for name in changed if "scaling_impl" in name]


def test_fewer_batches_than_calibration_steps(tmp_path: Path):
    run = Run.start(tmp_path, tiny_recipe(batch_size=80))
    run.quantize(PICTURES)
    assert run.phase == "quantized"


def test_another_recipe_is_refused(tmp_path: Path):
    Run.start(tmp_path, tiny_recipe()).save()
    with pytest.raises(CheckpointError, match="was made by another recipe; choose another --out"):
        Run.resume(tmp_path, tiny_recipe(float_epochs=3))


def test_augmentation_shifts_and_flips():
    images = torch.from_numpy(noise(16))
    torch.manual_seed(3)
    made = augment(images)
    assert made.shape == images.shape and made.dtype == torch.uint8
    padded = torch.nn.functional.pad(images, (0, 0, 4, 4, 4, 4))
    flips = 0
    for index, picture in enumerate(made):
        windows = {
            flip: any(
                torch.equal(picture.flip(1) if flip else picture, padded[index, row : row + 32, column : column + 32])
                for row in range(9)
                for column in range(9)
            )
            for flip in (False, True)
        }
        assert sum(windows.values()) == 1
        flips += windows[True]
    assert 0 < flips < 16


def test_an_epoch_shows_each_picture_once():
    labels = torch.cat([labels for _, labels in batches(Pictures(noise(70), np.arange(70)), 32)])
    assert len(labels) == 64 and len(set(labels.tolist())) == 64


def test_schedule_rises_and_falls():
    phase = Phase(epochs=10, learning_rate=1.0, warmup_epochs=2)
    rates = [learning_rate(phase, epoch) for epoch in (0, 1, 2, 6, 10)]
    assert rates[0] < 0.01 and rates[1] == pytest.approx(0.5, abs=0.01)
    assert rates[2:] == pytest.approx([1.0, 0.5, 0.0])


RECIPE = """
{top}
[model]
embed_dim = 16
depth = 1
num_heads = 2
patch_size = 8
{model}
[float_phase]
epochs = 1
learning_rate = {rate}
{phase}
[quantized_phase]
epochs = 1
learning_rate = 1e-3
"""


def write_recipe(
    path: Path, top: str = "batch_size = 32", model: str = "", rate: str = "1e-3", phase: str = ""
) -> Path:
    path.write_text(RECIPE.format(top=top, model=model, rate=rate, phase=phase))
    return path


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"top": "batches = 3"}, "unknown recipe key 'batches'; known keys: .*batch_size"),
        ({"top": "batch_size = 0"}, "batch_size must be a positive integer"),
        ({"top": 'batch_size = "many"'}, "batch_size must be a positive integer"),
        ({"top": "label_smoothing = 1.5"}, "label_smoothing"),
        ({"model": "heads = 3"}, "unknown model key 'heads'"),
        ({"model": "mlp_ratio = 0"}, "mlp_ratio must be a positive integer"),
        ({"rate": "-1.0"}, "impossible training phase"),
        ({"phase": "momentum = 0.9"}, "momentum"),
        ({"rate": "= 3"}, "is not TOML"),
    ],
)
def test_wrong_recipe(tmp_path: Path, changes: dict[str, str], message: str):
    with pytest.raises(ConfigError, match=message):
        load_recipe(write_recipe(tmp_path / "r.toml", **changes))


def test_recipe_that_is_no_recipe(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_recipe(tmp_path / "binary.toml")
    (tmp_path / "short.toml").write_text("[model]\n")
    with pytest.raises(ConfigError, match=r"incomplete recipe: .*float_phase"):
        load_recipe(tmp_path / "short.toml")


def test_shipped_recipe_is_valid():
    assert load_recipe(command.DEFAULT_RECIPE).model.weight_format == "pot4"


@pytest.fixture
def splits(monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-10 of a few random pictures."""
    monkeypatch.setattr(data, "VALIDATION_IMAGES", 20)
    monkeypatch.setattr(command, "load_cifar10", lambda folder, *, train: PICTURES if train else VALIDATION)


def test_command_trains_and_goes_on(splits: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = ["--recipe", str(write_recipe(tmp_path / "r.toml")), "--out", str(tmp_path / "run")]
    assert command.main(argv) == 0
    tensors, metadata = read_tensors(tmp_path / "run" / "model.safetensors")
    assert command.main(argv) == 0  # all epochs are done: the same model again
    again = read_tensors(tmp_path / "run" / "model.safetensors")
    assert again[1] == metadata and all(torch.equal(again[0][name], tensor) for name, tensor in tensors.items())
    assert "test accuracy" in capsys.readouterr().out
    other = write_recipe(tmp_path / "other.toml", rate="2e-3")
    assert command.main(["--recipe", str(other), "--out", str(tmp_path / "run")]) == 2
    assert "another recipe" in capsys.readouterr().err


def test_command_refuses_in_one_line(splits: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command.main(["--recipe", str(tmp_path / "none.toml")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("train: recipe") and said.count("\n") == 1


def test_command_can_be_interrupted(splits: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "train", interrupt)
    recipe = write_recipe(tmp_path / "r.toml")
    assert command.main(["--recipe", str(recipe), "--out", str(tmp_path / "run")]) == 130


def test_command_without_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command.main(["--data", str(tmp_path / "none"), "--out", str(tmp_path / "run")]) == 2
    assert "does not exist" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_script_runs_on_its_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["train.py", "--help"])
    with pytest.raises(SystemExit) as stop:
        command.main()
    assert stop.value.code == 0 and "--recipe" in capsys.readouterr().out

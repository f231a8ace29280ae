"""Checkpoints come back bit for bit, are whole or absent, and nothing in them is executed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from models import random_model, tiny_config
from safetensors.torch import save_file

from brevitas_model import checkpoint as module
from brevitas_model.checkpoint import CheckpointError, load_checkpoint, read_tensors, save_checkpoint, write_tensors
from brevitas_model.vit import VisionTransformer


@pytest.fixture(scope="module")
def model() -> VisionTransformer:
    return random_model(tiny_config())


def rewritten(source: Path, path: Path, metadata: dict[str, str] | None = None, **tensors: torch.Tensor) -> Path:
    """``source`` with other tensors or metadata."""
    kept, facts = read_tensors(source)
    save_file(kept | tensors, path, metadata=facts if metadata is None else metadata)
    return path


def test_round_trip_is_bit_exact(model: VisionTransformer, tmp_path: Path):
    save_checkpoint(tmp_path / "m.safetensors", model, {"epochs": 3})
    loaded, training = load_checkpoint(tmp_path / "m.safetensors")
    assert training == {"epochs": 3} and loaded.config == model.config and not loaded.training
    assert loaded.state_dict().keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    pixels = torch.randint(0, 256, (2, 32, 32, 3)).float()
    with torch.no_grad():
        assert torch.equal(loaded(pixels), model(pixels))


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "state.safetensors"
    write_tensors(path, {"a": torch.arange(4.0)}, {})
    before = path.read_bytes()

    def fail(tensors: object, part: Path, metadata: object) -> None:
        Path(part).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", fail)
    with pytest.raises(OSError, match="No space left"):
        write_tensors(path, {"a": torch.zeros(4)}, {})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_missing(tmp_path: Path):
    with pytest.raises(CheckpointError, match="does not exist"):
        load_checkpoint(tmp_path / "none.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 100, 5000, -1])
def test_truncated(checkpoint: Path, tmp_path: Path, kept: int):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(checkpoint.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load_checkpoint(path)


class Malice:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pth"])
def test_pickle_is_not_executed(tmp_path: Path, name: str):
    victim, path = tmp_path / "executed", tmp_path / name
    torch.save(Malice(victim), path)
    with pytest.raises(CheckpointError, match="pickled checkpoints are never opened"):
        load_checkpoint(path)
    assert not victim.exists()
    torch.load(path.rename(tmp_path / "model.pt"), weights_only=False)
    assert victim.exists()  # the file was a working trap


@pytest.mark.parametrize(
    "metadata, message",
    [
        ({}, "carries no model configuration"),
        ({"config": "{"}, "invalid configuration"),
        ({"config": "[1]"}, "invalid configuration"),
        ({"config": "null"}, "invalid configuration"),
        ({"config": json.dumps({"dim": 16})}, "unknown model key 'dim'"),
        ({"config": json.dumps({"embed_dim": -1})}, "embed_dim must be a positive integer"),
        ({"config": tiny_config(embed_dim=32).to_json()}, "does not fit its configuration.*size mismatch"),
        ({"config": tiny_config(depth=2).to_json()}, "does not fit its configuration.*Missing key"),
        ({"config": tiny_config(weight_format="float").to_json()}, "does not fit its configuration.*Unexpected key"),
    ],
)
def test_wrong_configuration(checkpoint: Path, tmp_path: Path, metadata: dict[str, str], message: str):
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(rewritten(checkpoint, tmp_path / "wrong.safetensors", metadata))


def test_tensor_of_another_model(checkpoint: Path, tmp_path: Path):
    path = rewritten(checkpoint, tmp_path / "more.safetensors", extra=torch.zeros(1))
    with pytest.raises(CheckpointError, match="extra"):
        load_checkpoint(path)

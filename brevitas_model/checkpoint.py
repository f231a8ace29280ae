"""Checkpoints: tensors and their configuration in one safetensors file, nothing executable."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from brevitas_model.config import ConfigError, ViTConfig
from brevitas_model.vit import VisionTransformer


class CheckpointError(Exception):
    """A checkpoint that is missing, damaged or does not fit its model."""


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file beside ``path`` and rename it into place, so that it is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file({name: t.contiguous() for name, t in tensors.items()}, part, metadata=metadata)
        part.chmod(0o644)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        CheckpointError: no such file, or not a whole safetensors file.
    """
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path} does not exist; name a model.safetensors that flows/train.py made")
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"checkpoint {path} is not a whole safetensors file ({error}); fetch it anew, "
            "pickled checkpoints are never opened"
        ) from error


def save_checkpoint(path: Path, model: VisionTransformer, training: dict[str, Any]) -> None:
    """Save ``model`` with its configuration and ``training``, plain facts about how it was made."""
    metadata = {"config": model.config.to_json(), "training": json.dumps(training, sort_keys=True)}
    write_tensors(path, model.state_dict(), metadata)


def load_checkpoint(path: Path) -> tuple[VisionTransformer, dict[str, Any]]:
    """The model in eval mode and the facts saved with it.

    Raises:
        CheckpointError: missing or damaged file, no configuration, or tensors of another model.
    """
    tensors, metadata = read_tensors(path)
    try:
        config = ViTConfig.from_dict(json.loads(metadata["config"]))
        training = json.loads(metadata.get("training", "{}"))
    except KeyError as error:
        raise CheckpointError(
            f"checkpoint {path} carries no model configuration; use one that flows/train.py made"
        ) from error
    except (json.JSONDecodeError, ConfigError, TypeError) as error:
        raise CheckpointError(f"checkpoint {path} carries an invalid configuration: {error}") from error
    model = VisionTransformer(config)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"checkpoint {path} does not fit its configuration: {reason}; train it again or fetch it anew"
        ) from error
    return model.eval(), training

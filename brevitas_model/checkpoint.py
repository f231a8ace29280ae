"""Checkpoints: tensors, masks and their configuration in one safetensors file, nothing executable.

Weights of a quantized model are stored as what the hardware will hold: codes of their format, packed,
with the power-of-two scale of each row. A float model is stored in half precision.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from brevitas_model.codes import format_of, pack_bits, pack_weight, unpack_bits, unpack_weight
from brevitas_model.models import build_model, config_from_dict, config_to_json
from brevitas_model.shipped import CheckpointError
from hls_projects.files import check_readable, parse_json, replacing

MASK, CODES, EXPONENT = ".weight_mask", ".weight_codes", ".weight_exponent"


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, whole or not at all.

    Raises:
        OSError: no room, no right to write there, or ``path`` is no regular file.
    """
    with replacing(path) as part:
        try:
            save_file({name: t.contiguous() for name, t in tensors.items()}, part, metadata=metadata)
        except SafetensorError as error:
            raise OSError(f"{path} cannot be written: {error}") from error
        _sort_metadata(part)


def _sort_metadata(path: Path) -> None:
    """Put the metadata in order: safetensors writes it in a random one, and a digest of the file names a checkpoint."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode().ljust(size)
        if len(text) == size:
            file.seek(8)
            file.write(text)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        CheckpointError: no such file, or not a whole safetensors file.
    """
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path} does not exist; name a model.safetensors that flows/train.py made")
    try:
        check_readable(path)
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"checkpoint {path} is not a whole safetensors file ({error}); fetch it anew, "
            "pickled checkpoints are never opened"
        ) from error


def save_checkpoint(
    path: Path, model: nn.Module, training: dict[str, Any], masks: dict[str, Tensor] | None = None
) -> None:
    """Save ``model`` with its configuration, its pruning ``masks`` by layer, and plain facts about how it was made."""
    metadata = {"config": config_to_json(model.config), "training": json.dumps(training, sort_keys=True)}
    tensors = _packed(model) if model.config.quantized else _halved(model)
    tensors |= {name + MASK: pack_bits(mask.flatten().to(torch.uint8), 1) for name, mask in (masks or {}).items()}
    write_tensors(path, tensors, metadata)


def load_checkpoint(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The model in eval mode and the facts saved with it.

    Raises:
        CheckpointError: missing or damaged file, no configuration, or tensors of another model.
    """
    tensors, metadata = read_tensors(path)
    try:
        config = config_from_dict(parse_json(metadata["config"]))
        training = parse_json(metadata.get("training", "{}"))
    except KeyError as error:
        raise CheckpointError(
            f"checkpoint {path} carries no model configuration; use one that flows/train.py made"
        ) from error
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"checkpoint {path} carries an invalid configuration: {error}") from error
    model = build_model(config)
    try:
        model.load_state_dict(_unpacked(tensors, model))
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"checkpoint {path} does not fit its configuration: {reason}; train it again or fetch it anew"
        ) from error
    return model.eval(), training


def load_masks(path: Path, model: nn.Module) -> dict[str, Tensor]:
    """The pruning masks of a checkpoint of ``model``, bool by layer; none where it was not pruned.

    Raises:
        CheckpointError: no whole file, or masks of another model.
    """
    tensors, _ = read_tensors(path)
    masks = {}
    for name in (name for name in tensors if name.endswith(MASK)):
        layer = name.removesuffix(MASK)
        try:
            shape = model.get_submodule(layer).weight.shape
            masks[layer] = unpack_bits(tensors[name], 1, shape.numel()).bool().reshape(shape)
        except (AttributeError, ValueError) as error:
            raise CheckpointError(f"checkpoint {path} has a mask of no layer of this model: {layer}") from error
    return masks


def _halved(model: nn.Module) -> dict[str, Tensor]:
    """State of a float model in half precision.

    Raises:
        CheckpointError: a value that half precision does not hold.
    """
    state = {name: t.half() if t.is_floating_point() else t for name, t in model.state_dict().items()}
    lost = [name for name, t in state.items() if t.is_floating_point() and not bool(t.isfinite().all())]
    if lost:
        raise CheckpointError(f"{lost[0]} holds a value that half precision does not; train with more weight_decay")
    return state


@torch.no_grad()
def _packed(model: nn.Module) -> dict[str, Tensor]:
    tensors = model.state_dict()
    for layer, module in model.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            del tensors[f"{layer}.weight"]
            tensors[layer + CODES], tensors[layer + EXPONENT] = pack_weight(module.quant_weight())
    return tensors


def _unpacked(tensors: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """State of ``model`` in float32 from what a checkpoint holds."""
    state = {name: t.float() if t.dtype == torch.float16 else t for name, t in tensors.items()}
    shapes = {name: t.shape for name, t in model.state_dict().items()} if model.config.quantized else {}
    for name in tensors:
        layer = name.removesuffix(CODES)
        weight, exponent = f"{layer}.weight", layer + EXPONENT
        if name.endswith(MASK):
            del state[name]
        # Codes of no layer, or beside plain weights, stay, and load_state_dict tells of them.
        elif name.endswith(CODES) and weight in shapes and weight not in tensors and exponent in state:
            state[weight] = unpack_weight(
                state.pop(name), state.pop(exponent), shapes[weight], format_of(model.get_submodule(layer))
            )
    return state

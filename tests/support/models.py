"""Small random models and images for the tests."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import torch

from brevitas_model.config import ViTConfig
from brevitas_model.hybrid import HybridTransformer
from brevitas_model.stages import HybridConfig, stages_from
from brevitas_model.training.run import calibrate
from brevitas_model.vit import VisionTransformer

TINY = {"embed_dim": 16, "depth": 1, "num_heads": 2, "patch_size": 8}


def tiny_config(**changes: object) -> ViTConfig:
    return ViTConfig(**(TINY | changes))


def random_model(config: ViTConfig, seed: int = 0) -> VisionTransformer:
    """A model of random weights, calibrated on noise, in eval mode."""
    torch.manual_seed(seed)
    model = VisionTransformer(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(-0.3, 0.3)
            if name == "pos_embed":
                parameter.normal_(std=0.5)
    return calibrated(model)


CONV_STAGE = {"kind": "conv", "embed_dim": 8, "depth": 1, "expansion": 2, "kernel_size": 4, "stride": 4, "padding": 0}
ATTENTION_STAGE = {"kind": "attention", "embed_dim": 16, "depth": 1, "num_heads": 2, "mlp_depthwise": True}


def hybrid_config(*stages: dict[str, object], **changes: object) -> HybridConfig:
    """A small hybrid model; without ``stages`` one of convolutions and one of attention."""
    return HybridConfig(stages=stages_from(stages or (CONV_STAGE, ATTENTION_STAGE)), **changes)


def random_hybrid(config: HybridConfig, seed: int = 0) -> HybridTransformer:
    """A model of random weights, biases, embeddings and norms, calibrated on noise, in eval mode."""
    torch.manual_seed(seed)
    model = HybridTransformer(config)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            kind = name.rpartition(".")[2]
            if kind in ("bias", "running_mean"):
                tensor.uniform_(-0.3, 0.3)
            elif kind == "pos_embed":
                tensor.normal_(std=0.5)
            elif "norm" in name and kind in ("weight", "running_var"):
                tensor.uniform_(0.5, 2.0)
    return calibrated(model)


def calibrated(model: VisionTransformer | HybridTransformer) -> VisionTransformer | HybridTransformer:
    if model.config.quantized:
        size, channels = model.config.image_size, model.config.in_channels
        calibrate(model, [torch.randint(0, 256, (8, size, size, channels)).float()])
    return model.eval()


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def patterns(count: int, seed: int = 0) -> np.ndarray:
    """Noise, extremes (0 and 255), stripes and gradients in equal shares, uint8 (count, 32, 32, 3)."""
    random = np.random.default_rng(seed)
    makers = (_noise, _extremes, _stripes, _gradient)
    return np.stack([makers[index % len(makers)](random, index // len(makers)) for index in range(count)])


def _noise(random: np.random.Generator, index: int) -> np.ndarray:
    return random.integers(0, 256, (32, 32, 3), dtype=np.uint8)


def _extremes(random: np.random.Generator, index: int) -> np.ndarray:
    if index < 2:
        return np.full((32, 32, 3), 255 * index, dtype=np.uint8)
    return random.choice(np.array([0, 255], dtype=np.uint8), (32, 32, 3))


def _stripes(random: np.random.Generator, index: int) -> np.ndarray:
    line = np.where((np.arange(32) + index // 16) // (1 + index % 8) % 2, 255, 0).astype(np.uint8)
    image = np.broadcast_to(line[:, None, None], (32, 32, 3))
    return np.array(image.transpose(1, 0, 2) if index // 8 % 2 else image)


def _gradient(random: np.random.Generator, index: int) -> np.ndarray:
    rows, columns = np.mgrid[0:32, 0:32] / 31
    angle = 2 * math.pi * random.random()
    ramp = math.cos(angle) * (rows - 0.5) + math.sin(angle) * (columns - 0.5)
    return np.rint(np.clip(127.5 + 180 * ramp[..., None] * random.choice([-1, 1], 3), 0, 255)).astype(np.uint8)


def listing(folder: Path) -> list[str]:
    """Names of what lies in ``folder``, in order."""
    return sorted(path.name for path in folder.iterdir())


def snapshot(folder: Path) -> dict[str, str]:
    """Every path below ``folder`` with a digest of what it holds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        found[str(path.relative_to(folder))] = digest
    return found

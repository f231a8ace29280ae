"""Random weights, adversarial images: no logit differs between torch, QONNX, the lowered graph and C++."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.checkpoint import save_checkpoint
from brevitas_model.config import ViTConfig
from brevitas_model.vit import VisionTransformer
from flows import build
from tests.support.models import calibrated, patterns, random_model, tiny_config

IMAGES = int(os.environ.get("EXACTNESS_IMAGES", "200"))
# embed_dim, depth, num_heads, mlp_ratio, patch_size, global_pool, weight_format
SHAPES = {
    "128-3-4-2-4-token-4bits": (128, 3, 4, 2, 4, "token", "pot4"),
    "96-5-3-2-4-mean-4bits": (96, 5, 3, 2, 4, "mean", "pot4"),
    "64-2-2-4-8-mean-6bits": (64, 2, 2, 4, 8, "mean", "pot6"),
    "48-1-1-2-4-token-6bits": (48, 1, 1, 2, 4, "token", "pot6"),
    "192-2-6-2-8-token-4bits": (192, 2, 6, 2, 8, "token", "pot4"),
}


def make_config(name: str) -> ViTConfig:
    dim, depth, heads, ratio, patch, pool, weight_format = SHAPES[name]
    return ViTConfig(
        embed_dim=dim,
        depth=depth,
        num_heads=heads,
        mlp_ratio=ratio,
        patch_size=patch,
        global_pool=pool,
        weight_format=weight_format,
    )


@torch.no_grad()
def with_extreme_rows(model: VisionTransformer) -> VisionTransformer:
    """Row 0 of every matrix all zero, row 1 only largest magnitudes, row 2 only largest and smallest."""
    largest, smallest = {"pot4": (2.0**-4, 2.0**-10), "pot6": (448 * 2.0**-13, 2.0**-13)}[model.config.weight_format]
    for name, weight in model.named_parameters():
        if weight.ndim == 2:
            signs = torch.where(torch.rand(3, weight.shape[1]) < 0.5, -1.0, 1.0)
            few = torch.arange(weight.shape[1]) % 8 == 0
            weight[0] = 0.0
            weight[1] = signs[1] * largest
            weight[2] = signs[2] * torch.where(few, largest, smallest)
        elif name.endswith("bias") and len(weight) > 10:
            weight[0] = 0.0
    return calibrated(model)


def exact_logits(model: VisionTransformer, folder: Path) -> np.ndarray:
    """Logits of the C-simulation, which are those of every other stage, (IMAGES, 10)."""
    save_checkpoint(folder / "random.safetensors", model, {})
    np.save(folder / "patterns.npy", patterns(IMAGES))
    out = folder / "out"
    status = build.main(
        ["--checkpoint", str(folder / "random.safetensors"), "--inputs", str(folder / "patterns.npy"),
         "--out", str(out)]
    )  # fmt: skip
    assert status == 0
    report = json.loads((out / "report.json").read_text())
    assert set(report["mismatched_logits"].values()) == {0}
    assert report["images"] == IMAGES and report["max_bits"] <= 24
    logits = np.load(out / "logits_csim.npy")
    assert logits.shape == (IMAGES, 10) and len(np.unique(logits, axis=0)) > IMAGES // 2
    return logits


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_no_logit_differs(name: str, tmp_path: Path):
    exact_logits(with_extreme_rows(random_model(make_config(name), seed=len(name))), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("context_tiles", [0, 1, 2])
@pytest.mark.parametrize("tile_size", [4, 8, 16, 32, 64])
def test_no_logit_of_windowed_attention_differs(tile_size: int, context_tiles: int, tmp_path: Path):
    config = ViTConfig(
        embed_dim=48,
        depth=2,
        num_heads=3,
        attention="windowed",
        tile_size=tile_size,
        context_tiles=context_tiles,
        token_order=("rows", "blocks")[(tile_size.bit_length() + context_tiles) % 2],
    )
    exact_logits(with_extreme_rows(random_model(config, seed=tile_size + context_tiles)), tmp_path)


@pytest.mark.slow
def test_global_attention_does_not_depend_on_tiles_nor_order(tmp_path: Path):
    """Every divisor of the tokens, sizes whose last tile is shorter, and blocks."""
    config = ViTConfig(embed_dim=48, depth=1, num_heads=3)
    source = with_extreme_rows(random_model(config))
    orders = [("rows", size) for size in (1, 2, 4, 8, 16, 32, 64, 5, 24, 63)] + [("blocks", 8), ("blocks", 16)]
    found = []
    for token_order, tile_size in orders:
        model = VisionTransformer(dataclasses.replace(config, token_order=token_order, tile_size=tile_size))
        model.load_state_dict(source.state_dict())
        folder = tmp_path / f"{token_order}{tile_size}"
        folder.mkdir()
        found.append(exact_logits(model.eval(), folder))
    assert all(np.array_equal(logits, found[0]) for logits in found)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"activation_bits": 4, "activation": "relu"},
        {"activation_bits": 6, "weight_format": "pot6", "global_pool": "token", "logit_bits": 12},
        {"weight_scaling": "tensor", "activation": "relu", "patch_size": 4},
    ],
)
def test_other_formats_are_exact_operator_by_operator(changes: dict[str, object], tmp_path: Path):
    save_checkpoint(tmp_path / "random.safetensors", random_model(tiny_config(**changes)), {})
    np.save(tmp_path / "patterns.npy", patterns(40))
    given = ["--checkpoint", str(tmp_path / "random.safetensors"), "--inputs", str(tmp_path / "patterns.npy")]
    assert build.main([*given, "--trace", "--out", str(tmp_path / "out")]) == 0
    trace = json.loads((tmp_path / "out" / "report.json").read_text())["trace"]
    operators = ModelWrapper(str(tmp_path / "out" / "lowered.onnx")).graph.node
    assert trace["first_difference"] is None and trace["operators"] == len(operators) >= 20


@pytest.mark.parametrize("name", SHAPES)
def test_extreme_rows_are_extreme(name: str):
    """The weights above hold what they are meant to: zero rows, and both ends of the format."""
    config = make_config(name)
    torch.manual_seed(0)
    small = ViTConfig(**(json.loads(config.to_json()) | {"embed_dim": 16, "depth": 1, "num_heads": 1, "patch_size": 8}))
    model = with_extreme_rows(VisionTransformer(small))
    with torch.no_grad():
        weight = model.blocks[0].attn.q.quant_weight().value
    assert not weight[0].any()
    magnitudes = weight[2].abs()
    assert magnitudes.max() / magnitudes[magnitudes > 0].min() == {"pot4": 64, "pot6": 448}[config.weight_format]
    assert len(torch.unique(weight[1].abs())) == 1

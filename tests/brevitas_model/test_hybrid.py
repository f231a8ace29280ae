"""Hybrid models: the layers compute what their papers say, batch norm folds, and QONNX gives torch's logits."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from qonnx.core.modelwrapper import ModelWrapper
from torch.nn import functional as F

from brevitas_model.batch_norm import folded_state
from brevitas_model.checkpoint import load_checkpoint, save_checkpoint
from brevitas_model.codes import format_of
from brevitas_model.config import ViTConfig
from brevitas_model.export import export
from brevitas_model.hybrid import HybridTransformer, InvertedBottleneck, NormedConv
from brevitas_model.pruning import apply_masks, layers, make_masks, matrices
from brevitas_model.shipped import CheckpointError
from brevitas_model.stages import HybridConfig
from brevitas_model.training.recipe import Pruning
from brevitas_model.training.run import calibrate, carry_weights
from brevitas_model.vit import VisionTransformer
from hls_projects.graphs.qonnx_file import run_images
from hls_projects.graphs.qonnx_runtime import run_standard
from hls_projects.graphs.ranges import annotate_ranges, max_bits
from hls_projects.lowering import LoweringError, lower
from tests.support.models import (
    ATTENTION_STAGE,
    CONV_STAGE,
    hybrid_config,
    noise,
    patterns,
    random_hybrid,
    random_model,
)

TOKENS = {"kind": "attention", "embed_dim": 16, "depth": 1, "num_heads": 2}
PATCHES = TOKENS | {"kernel_size": 4, "stride": 4, "padding": 0, "position_embedding": True}
MERGED = {"kernel_size": 2, "stride": 2, "padding": 0}
OVERLAPPING = {"kernel_size": 7, "stride": 4, "padding": 3}
# Every choice of the family at least twice.
CHOICES = {
    "conv-attention": hybrid_config(),
    "conv-conv-attention-10bits-relu": hybrid_config(
        CONV_STAGE | {"stride": 3}, {**CONV_STAGE, "depth": 2, "padding": 1, "stride": 2}, ATTENTION_STAGE,
        stream_bits=10, activation="relu", depthwise_format="pot6",
    ),
    "merged-tokens": hybrid_config(
        CONV_STAGE | {"depth": 0}, ATTENTION_STAGE | MERGED, TOKENS | {"embed_dim": 24} | MERGED,
        depthwise_format="pot6", stream_bits=9,
    ),
    "overlapping-patches-class-token": hybrid_config(
        TOKENS | OVERLAPPING | {"embed_dim": 8}, TOKENS | {"depth": 2}, global_pool="token", weight_scaling="tensor",
    ),
    "class-token-with-positions": hybrid_config(
        CONV_STAGE | {"depth": 2}, TOKENS | {"position_embedding": True}, global_pool="token", stream_bits=10,
        depthwise_format="pot4", weight_format="pot6",
    ),
    "windows": hybrid_config(
        CONV_STAGE | {"stride": 2}, ATTENTION_STAGE | {"attention": "windowed", "tile_size": 16, "context_tiles": 0},
        ATTENTION_STAGE | {"attention": "windowed", "tile_size": 4, "context_tiles": 2, "position_embedding": True},
        activation_bits=6,
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=CHOICES.values(), ids=CHOICES)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[HybridTransformer, ModelWrapper]:
    model = random_hybrid(request.param)
    return model, export(model, tmp_path_factory.mktemp("export") / "model.onnx")


@torch.no_grad()
def logits_of(model: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    return model.eval()(torch.from_numpy(images).float()).numpy()


def pixels(count: int) -> torch.Tensor:
    return torch.from_numpy(noise(count)).float()


# Exactness.


def test_torch_and_qonnx_agree_on_every_logit(exported: tuple[HybridTransformer, ModelWrapper]):
    model, graph = exported
    images = patterns(16)
    golden = logits_of(model, images)
    assert len(np.unique(golden, axis=0)) > 8
    assert np.array_equal(run_images(graph, images), golden)
    assert np.array_equal(run_standard(graph, images), golden)


def test_every_tensor_is_exact_in_float32(exported: tuple[HybridTransformer, ModelWrapper]):
    model, graph = exported
    ranges = annotate_ranges(graph)
    assert 16 <= max_bits(ranges) <= 24
    assert set(ranges) == {tensor for node in graph.graph.node for tensor in node.output} | {"pixels"}
    assert int(graph.get_metadata_prop("tile_size")) == model.config.stages[-1].tile_size


def test_weight_codes_stay_visible(exported: tuple[HybridTransformer, ModelWrapper]):
    model, graph = exported
    quantizers = {
        node.name: node for node in graph.get_nodes_by_op_type("FloatQuant")
        if graph.get_initializer(node.input[0]) is not None
    }  # fmt: skip
    assert len(quantizers) == len(layers(model))
    for name, layer in layers(model).items():
        node = next(node for found, node in quantizers.items() if found.startswith(f"{name.replace('.', '_')}_weight"))
        assert graph.get_initializer(node.input[3]) == {"pot4": 0, "pot6": 2}[format_of(layer)]
        assert graph.get_initializer(node.input[0]).size == layer.weight.numel()


def test_a_build_ends_at_the_first_convolution(exported: tuple[HybridTransformer, ModelWrapper]):
    with pytest.raises(
        LoweringError, match=r"^no hardware operator carries out Conv \(node stages_0_entry_conv_Conv\)$"
    ):
        lower(exported[1])


def test_checkpoints_hold_every_logit(exported: tuple[HybridTransformer, ModelWrapper], tmp_path: Path):
    model, images = exported[0], patterns(8)
    masks = make_masks(model, Pruning(structure="unstructured", sparsity=0.3))
    apply_masks(model, masks)
    save_checkpoint(tmp_path / "m.safetensors", model, {}, masks)
    loaded, _ = load_checkpoint(tmp_path / "m.safetensors")
    assert loaded.config == model.config and np.array_equal(logits_of(loaded, images), logits_of(model, images))
    for name, layer in layers(model).items():
        assert torch.equal(layers(loaded)[name].weight, layer.quant_weight().value), name


def test_the_short_way_of_training_computes_the_same(exported: tuple[HybridTransformer, ModelWrapper]):
    model, images = exported[0], noise(4)
    expected = logits_of(model, images)
    with torch.no_grad():
        assert np.array_equal(model.train()(torch.from_numpy(images).float()).numpy(), expected)
    model.eval()


def test_gradients_reach_every_parameter():
    model = random_hybrid(CHOICES["class-token-with-positions"]).train()
    model(pixels(4)).square().sum().backward()
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained.values())
    assert not [name for name, p in trained.items() if not p.grad.any() and not name.endswith("k.bias")]


# The same as the plain transformer, where the stages say so.


@pytest.mark.parametrize("global_pool", ["mean", "token"])
@pytest.mark.parametrize("weight_format", ["pot4", "pot6"])
def test_patches_as_a_stage_are_the_plain_transformer(global_pool: str, weight_format: str):
    plain = random_model(
        ViTConfig(
            embed_dim=16, depth=2, num_heads=2, patch_size=4, global_pool=global_pool, weight_format=weight_format
        )
    )
    model = HybridTransformer(
        hybrid_config(PATCHES | {"depth": 2}, global_pool=global_pool, weight_format=weight_format)
    )
    weights = {in_stage(name): p for name, p in plain.named_parameters() if "scaling_impl" not in name}
    filters = weights["stages.0.entry.conv.weight"]
    weights["stages.0.entry.conv.weight"] = filters.reshape(-1, 4, 4, 3).permute(0, 3, 1, 2)  # patches: channels last
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "scaling_impl" not in name:
                parameter.copy_(weights.pop(name))
    assert not weights
    seen, images = pixels(8), patterns(12)
    fresh = VisionTransformer(plain.config)
    fresh.load_state_dict({name: p for name, p in plain.named_parameters() if "scaling_impl" not in name}, strict=False)
    for model_of_both in (fresh, model):
        calibrate(model_of_both, [seen])
    golden = logits_of(fresh, images)
    assert len(np.unique(golden, axis=0)) > 6 and np.array_equal(logits_of(model, images), golden)


RENAMED = {
    "patch_embed.": "entry.conv.", "embed_quant.": "entry_quant.",
    "mlp.fc1_quant.": "mlp.act.in_quant.", "mlp.act_quant.": "mlp.act.out_quant.",
}  # fmt: skip


def in_stage(name: str) -> str:
    """The name of a plain transformer's tensor in a hybrid of one stage."""
    for old, new in RENAMED.items():
        name = name.replace(old, new)
    inside = name.partition(".")[0] in ("entry", "entry_quant", "pos_embed", "pos_quant", "token_quant", "blocks")
    return f"stages.0.{name}" if inside else name


# Layers, in float.


@torch.no_grad()
def test_an_inverted_bottleneck():
    """Against the formulas of its paper, written out with a window by hand."""
    config = hybrid_config(weight_format="float")
    block = random_hybrid(config).stages[0].blocks[0]
    assert isinstance(block, InvertedBottleneck)
    x = torch.randn(2, 8, 5, 6)

    def norm(x: torch.Tensor, norm: torch.nn.BatchNorm2d) -> torch.Tensor:
        mean, variance, gain, offset = (
            t[:, None, None] for t in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        )
        return (x - mean) / torch.sqrt(variance + norm.eps) * gain + offset

    def pointwise(x: torch.Tensor, conv: torch.nn.Conv2d) -> torch.Tensor:
        return torch.einsum("oc,bchw->bohw", conv.weight[:, :, 0, 0], x)

    hidden = F.gelu(norm(pointwise(x, block.expand.conv), block.expand.norm))
    padded, filters = F.pad(hidden, (1, 1, 1, 1)), block.depthwise.conv.weight
    window = sum(
        padded[:, :, i : i + 5, j : j + 6] * filters[None, :, 0, i, j, None, None] for i in range(3) for j in range(3)
    )
    hidden = F.gelu(norm(window, block.depthwise.norm))
    expected = x + norm(pointwise(hidden, block.project.conv), block.project.norm)
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_depthwise_convolution_of_an_mlp_mixes_neighbours_only():
    model = random_hybrid(hybrid_config(weight_format="float"))
    layer = model.stages[1].blocks[0].mlp.depthwise
    tokens = torch.zeros(1, 16, 32)
    tokens[0, 5] = 1.0  # row 1, column 1 of 4 x 4
    changed = (layer(tokens) - layer(torch.zeros_like(tokens))).abs().sum(dim=2)[0].reshape(4, 4) > 1e-6
    assert changed[:3, :3].all() and not changed[3].any() and not changed[:, 3].any()


# Batch norm.


@torch.no_grad()
@pytest.mark.parametrize("name", CHOICES)
def test_folded_norms_compute_the_same(name: str):
    """Convolution by convolution, so that errors do not cancel."""
    config = dataclasses.replace(CHOICES[name], weight_format="float")
    model = random_hybrid(config)
    state = folded_state(model)
    assert not [key for key in state if ".norm." in key and "entry" in key]
    for key, module in model.named_modules():
        if isinstance(module, NormedConv):
            conv = module.conv
            x = torch.randn(2, conv.in_channels, 9, 9)
            weight, bias = state[f"{key}.conv.weight"], state[f"{key}.conv.bias"]
            made = F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
            torch.testing.assert_close(made, module(x), rtol=1e-4, atol=1e-4)
            assert torch.equal(weight == 0, conv.weight == 0)


@pytest.mark.parametrize("name", CHOICES)
def test_a_quantized_model_starts_from_a_float_one(name: str):
    source = random_hybrid(dataclasses.replace(CHOICES[name], weight_format="float"))
    masks = make_masks(source, Pruning(structure="unstructured"))
    apply_masks(source, masks)
    model = HybridTransformer(CHOICES[name])
    carry_weights(source, model)
    state = folded_state(source)
    assert all(torch.equal(state[key], tensor) for key, tensor in model.state_dict().items() if key in state)
    for layer, mask in masks.items():
        assert not matrices(model)[layer].weight[~mask].any(), layer


def test_a_start_of_other_stages_is_refused():
    config = hybrid_config(weight_format="float")
    more = hybrid_config(CONV_STAGE, CONV_STAGE, ATTENTION_STAGE)
    wider = hybrid_config(CONV_STAGE | {"embed_dim": 16}, ATTENTION_STAGE)
    for other in (more, wider):
        with pytest.raises(CheckpointError, match=r"the start is a model of another shape: stages\["):
            carry_weights(random_hybrid(config), HybridTransformer(other))
    windows = ATTENTION_STAGE | {"attention": "windowed", "tile_size": 4}
    carry_weights(random_hybrid(config), HybridTransformer(hybrid_config(CONV_STAGE, windows)))


# Pruning.


def test_windows_are_pruned_in_blocks_and_depthwise_filters_stay_dense():
    config = hybrid_config(CONV_STAGE, ATTENTION_STAGE, weight_format="float")
    model = random_hybrid(config)
    masks = make_masks(model, Pruning(sparsity=0.5, block=8))
    depthwise = {name for name, layer in layers(model).items() if getattr(layer, "groups", 1) > 1}
    assert depthwise == {"stages.0.blocks.0.depthwise.conv", "stages.1.blocks.0.mlp.depthwise.conv"}
    assert masks.keys() == layers(model).keys() - depthwise
    for name, mask in masks.items():
        weight = layers(model)[name].weight
        assert mask.shape == weight.shape
        # Channels of a pixel lie beside each other in a stream: blocks are cut along them.
        rows, kept = (t if t.ndim == 2 else t.movedim(1, 3).flatten(1) for t in (weight.abs(), mask))
        blocks, kept = rows.reshape(-1, 8), kept.reshape(-1, 8)
        assert (kept.sum(dim=1) == 4).all(), name
        lost = torch.where(kept, torch.inf, blocks).topk(4, largest=False).values.amax(dim=1)
        assert (lost <= torch.where(kept, blocks, torch.inf).amin(dim=1)).all(), name


def test_a_model_from_json_is_the_same(tmp_path: Path):
    model = random_hybrid(hybrid_config(weight_format="float"))
    save_checkpoint(tmp_path / "m.safetensors", model, {})
    loaded, _ = load_checkpoint(tmp_path / "m.safetensors")
    assert isinstance(loaded.config, HybridConfig) and loaded.config == model.config
    np.testing.assert_allclose(logits_of(loaded, noise(4)), logits_of(model, noise(4)), rtol=0.02, atol=0.02)


def test_plain_transformers_are_untouched():
    """Their tensors have the names that shipped checkpoints have."""
    names = VisionTransformer(ViTConfig(depth=1)).state_dict()
    assert {"patch_embed.weight", "pos_embed", "blocks.0.attn.q.weight", "blocks.0.mlp.fc1.bias"} <= set(names)

"""The model: shapes, size, and values that lie on their grids."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from brevitas.nn import QuantIdentity, QuantLinear

from brevitas_model.config import ViTConfig
from brevitas_model.training.run import freeze_scales
from brevitas_model.vit import Softmax, VisionTransformer, count_parameters, raster_places, reciprocal
from tests.support.models import noise, random_model, tiny_config

WINDOWED = {"attention": "windowed", "tile_size": 4}
CHOICES = [
    {"global_pool": "mean", "activation": "gelu", "weight_format": "pot4"},
    {"global_pool": "token", "activation": "relu", "weight_format": "pot6", "weight_scaling": "tensor"},
]


@pytest.fixture(scope="module", params=CHOICES, ids=["mean", "token"])
def model(request: pytest.FixtureRequest) -> VisionTransformer:
    return random_model(tiny_config(**request.param))


def pixels(count: int) -> torch.Tensor:
    return torch.from_numpy(noise(count)).float()


def expected_parameters(c: ViTConfig) -> int:
    """Patches, positions, and per block four square and two hidden matrices with their biases; the head."""
    dim, hidden = c.embed_dim, c.embed_dim * c.mlp_ratio
    tokens = (c.image_size // c.patch_size) ** 2 + (c.global_pool == "token")
    patch = c.patch_size**2 * c.in_channels * dim + dim
    block = 4 * (dim * dim + dim) + (dim * hidden + hidden) + (hidden * dim + dim)
    return patch + tokens * dim + c.depth * block + dim * c.num_classes + c.num_classes


@torch.no_grad()
def test_logits_of_every_image(model: VisionTransformer):
    logits = model(pixels(3))
    assert logits.shape == (3, 10) and logits.dtype == torch.float32
    assert len({tuple(row.tolist()) for row in logits}) == 3


@pytest.mark.parametrize("changes", [*CHOICES, {"weight_format": "float", "mlp_ratio": 3, "depth": 2}])
def test_parameter_count(changes: dict[str, object]):
    config = tiny_config(**changes)
    assert count_parameters(VisionTransformer(config)) == expected_parameters(config)


def test_baseline_stays_below_the_usual_vit():
    config = ViTConfig(embed_dim=128, depth=3, num_heads=4, mlp_ratio=2, patch_size=4, global_pool="token")
    class_token, affine_norms = 128, 7 * 2 * 128
    assert count_parameters(VisionTransformer(config)) + class_token + affine_norms == 413_706


@torch.no_grad()
def test_logits_do_not_depend_on_the_batch(model: VisionTransformer):
    batch = pixels(5)
    alone = torch.cat([model(image[None]) for image in batch])
    assert torch.equal(model(batch), alone)
    assert torch.equal(model(batch.flip(0)), alone.flip(0))


@torch.no_grad()
def test_activations_are_integers_times_a_power_of_two(model: VisionTransformer):
    seen = []

    def check(module: QuantIdentity, _: object, output: torch.Tensor) -> None:
        scale, bits = float(module.act_quant.scale()), int(module.act_quant.bit_width())
        codes = output / scale
        assert torch.equal(codes, codes.round()) and np.frexp(scale)[0] == 0.5
        assert codes.abs().max() <= 2 ** (bits - 1) if module.act_quant.is_signed else 2**bits - 1
        seen.append(module)

    fixed = [m for m in model.modules() if isinstance(m, QuantIdentity) and "Float" not in type(m.act_quant).__name__]
    hooks = [module.register_forward_hook(check) for module in fixed]
    model(pixels(2))
    for hook in hooks:
        hook.remove()
    assert len(seen) >= 15 and set(seen) == set(fixed)


@torch.no_grad()
def test_weights_are_sums_of_few_powers_of_two(model: VisionTransformer):
    bits = {"pot4": 1, "pot6": 3}[model.config.weight_format]
    layers = [m for m in model.modules() if isinstance(m, QuantLinear)]
    assert len(layers) == 8
    for layer in layers:
        weights = layer.quant_weight().value.detach().double().numpy()
        mantissa, exponent = np.frexp(weights[weights != 0])
        assert np.array_equal(mantissa * 2**bits, np.rint(mantissa * 2**bits))
        for row in weights:
            magnitudes = np.abs(row[row != 0])
            assert magnitudes.max() / magnitudes.min() <= 2**6 * (7 if bits == 3 else 1)
        assert len(np.unique(exponent)) > 1


@torch.no_grad()
def test_float_weights_fit_the_quantized_model():
    source = random_model(tiny_config(weight_format="float"))
    target = VisionTransformer(tiny_config())
    result = target.load_state_dict(source.state_dict(), strict=False)
    assert not result.unexpected_keys
    assert all("scaling_impl" in key for key in result.missing_keys)


@pytest.mark.parametrize("count", [1, 3, 16, 17, 48, 64, 65, 96, 128, 192])
def test_reciprocal_has_eight_significant_bits(count: int):
    value = reciprocal(count)
    mantissa, _ = np.frexp(value)
    assert mantissa * 256 == round(mantissa * 256)
    assert abs(value * count - 1) <= 2**-8


def naive_softmax(softmax: Softmax, scores: np.ndarray, config: ViTConfig) -> np.ndarray:
    """Each query's own keys alone, through the softmax of global attention."""
    whole = Softmax(dataclasses.replace(config, attention="global")).eval()
    result = np.zeros_like(scores)
    size = config.tile_size
    for query in range(config.num_tokens):
        tile = query // size
        keys = slice(max(0, tile - config.context_tiles) * size, (tile + 1) * size)
        result[..., query, keys] = whole(torch.from_numpy(scores[..., query : query + 1, keys]))[..., 0, :].numpy()
    return result


@torch.no_grad()
@pytest.mark.parametrize("weight_format", ["float", "pot4"])
@pytest.mark.parametrize("tile, context", [(1, 0), (2, 3), (4, 0), (4, 1), (8, 1), (16, 1)])
def test_a_query_sees_the_keys_of_its_window_only(weight_format: str, tile: int, context: int):
    config = tiny_config(attention="windowed", tile_size=tile, context_tiles=context, weight_format=weight_format)
    codes = np.random.default_rng(tile + context).integers(-128, 128, (2, 3, 16, 16))
    # A key that must not count has the highest score of all.
    codes[..., 0, -1], codes[..., -1, 0] = 127, 127
    softmax, scores = Softmax(config).eval(), np.float32(codes) / 16
    found = softmax(torch.from_numpy(scores)).numpy()
    expected = naive_softmax(softmax, scores, config)
    if weight_format == "float":
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    else:
        np.testing.assert_array_equal(found, expected)


@torch.no_grad()
@pytest.mark.parametrize("weight_format", ["float", "pot4"])
def test_earlier_tiles_know_nothing_of_later_ones(weight_format: str):
    """Of the tokens after one block; of the keys before the context as little."""
    model = random_model(tiny_config(**WINDOWED, context_tiles=1, weight_format=weight_format))
    tokens = torch.randn(1, 16, 16)
    changed = tokens.clone()
    changed[:, 8:12] += 3.0
    same = (model.blocks[0](tokens) == model.blocks[0](changed)).all(dim=-1)[0]
    assert same[:8].all() and not same[8:].all()
    changed = tokens.clone()
    changed[:, :4] += 3.0
    same = (model.blocks[0](tokens) == model.blocks[0](changed)).all(dim=-1)[0]
    assert same[8:].all() and not same[:8].all()


@torch.no_grad()
@pytest.mark.parametrize("pool", ["mean", "token"])
def test_global_attention_does_not_depend_on_tiles_nor_order(pool: str):
    source = random_model(tiny_config(global_pool=pool))
    expected = source(pixels(3))
    for changes in ({"tile_size": 5}, {"tile_size": 4, "token_order": "blocks"}):
        model = VisionTransformer(tiny_config(global_pool=pool, **changes)).eval()
        model.load_state_dict(source.state_dict())
        freeze_scales(model)
        assert torch.equal(model(pixels(3)), expected), changes


def test_blocks_flow_one_after_the_other():
    places = raster_places(tiny_config(tile_size=4, token_order="blocks"))
    assert places.tolist() == [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]
    with_class_token = raster_places(tiny_config(tile_size=4, token_order="blocks", global_pool="token"))
    assert with_class_token.tolist() == [0, *(places + 1).tolist()]
    assert raster_places(tiny_config(tile_size=4)) is None


@torch.no_grad()
def test_patches_in_blocks_are_those_of_the_image():
    """Patch by patch, the embedding of the model in rows."""
    rows = random_model(tiny_config())
    blocks = VisionTransformer(tiny_config(tile_size=4, token_order="blocks")).eval()
    blocks.load_state_dict(rows.state_dict())
    freeze_scales(blocks)
    seen = {}
    for name, model in (("rows", rows), ("blocks", blocks)):
        model.token_quant.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
        model(pixels(2))
    assert torch.equal(seen["blocks"], seen["rows"][:, blocks.places])
    assert not torch.equal(seen["blocks"], seen["rows"])


@pytest.mark.parametrize("weight_format", ["float", "pot4"])
def test_gradients_of_windows_are_finite_and_stay_inside(weight_format: str):
    model = random_model(tiny_config(**WINDOWED, weight_format=weight_format, token_order="blocks")).train()
    tokens = torch.randn(1, 16, 16, requires_grad=True)
    model.blocks[0](tokens)[:, 4:8].sum().backward()
    assert not tokens.grad[:, 8:].any() and tokens.grad[:, :8].abs().sum() > 0
    model(pixels(2)).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    assert model.pos_embed.grad.abs().sum() > 0

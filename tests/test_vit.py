"""The model: shapes, size, and values that lie on their grids."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from brevitas.nn import QuantIdentity, QuantLinear
from models import noise, random_model, tiny_config

from brevitas_model.config import ViTConfig
from brevitas_model.vit import VisionTransformer, count_parameters, reciprocal

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
def test_logits_of_every_picture(model: VisionTransformer):
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
    alone = torch.cat([model(picture[None]) for picture in batch])
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

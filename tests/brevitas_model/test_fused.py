"""The short way of training gives Brevitas' values and gradients bit for bit, and exports the same."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch
from brevitas.nn import QuantIdentity, QuantLinear
from hypothesis import given, settings
from hypothesis import strategies as st

from brevitas_model import fused, quantizers
from brevitas_model.config import ViTConfig
from brevitas_model.export import export
from brevitas_model.fused import FusedActivation, FusedPotConv, FusedPotLinear, FusedSignificantBits
from brevitas_model.pruning import matrices
from brevitas_model.vit import VisionTransformer
from hls_projects.graphs.qonnx_file import run_images
from tests.support.models import hybrid_config, noise, random_model, tiny_config

ROWS, COLUMNS = 3, 4
property_settings = settings(deadline=None, max_examples=25)

# A few bits at every exponent: ties and limits. Any float. Zeros of both signs.
SHORT = st.builds(lambda bits, exponent: bits * 2.0**exponent, st.integers(-513, 513), st.integers(-16, 8))
NUMBERS = st.sampled_from([0.0, -0.0]) | SHORT | st.floats(-(2.0**20), 2.0**20, width=32)
LISTS = st.lists(NUMBERS, min_size=1, max_size=20)


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal to the last bit, except the sign of zero, which no code has."""
    return a.dtype == b.dtype == torch.float32 and torch.equal(a + 0.0, b + 0.0) and not bool(a.isnan().any())


def value(result: object) -> torch.Tensor:
    return getattr(result, "value", result)


def values_and_gradient(layer: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What ``layer`` makes of ``x``, and the gradient of a weighted sum of it."""
    x = x.clone().requires_grad_()
    made = value(layer(x))
    made.backward(torch.arange(1.0, x.numel() + 1).reshape(x.shape))
    return made.detach(), x.grad


# Activations.


@functools.cache
def activation(bits: int, signed: bool, exponent: int) -> FusedActivation:
    config = ViTConfig(weight_format="pot4")
    return quantizers.fixed_activation(config, scale=2.0**exponent, signed=signed, bits=bits)


@property_settings
@given(
    bits=st.sampled_from([4, 5, 6, 7, 8, 9, 16]),
    signed=st.booleans(),
    exponent=st.sampled_from([-6, 0]),
    numbers=LISTS,
    halves=st.lists(st.integers(-(2**18), 2**18), max_size=20),
)
def test_activation(bits: int, signed: bool, exponent: int, numbers: list[float], halves: list[int]):
    layer, scale = activation(bits, signed, exponent).train(), 2.0**exponent
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    ends = [(edge + off / 4) * scale for edge in (low, high) for off in range(-4, 5)]
    x = torch.tensor([*numbers, *(half * scale / 2 for half in halves), *ends])
    layer.grid = None
    brevitas, gradient = values_and_gradient(layer, x)
    layer.freeze()
    assert layer.grid == (scale, low, high)
    short, short_gradient = values_and_gradient(layer, x)
    assert same_bits(short, brevitas) and torch.equal(short_gradient, gradient)
    assert 0 < int((gradient == 0).sum()) < len(x)
    with torch.no_grad():
        assert same_bits(value(layer.eval()(x)), short)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("peak", [0.3, 1.0, 5.7])
def test_calibrated_activation(signed: bool, peak: float):
    layer = quantizers.activation(tiny_config(), signed=signed).train()
    x = torch.linspace(-peak, 2 * peak, 401)
    with torch.no_grad():
        for _ in range(quantizers.CALIBRATION_STEPS + 1):
            layer(x / 2)
    layer.freeze()
    short, gradient = values_and_gradient(layer, x)
    layer.grid = None
    brevitas, expected = values_and_gradient(layer, x)
    assert same_bits(short, brevitas) and torch.equal(gradient, expected)


def test_activation_in_bfloat16():
    """Where a matrix product gave bfloat16, the short way still answers on the grid, in float32."""
    layer = activation(8, True, -3).train()
    layer.freeze()
    x = torch.linspace(-20, 20, 101).bfloat16()
    made = layer(x)
    assert same_bits(made, layer(x.float()))


# Eight significant bits.


@functools.cache
def significant_bits() -> FusedSignificantBits:
    return quantizers.significant_bits(ViTConfig(weight_format="pot4"))


@property_settings
@given(
    numbers=LISTS,
    more=st.lists(
        st.builds(lambda m, e: float(m * 2.0**e), st.integers(-1023, 1023), st.integers(-45, 26))
        | st.floats(-(2.0**40), 2.0**40, width=32, allow_subnormal=False)
    ),
)
def test_significant_bits(numbers: list[float], more: list[float]):
    layer = significant_bits().train()
    x = torch.tensor([*numbers, *more, 257.0, -513.0, 2.0**-38, 255 * 2.0**25, 1 - 2.0**-24, 2.0**-20 - 2.0**-44])
    layer.format = None
    brevitas, gradient = values_and_gradient(layer, x)
    layer.freeze()
    short, short_gradient = values_and_gradient(layer, x)
    assert same_bits(short, brevitas)
    # Straight through. Brevitas also follows the exponent, which adds the relative error of the rounding.
    assert torch.equal(short_gradient, torch.arange(1.0, len(x) + 1))
    normal = (x.abs() >= 2.0**-30) & (x.abs() <= 255 * 2.0**25)
    torch.testing.assert_close(short_gradient[normal], gradient[normal], rtol=2.0**-7, atol=0)
    with torch.no_grad():
        assert same_bits(value(layer.eval()(x)), short)


# Linear layers.


@functools.cache
def linear(weight_format: str, scaling: str) -> FusedPotLinear:
    config = ViTConfig(weight_format=weight_format, weight_scaling=scaling)
    layer = quantizers.linear(config, COLUMNS, ROWS)
    fused.freeze(layer)
    return layer


SMALL = (
    st.sampled_from([0.0, -0.0])
    | st.builds(lambda bits, exponent: bits * 2.0**exponent, st.integers(-63, 63), st.integers(-14, -2))
    | st.floats(-8, 8, width=32)
)


@pytest.mark.parametrize("scaling", ["channel", "tensor"])
@pytest.mark.parametrize("weight_format", ["pot4", "pot6"])
@property_settings
@given(
    weights=st.lists(SMALL, min_size=ROWS * COLUMNS, max_size=ROWS * COLUMNS),
    biases=st.lists(SMALL, min_size=ROWS, max_size=ROWS),
)
def test_linear(weight_format: str, scaling: str, weights: list[float], biases: list[float]):
    """Whatever the weights have become since the layer was frozen."""
    layer = linear(weight_format, scaling)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights).reshape(ROWS, COLUMNS))
        layer.bias.copy_(torch.tensor(biases))
        assert same_bits(layer.short_weight(), layer.quant_weight().value)
        assert same_bits(layer.short_bias(), layer.quant_bias().value)
        x = torch.arange(2.0 * COLUMNS).reshape(2, COLUMNS) - 3
        assert same_bits(layer.train()(x), value(layer.eval()(x)))


@pytest.mark.parametrize("peak", [2.0**0.5, 2.0**-0.5, 1.0, 0.5, 12 / 16, 0.7071067, 0.7071068, 1e-3, 2.0**-6.5, 0.0])
@pytest.mark.parametrize("weight_format", ["pot4", "pot6"])
def test_scales_change_at_the_same_weights(weight_format: str, peak: float):
    """Around the middle of two powers of two, float by float."""
    layer = linear(weight_format, "channel")
    for steps in range(-8, 9):
        with torch.no_grad():
            row = torch.tensor([peak, 0.3 * peak, -0.5 * peak, 0.0])
            row[0] = (row[0].view(torch.int32) + steps).clamp_min(0).view(torch.float32)
            layer.weight.copy_(row.expand(ROWS, COLUMNS))
            layer.bias.copy_(row[:ROWS])
            assert same_bits(layer.short_weight(), layer.quant_weight().value), steps
            assert same_bits(layer.short_bias(), layer.quant_bias().value), steps


@pytest.mark.parametrize("scaling", ["channel", "tensor"])
@pytest.mark.parametrize("weight_format", ["pot4", "pot6"])
def test_gradients_of_a_linear_layer_pass_straight_through(weight_format: str, scaling: str):
    layer = linear(weight_format, scaling).train()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -1.0, 0.9, 1e-5], [0.0, 0.0, -0.0, 0.0], [3.0, 0.1, 0.7, -2.9]]))
        layer.bias.copy_(torch.tensor([0.5, -0.5, 1e-6]))
    layer.zero_grad()
    x = (torch.arange(2.0 * COLUMNS).reshape(2, COLUMNS) - 3).requires_grad_()
    weight = layer.short_weight().detach()
    upstream = torch.tensor([[1.0, 2.0, 3.0], [-4.0, 5.0, 0.5]])
    layer(x).backward(upstream)
    assert torch.equal(layer.weight.grad, upstream.T @ x.detach())
    assert torch.equal(layer.bias.grad, upstream.sum(dim=0))
    assert torch.equal(x.grad, upstream @ weight)


# Whole models.

CHOICES = {
    "mean-gelu-pot4-channel": {},
    "token-relu-pot6-tensor": {
        "global_pool": "token", "activation": "relu", "weight_format": "pot6", "weight_scaling": "tensor",
        "activation_bits": 6,
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=CHOICES.values(), ids=CHOICES)
def frozen(request: pytest.FixtureRequest) -> VisionTransformer:
    return random_model(tiny_config(**request.param))


def never_frozen(model: VisionTransformer) -> VisionTransformer:
    made = VisionTransformer(model.config)
    made.load_state_dict(model.state_dict())
    for module in made.modules():
        if isinstance(module, (FusedActivation, FusedSignificantBits, FusedPotLinear)):
            assert getattr(module, "grid", None) is None and getattr(module, "format", None) is None
    return made


def test_every_quantizer_takes_the_short_way(frozen: VisionTransformer, monkeypatch: pytest.MonkeyPatch):
    frozen.train()
    pixels = torch.from_numpy(noise(4)).float()
    with monkeypatch.context() as patch, torch.no_grad():
        for layer in (QuantIdentity, QuantLinear):
            patch.setattr(layer, "forward", lambda *_: pytest.fail("the long way"))
        short = frozen(pixels)
    layers = [module for module in frozen.modules() if isinstance(module, (QuantIdentity, QuantLinear))]
    assert len(layers) > 30 and all(type(layer).__name__.startswith("Fused") for layer in layers)
    with torch.no_grad():
        assert same_bits(short, frozen.eval()(pixels)) and same_bits(short, never_frozen(frozen).train()(pixels))


def inner_gradient(layer: FusedPotLinear) -> torch.Tensor:
    """The gradient of a layer's weights, without those that saturate and the largest of every row.

    Brevitas stops the gradient of the former, and sends that of the scale through the latter.
    """
    rows, values = layer.weight.detach().abs(), layer.quant_weight().value.abs()
    inside = (rows < rows.amax(dim=1, keepdim=True)) & (rows < values.amax(dim=1, keepdim=True))
    assert inside.float().mean() > 0.5
    return layer.weight.grad[inside]


def test_gradients_point_the_same_way(frozen: VisionTransformer):
    """Brevitas' also follow the exponents of what they round, which the short way holds constant."""
    pixels, labels = torch.from_numpy(noise(8)).float(), torch.arange(8)
    gradients = []
    for model in (frozen, never_frozen(frozen)):
        model.train().zero_grad()
        torch.nn.functional.cross_entropy(model(pixels), labels).backward()
        gradients.append({name: inner_gradient(layer) for name, layer in matrices(model).items()})
    assert len(gradients[0]) == 8
    cosines = {
        name: float(torch.nn.functional.cosine_similarity(gradient, gradients[1][name], dim=0))
        for name, gradient in gradients[0].items()
    }
    assert min(cosines.values()) > 0.9, cosines


def test_export_is_the_same(frozen: VisionTransformer, tmp_path: Path):
    graphs = [
        export(model, tmp_path / f"{name}.onnx")
        for name, model in (("frozen", frozen.train()), ("plain", never_frozen(frozen)))
    ]
    assert graphs[0].model.graph.SerializeToString(deterministic=True) == graphs[1].model.graph.SerializeToString(
        deterministic=True
    )
    images = noise(4)
    with torch.no_grad():
        golden = frozen.train()(torch.from_numpy(images).float()).numpy()
    assert (run_images(graphs[0], images) == golden).all()


# Convolutions.


@functools.cache
def convolution(weight_format: str, scaling: str, depthwise: bool) -> FusedPotConv:
    config = hybrid_config(weight_format=weight_format, weight_scaling=scaling)
    geometry = {"groups": 3} if depthwise else {"stride": 2}
    layer = quantizers.conv(config, 3 if depthwise else 1, 3, 2, bias=True, padding=1, **geometry)
    fused.freeze(layer)
    return layer


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("scaling", ["channel", "tensor"])
@pytest.mark.parametrize("weight_format", ["pot4", "pot6"])
@property_settings
@given(weights=st.lists(SMALL, min_size=12, max_size=12), biases=st.lists(SMALL, min_size=3, max_size=3))
def test_convolution(weight_format: str, scaling: str, depthwise: bool, weights: list[float], biases: list[float]):
    """Weights and bias as Brevitas rounds them, and the same sums as a linear layer over its windows."""
    layer = convolution(weight_format, scaling, depthwise)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights).reshape(3, 1, 2, 2))
        layer.bias.copy_(torch.tensor(biases))
        weight, bias = layer.short_weight(), layer.short_bias()
        assert same_bits(weight, layer.quant_weight().value) and same_bits(bias, layer.quant_bias().value)
        x = (torch.arange(2.0 * layer.in_channels * 12) % 17 - 8).reshape(2, layer.in_channels, 3, 4)
        made = layer.train()(x)
        assert same_bits(made, value(layer.eval()(x)))
        windows = torch.nn.functional.unfold(x, 2, padding=1, stride=layer.stride)
        windows = windows.reshape(2, layer.in_channels, 4, -1).expand(2, 3, 4, -1)
        expected = (windows * weight.reshape(3, 4, 1)).sum(dim=2) + bias[:, None]
        assert same_bits(made.flatten(2), expected)


def test_gradients_of_a_convolution_pass_straight_through():
    layer = convolution("pot4", "channel", True).train()
    with torch.no_grad():
        layer.weight.copy_(
            torch.tensor([1.0, -1.0, 0.9, 1e-5, 0.0, 0.0, -0.0, 0.0, 3.0, 0.1, 0.7, -2.9]).reshape(3, 1, 2, 2)
        )
    layer.zero_grad()
    x = (torch.arange(36.0).reshape(1, 3, 3, 4) - 11).requires_grad_()
    weight = layer.short_weight().detach().requires_grad_()
    torch.nn.functional.conv2d(x, weight, padding=1, groups=3).square().sum().backward()
    wanted, x.grad = (weight.grad, x.grad), None
    with torch.no_grad():
        layer.bias.zero_()
    layer(x).square().sum().backward()
    assert torch.equal(layer.weight.grad, wanted[0]) and torch.equal(x.grad, wanted[1])

"""The Brevitas quantizers, qonnx's operators and models in fractions give the same values."""

from __future__ import annotations

import functools
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qonnx.custom_op.general.floatquant import float_quant
from qonnx.custom_op.general.quant import quant

from brevitas_model import quantizers
from brevitas_model.config import ViTConfig
from hls_projects.integer import decode_pot, encode_pot, significand

ROWS, COLUMNS = 3, 4
FORMATS = {"pot4": (3, 0), "pot6": (3, 2)}
POT_BIAS = 3
# Scales that the largest weight of a channel is taken for: the power of two next to the largest value.
REACH = {"pot4": 16, "pot6": 32}
E6M7 = (6, 7, 31)

property_settings = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)


# Models. A value is an exact fraction of the float32 it comes from.


def round_half_even(value: Fraction) -> int:
    low = value.numerator // value.denominator
    rest = value - low
    return low + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and low % 2 == 1))


def model_minifloat(value: float, scale: float, exponent_bits: int, mantissa_bits: int, bias: int) -> float:
    """Nearest minifloat; a tie goes to the even multiple of the step below it. Saturates."""
    x = Fraction(value) / Fraction(scale)
    exponent = 1 - bias
    while abs(x) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    step = Fraction(2) ** (exponent - mantissa_bits)
    largest = (2 - Fraction(1, 2**mantissa_bits)) * Fraction(2) ** (2**exponent_bits - 1 - bias)
    return float(min(max(round_half_even(x / step) * step, -largest), largest) * Fraction(scale))


def model_integer(value: float, scale: float, low: int, high: int) -> float:
    return float(min(max(round_half_even(Fraction(value) / Fraction(scale)), low), high) * Fraction(scale))


def is_power_of_two(scale: float) -> bool:
    return np.frexp(scale)[0] == 0.5


# Strategies.

FLOATS = st.floats(-8, 8, width=32).map(lambda x: x if abs(x) > 2.0**-40 else 0.0)
SPECIAL = st.sampled_from([0.0, -0.0])
# A few bits at every exponent: all ties and limits of the formats.
SHORT = st.builds(lambda bits, exponent: float(bits * 2.0**exponent), st.integers(-33, 33), st.integers(-14, -2))
NUMBERS = SPECIAL | SHORT | FLOATS


def matrices(elements: st.SearchStrategy[float] = NUMBERS) -> st.SearchStrategy[np.ndarray]:
    row = st.lists(elements, min_size=COLUMNS, max_size=COLUMNS)
    return st.lists(row, min_size=ROWS, max_size=ROWS).map(lambda rows: np.array(rows, dtype=np.float32))


# Weights.


@functools.cache
def layer(weight_format: str, scaling: str = "channel"):
    return quantizers.linear(ViTConfig(weight_format=weight_format, weight_scaling=scaling), COLUMNS, ROWS).eval()


def quantized_weight(weight_format: str, weight: np.ndarray, scaling: str = "channel") -> tuple[np.ndarray, np.ndarray]:
    """Values and scale of the layer's weight quantizer."""
    module = layer(weight_format, scaling)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight))
        result = module.quant_weight()
    return result.value.numpy(), np.broadcast_to(result.scale.numpy(), (ROWS, 1))


def check_weight(weight_format: str, weight: np.ndarray, scaling: str = "channel") -> tuple[np.ndarray, np.ndarray]:
    value, scale = quantized_weight(weight_format, weight, scaling)
    exponent_bits, mantissa_bits = FORMATS[weight_format]
    expected = [
        [model_minifloat(float(x), float(s), exponent_bits, mantissa_bits, POT_BIAS) for x in row]
        for row, (s,) in zip(weight, scale, strict=True)
    ]
    np.testing.assert_array_equal(value, expected)
    widths = np.float32(exponent_bits), np.float32(mantissa_bits), np.float32(POT_BIAS)
    np.testing.assert_array_equal(float_quant(weight, scale, *widths), expected)
    return value, scale


@pytest.mark.parametrize("scaling", ["channel", "tensor"])
@pytest.mark.parametrize("weight_format", FORMATS)
@property_settings
@given(weight=matrices())
def test_weights(weight_format, scaling, weight):
    check_weight(weight_format, weight, scaling)


@pytest.mark.parametrize("scaling", ["channel", "tensor"])
@pytest.mark.parametrize("weight_format", FORMATS)
@property_settings
@given(weight=matrices())
def test_weight_scale_is_the_nearest_power_of_two(weight_format, scaling, weight):
    """The largest magnitude is within a factor of sqrt(2) of 2^4 (E3M0) or 2^5 (E3M2) scales."""
    _, scale = quantized_weight(weight_format, weight, scaling)
    reach = REACH[weight_format] * scale[:, 0].astype(np.float64)
    peak = np.abs(weight).max(axis=1 if scaling == "channel" else None).astype(np.float64)
    peak = np.maximum(peak, quantizers.MIN_WEIGHT_RANGE)
    np.testing.assert_array_less(np.abs(np.log2(reach / peak)), 0.5 + 1e-5)
    assert all(is_power_of_two(s) for s in scale[:, 0])


@pytest.mark.parametrize("weight_format", FORMATS)
def test_every_value_and_tie_of_the_weight_format(weight_format):
    """Each value stays, each midpoint goes to one of its neighbours, with either sign."""
    exponent_bits, mantissa_bits = FORMATS[weight_format]
    codes = np.arange(1 << (exponent_bits + mantissa_bits))
    unit = 2.0 ** (1 - POT_BIAS - mantissa_bits)
    values = decode_pot(codes, exponent_bits, mantissa_bits) * unit
    midpoints = (values[:-1] + values[1:]) / 2
    for x in np.concatenate([values, midpoints]):
        row = np.array([x, -x, REACH[weight_format], 0.0]) / REACH[weight_format]
        value, scale = check_weight(weight_format, np.resize(row, (ROWS, COLUMNS)).astype(np.float32))
        got = value[0] / scale[0]
        assert got[0] == -got[1]
        assert got[0] in values and abs(got[0] - x) == np.abs(values - x).min()
        assert encode_pot(np.rint(got / unit).astype(np.int64), exponent_bits, mantissa_bits)[0] in codes


@pytest.mark.parametrize("weight_format", FORMATS)
@property_settings
@given(weight=matrices())
def test_weights_are_codes(weight_format, weight):
    """encode_pot holds exactly the values of FloatQuant."""
    value, scale = quantized_weight(weight_format, weight)
    exponent_bits, mantissa_bits = FORMATS[weight_format]
    integers = np.float64(value) / scale * 2.0 ** (POT_BIAS + mantissa_bits - 1)
    assert np.all(integers == np.rint(integers))
    codes = encode_pot(integers.astype(np.int64), exponent_bits, mantissa_bits)
    np.testing.assert_array_equal(decode_pot(codes, exponent_bits, mantissa_bits), integers)


@pytest.mark.parametrize("weight_format", FORMATS)
def test_every_code_is_a_weight(weight_format):
    exponent_bits, mantissa_bits = FORMATS[weight_format]
    codes = np.arange(1 << (1 + exponent_bits + mantissa_bits))
    values = np.float32(decode_pot(codes, exponent_bits, mantissa_bits) * 2.0 ** (1 - POT_BIAS - mantissa_bits))
    widths = np.float32(exponent_bits), np.float32(mantissa_bits), np.float32(POT_BIAS)
    np.testing.assert_array_equal(float_quant(values, np.float32(1), *widths), values)


def test_e3m0_ties_go_up():
    """Halfway between two powers is 1.5 steps, and 2 is the even one; halfway to zero is zero."""
    weight = np.resize(np.array([1.0, 0.75, 0.375, 2.0**-7], dtype=np.float32), (ROWS, COLUMNS))
    value, scale = check_weight("pot4", weight)
    assert scale[0] == 2.0**-4
    assert value[0].tolist() == [1.0, 1.0, 0.5, 0.0]


def test_e3m2_saturates():
    """The scale gives 2^5 room, the format ends at 28."""
    weight = np.resize(np.array([1.0, -1.0, 0.90625, 0.875], dtype=np.float32), (ROWS, COLUMNS))
    value, _ = check_weight("pot6", weight)
    assert value[0].tolist() == [0.875, -0.875, 0.875, 0.875]


# Biases.


def quantized_bias(bias: np.ndarray) -> tuple[np.ndarray, float]:
    module = layer("pot4")
    with torch.no_grad():
        module.bias.copy_(torch.from_numpy(bias))
        result = module.quant_bias()
    return result.value.numpy(), float(result.scale)


@property_settings
@given(bias=st.lists(NUMBERS, min_size=ROWS, max_size=ROWS).map(lambda row: np.array(row, dtype=np.float32)))
def test_bias(bias):
    value, scale = quantized_bias(bias)
    assert is_power_of_two(scale)
    peak = max(float(np.abs(bias).max()), quantizers.MIN_BIAS_RANGE)
    assert peak <= 128 * scale * (1 + 1e-5) and 128 * scale < 2 * peak * (1 + 1e-5)
    expected = [model_integer(float(x), scale, -128, 127) for x in bias]
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(qonnx_quant(bias, scale, 8, signed=True), expected)


@pytest.mark.parametrize(
    ("bias", "expected"),
    [
        ([0.5, -0.5, 0.0], [127 / 256, -0.5, 0.0]),
        ([0.5, 0.5 / 256, 1.5 / 256], [127 / 256, 0.0, 2 / 256]),
        ([0.0, -0.0, 2.0**-16], [0.0, 0.0, 0.0]),
    ],
)
def test_bias_limits_and_ties(bias, expected):
    value, _ = quantized_bias(np.array(bias, dtype=np.float32))
    np.testing.assert_array_equal(value, np.array(expected, dtype=np.float32))


# Activations.


def qonnx_quant(x: np.ndarray, scale: float, bits: int, *, signed: bool) -> np.ndarray:
    return quant(x, np.float32(scale), np.float32(0), np.float32(bits), signed, False, "ROUND")


@functools.cache
def fixed_activation(exponent: int, bits: int, signed: bool):
    config = ViTConfig(weight_format="pot4")
    return quantizers.fixed_activation(config, scale=2.0**exponent, signed=signed, bits=bits).eval()


@property_settings
@given(
    exponent=st.integers(-10, 3),
    width=st.sampled_from([(8, True), (8, False), (9, True), (4, True), (4, False), (16, True)]),
    numbers=st.lists(NUMBERS | st.floats(-(2.0**20), 2.0**20, width=32), min_size=1, max_size=20),
    halves=st.lists(st.integers(-(2**18), 2**18), max_size=20),
)
def test_fixed_activation(exponent, width, numbers, halves):
    (bits, signed), scale = width, 2.0**exponent
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    ends = [edge + off for edge in (low, high) for off in (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)]
    x = np.array([*numbers, *(half * scale / 2 for half in halves), *(end * scale for end in ends)], dtype=np.float32)
    with torch.no_grad():
        result = fixed_activation(exponent, bits, signed)(torch.from_numpy(x))
    value = getattr(result, "value", result).numpy()
    expected = [model_integer(float(v), scale, low, high) for v in x]
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(qonnx_quant(x, scale, bits, signed=signed), expected)


@pytest.mark.parametrize("signed", [True, False])
def test_fixed_activation_has_the_given_scale(signed):
    assert float(fixed_activation(-5, 8, signed).act_quant.scale()) == 2.0**-5


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("peak", [0.3, 1.0, 5.7])
def test_calibrated_activation(signed, peak):
    """The scale found in training is a power of two, and the codes are those of the model."""
    activation = quantizers.activation(ViTConfig(weight_format="pot4"), signed=signed).train()
    x = torch.linspace(-peak, peak, 401)
    with torch.no_grad():
        for _ in range(quantizers.CALIBRATION_STEPS + 1):
            activation(x)
        result = activation.eval()(x)
    scale = float(activation.act_quant.scale().detach())
    assert is_power_of_two(scale)
    low, high = (-128, 127) if signed else (0, 255)
    expected = [model_integer(float(v), scale, low, high) for v in x]
    np.testing.assert_array_equal(getattr(result, "value", result).numpy(), expected)
    np.testing.assert_array_equal(qonnx_quant(x.numpy(), scale, 8, signed=signed), expected)


# Eight significant bits.


@functools.cache
def significant_bits():
    return quantizers.significant_bits(ViTConfig(weight_format="pot4")).eval()


def check_significant_bits(x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        result = significant_bits()(torch.from_numpy(x))
    value = getattr(result, "value", result).numpy()
    expected = [model_minifloat(float(v), 1.0, *E6M7) for v in x]
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(float_quant(x, np.float32(1), *map(np.float32, E6M7)), expected)
    return value


@property_settings
@given(st.data())
def test_significant_bits(data):
    # Ten bits at every exponent of the format and a little beyond, and any float.
    ten_bits = st.builds(lambda m, e: float(m * 2.0**e), st.integers(-1023, 1023), st.integers(-45, 26))
    numbers = ten_bits | NUMBERS | st.floats(-(2.0**40), 2.0**40, width=32, allow_subnormal=False)
    check_significant_bits(np.array(data.draw(st.lists(numbers, min_size=1, max_size=40)), dtype=np.float32))


def test_significant_bits_limits():
    largest = 255 * 2.0**25
    x = [0.0, -0.0, 257.0, 259.0, 511.0, -513.0, 2.0**-37, 2.0**-38, 1.5 * 2.0**-37, largest, 2 * largest, -(2.0**40)]
    expected = [0.0, 0.0, 256.0, 260.0, 512.0, -512.0, 2.0**-37, 0.0, 2.0**-36, largest, largest, -largest]
    np.testing.assert_array_equal(check_significant_bits(np.array(x, dtype=np.float32)), np.float32(expected))


@property_settings
@given(st.lists(st.integers(1, 2**24), min_size=1, max_size=40))
def test_significant_bits_is_the_kernels_significand(naturals):
    """What softmax and LayerNorm do with sums in hardware is this quantizer."""
    mantissas, exponents = significand(np.array(naturals))
    value = check_significant_bits(np.array(naturals, dtype=np.float32))
    np.testing.assert_array_equal(value, mantissas * 2.0**exponents)

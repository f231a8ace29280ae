"""The kernel, its numpy semantics and a model in fractions agree."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import Head, PotLinear
from tests.support.kernel_bench import check_kernel
from tests.support.operators import arrays, codes, integers, kernel_settings, limits, make_operator, naive_requantize

TOKENS, INPUTS, OUTPUTS, CASES = 2, 3, 4, 8
BIAS, ACC_SHIFT, OUT_SHIFT = 2**11, 3, 12
# Exponent bits, mantissa bits, type in, type out.
FORMATS = [
    (3, 0, "INT8", "INT8"),
    (3, 0, "UINT8", "UINT8"),
    (3, 2, "INT8", "INT8"),
    (3, 2, "UINT8", "INT8"),
    (4, 1, "INT8", "INT8"),
]
FOLDINGS = [
    {},
    {"pe": 3, "simd": 2},
    {"pe": 4, "element": "bucket"},
    {"pe": 2, "simd": 3, "element": "dsp"},
    {"simd": 2, "element": "bucket", "parallel_tokens": 2},
]
# Formats and foldings of layers that skip zeros. A row has at most NONZEROS other weights in each 16 inputs.
SPARSE_INPUTS, NONZEROS = 20, 5
SPARSE = [
    (FORMATS[0], {"pe": 3, "simd": 2}),
    (FORMATS[2], {"pe": 3, "element": "bucket", "parallel_tokens": 2}),
    (FORMATS[3], {"simd": 3, "element": "dsp"}),
]


def naive_weight(code: int, exponent_bits: int, mantissa_bits: int) -> Fraction:
    """The minifloat of the OCP specification, in units of its smallest magnitude."""
    bits = f"{code:0{1 + exponent_bits + mantissa_bits}b}"
    exponent, mantissa = int(bits[1 : 1 + exponent_bits], 2), int("0" + bits[1 + exponent_bits :], 2)
    fraction = Fraction(mantissa, 2**mantissa_bits)
    magnitude = (1 + fraction) * 2 ** (exponent - 1) if exponent else fraction
    return (-1) ** int(bits[0]) * magnitude * 2**mantissa_bits


def naive(operator: PotLinear, x: np.ndarray) -> np.ndarray:
    weight_format = operator.size("exponent_bits"), operator.size("mantissa_bits")
    weights = [[naive_weight(code, *weight_format) for code in row] for row in operator.array("codes").tolist()]
    bias, acc_shift, out_shift = (operator.array(name).tolist() for name in ("bias", "acc_shift", "out_shift"))

    def output(token: list[int], n: int) -> int:
        total = sum(weight * code for weight, code in zip(weights[n], token, strict=True))
        return naive_requantize(total * 2 ** acc_shift[n] + bias[n], out_shift[n], operator.out_dtype)

    return np.array([[[output(token, n) for n in range(len(weights))] for token in case] for case in x.tolist()])


def linear(weight_format: tuple[int, int, str, str], **attributes: int | str | np.ndarray) -> PotLinear:
    exponent_bits, mantissa_bits, in_dtype, out_dtype = weight_format
    sizes = {"n_tokens": TOKENS, "n_in": INPUTS, "n_out": OUTPUTS}
    bits = {"exponent_bits": exponent_bits, "mantissa_bits": mantissa_bits}
    return make_operator(PotLinear, [in_dtype], out_dtype, **(sizes | bits | attributes))


@st.composite
def layers(draw: st.DrawFn, weight_format: tuple[int, int, str, str], folding: dict[str, int | str]) -> PotLinear:
    """Any layer whose first two rows fix the types, so that one compiled program runs all of them.

    Row 0 has the largest magnitudes, row 1 only zeros of both signs.
    """
    sign = 1 << (weight_format[0] + weight_format[1])
    inputs = SPARSE_INPUTS if folding.get("sparse") else INPUTS
    weights = draw(arrays(0, 2 * sign - 1, OUTPUTS, inputs))
    weights[0] |= sign - 1
    weights[1] &= sign
    if folding.get("sparse"):
        order = draw(st.lists(st.permutations(range(16)), min_size=OUTPUTS, max_size=OUTPUTS))
        weights = np.where(np.tile(order, 2)[:, :inputs] < NONZEROS, weights, weights & sign)
        # All of the last block, which has four inputs, whatever the order.
        weights[0, 16:] |= sign - 1
    bias = draw(arrays(-BIAS, BIAS - 1, OUTPUTS))
    bias[:2] = -BIAS, BIAS - 1
    acc_shift, out_shift = draw(arrays(0, ACC_SHIFT, OUTPUTS)), draw(arrays(0, OUT_SHIFT, OUTPUTS))
    acc_shift[0], out_shift[1] = ACC_SHIFT, OUT_SHIFT
    shifts = {"acc_shift": acc_shift, "out_shift": out_shift}
    return linear(weight_format, n_in=inputs, codes=weights, bias=bias, **shifts, **folding)


@pytest.mark.parametrize("weight_format, folding", zip(FORMATS, FOLDINGS, strict=True))
@kernel_settings
@given(data=st.data())
def test_any_layer(weight_format, folding, data):
    operator = data.draw(layers(weight_format, folding))
    x = data.draw(codes(weight_format[2], CASES, TOKENS, INPUTS))
    np.testing.assert_array_equal(check_kernel(operator, x), naive(operator, x))


@pytest.mark.parametrize("weight_format, folding", SPARSE)
@kernel_settings
@given(data=st.data())
def test_any_layer_that_skips_zeros(weight_format, folding, data):
    """Rows of zeros, of fewer weights than the densest block has, and blocks that the inputs do not fill."""
    operator = data.draw(layers(weight_format, folding | {"sparse": 1}))
    assert operator.weights.block_nonzeros == NONZEROS and operator.geometry.kernel_steps == 2 * NONZEROS
    x = data.draw(codes(weight_format[2], CASES, TOKENS, SPARSE_INPUTS))
    np.testing.assert_array_equal(check_kernel(operator, x), naive(operator, x))


@pytest.mark.parametrize("weight_format", FORMATS)
def test_exponents_of_every_code(weight_format):
    """Each code twice; every power of two that the format holds has its index, in order."""
    exponent_bits, mantissa_bits, *_ = weight_format
    every = 2 * list(range(2 << (exponent_bits + mantissa_bits)))
    weights = [naive_weight(code, exponent_bits, mantissa_bits) for code in every]
    leading = [int(abs(weight)).bit_length() - 1 for weight in weights if weight]
    zeros = np.zeros(len(every), dtype=np.int64)
    operator = linear(weight_format, codes=np.array([every]).T, bias=zeros, acc_shift=zeros, out_shift=zeros)
    assert operator.weights.exponent_counts().tolist() == [leading.count(power) for power in range(max(leading) + 1)]


@pytest.mark.parametrize("exponent_bits, mantissa_bits", [f[:2] for f in FORMATS])
def test_exponents_that_no_weight_has(exponent_bits, mantissa_bits):
    largest = mantissa_bits + (1 << exponent_bits) - 2
    zeros = np.zeros(OUTPUTS, dtype=np.int64)
    codes = np.zeros((OUTPUTS, INPUTS), dtype=np.int64)
    codes[0, 0] = 1 << mantissa_bits
    operator = linear(
        (exponent_bits, mantissa_bits, "INT8", "INT8"), codes=codes, bias=zeros, acc_shift=zeros, out_shift=zeros
    )
    assert operator.weights.exponent_counts().tolist() == [int(power == mantissa_bits) for power in range(largest + 1)]


def test_macs():
    zeros = np.zeros(OUTPUTS, dtype=np.int64)
    codes = np.zeros((OUTPUTS, INPUTS), dtype=np.int64)
    assert linear(FORMATS[0], codes=codes, bias=zeros, acc_shift=zeros, out_shift=zeros).macs() == 2 * 3 * 4


@pytest.mark.parametrize("weight_format, element", [(FORMATS[0], "shift"), (FORMATS[2], "bucket")])
def test_accumulator_holds_its_extremes(weight_format, element):
    """The largest weights, inputs and biases of one sign; the shift leaves the sum's high bits."""
    sign = 1 << (weight_format[0] + weight_format[1])
    weights = np.full((OUTPUTS, INPUTS), sign - 1) | sign * np.array([[0], [1], [0], [1]])
    bias = np.array([BIAS - 1, -BIAS, -BIAS, BIAS - 1])
    shifts = {"acc_shift": np.full(OUTPUTS, ACC_SHIFT), "out_shift": np.full(OUTPUTS, 15)}
    operator = linear(weight_format, codes=weights, bias=bias, **shifts, element=element)
    low, high = limits(operator.in_dtype())
    x = np.array([low, high]).reshape(2, 1, 1) * np.ones((1, TOKENS, INPUTS), dtype=np.int64)
    np.testing.assert_array_equal(check_kernel(operator, x), naive(operator, x))


def test_accumulator_holds_a_large_bias():
    """The smallest weights: most of the accumulator is there for the bias."""
    weights = np.resize([1, 9], (OUTPUTS, 1)).repeat(INPUTS, axis=1)
    shifts = {"acc_shift": np.zeros(OUTPUTS), "out_shift": np.full(OUTPUTS, 5)}
    operator = linear(FORMATS[0], codes=weights, bias=np.resize([-BIAS, BIAS - 1], OUTPUTS), **shifts)
    x = np.array([-128, 127]).reshape(2, 1, 1).repeat(TOKENS, axis=1).repeat(INPUTS, axis=2)
    np.testing.assert_array_equal(check_kernel(operator, x), naive(operator, x))


def test_layer_of_zeros():
    """No weight and no bias: the accumulator is as narrow as a type can be."""
    zeros = np.zeros(OUTPUTS, dtype=np.int64)
    weights = np.array([0, 8, 0, 8]).reshape(OUTPUTS, 1).repeat(INPUTS, axis=1)
    shifts = {"acc_shift": zeros, "out_shift": zeros}
    operator = linear(FORMATS[0], codes=weights, bias=zeros, **shifts, sparse=1, element="bucket")
    x = np.array([-128, 127, -1]).reshape(1, 1, INPUTS).repeat(TOKENS, axis=1)
    assert not check_kernel(operator, x).any()


def test_ties_and_saturation():
    """Every half in reach, about zero and about both limits of the output."""
    weights = np.full((OUTPUTS, INPUTS), 0)
    weights[:, 0] = [1, 9, 3, 11]  # 1, -1, 4, -4
    shifts = {"acc_shift": np.zeros(OUTPUTS), "out_shift": np.ones(OUTPUTS)}
    operator = linear(FORMATS[0], codes=weights, bias=np.array([0, 0, 129, -129]), **shifts)
    x = np.zeros((256, TOKENS, INPUTS), dtype=np.int64)
    x[:, 0, 0] = np.arange(-128, 128)
    expected = naive(operator, x)
    np.testing.assert_array_equal(check_kernel(operator, x), expected)
    assert expected[:, 0, 0].tolist()[125:132] == [-2, -1, 0, 0, 0, 1, 2]
    assert {expected.min(), expected.max()} == {-128, 127}


@kernel_settings
@given(data=st.data())
def test_head(data):
    """The classifier is the same kernel on one token, its result without the token's axis."""
    weights = data.draw(arrays(0, 15, 5, INPUTS))
    weights[0] |= 7
    bias = np.array([-BIAS, BIAS - 1, 0, data.draw(integers(-BIAS, BIAS - 1)), 1])
    operator = make_operator(
        Head, ["INT8"], "INT16", n_tokens=1, n_in=INPUTS, n_out=5, exponent_bits=3, mantissa_bits=0,
        codes=weights, bias=bias, acc_shift=np.array([2, 0, 1, 2, 0]), out_shift=np.zeros(5), pe=2, simd=3,
    )  # fmt: skip
    x = data.draw(codes("INT8", CASES, 1, INPUTS))
    np.testing.assert_array_equal(check_kernel(operator, x), naive(operator, x)[:, 0])

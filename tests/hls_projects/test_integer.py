"""``hls_projects.integer`` against models in python integers and fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from hls_projects.integer import (
    decode_pot,
    encode_pot,
    exact_matmul,
    requantize,
    saturate,
    shift_right_half_even,
    significand,
    smallest_dtype,
)
from tests.support.operators import limits, naive_requantize, naive_round, naive_significand

VALUES = st.integers(-(2**50), 2**50)
# Plain ones, and ten bits with a tail of zeros: ties and overflows of the mantissa.
NATURALS = st.integers(0, 2**52) | st.builds(int.__lshift__, st.integers(250, 1030), st.integers(0, 40))
DTYPES = st.sampled_from(["INT2", "INT8", "UINT8", "UINT1", "INT16", "INT32"]).map(DataType.__getitem__)
FORMATS = [(3, 0), (3, 2), (4, 1), (2, 3), (1, 1)]


def ties(value: int, shift: int) -> list[int]:
    """Values about the half that ``value`` shifted right lies beside."""
    half = (value >> shift << shift) + (1 << shift >> 1)
    return [half - 1, half, half + 1]


@pytest.mark.parametrize(
    ("value", "shift", "expected"),
    [(1, 1, 0), (3, 1, 2), (5, 1, 2), (-1, 1, 0), (-3, 1, -2), (-5, 1, -2), (7, 2, 2), (-7, 2, -2), (-1, 0, -1)],
)
def test_known_roundings(value, shift, expected):
    assert naive_round(Fraction(value, 2**shift)) == expected
    assert shift_right_half_even(np.array([value]), shift) == expected


@given(VALUES, st.integers(0, 50))
def test_shift_rounds_half_to_even(value, shift):
    values = np.array([value, *ties(value, shift)])
    # python's own round of a fraction is half to even as well
    expected = [round(Fraction(int(v), 2**shift)) for v in values]
    assert shift_right_half_even(values, shift).tolist() == expected
    assert shift_right_half_even(values, np.full(4, shift)).tolist() == expected
    assert [naive_round(Fraction(int(v), 2**shift)) for v in values] == expected


@given(st.lists(st.tuples(VALUES, st.integers(0, 50)), min_size=1), DTYPES)
def test_requantize_broadcasts_and_saturates(pairs, dtype):
    values, shifts = (np.array(column) for column in zip(*pairs, strict=True))
    expected = [[naive_requantize(int(v), int(s), dtype) for s in shifts] for v in values]
    assert requantize(values[:, None], shifts, dtype).tolist() == expected


@given(st.lists(VALUES, min_size=1), DTYPES)
def test_saturate(values, dtype):
    low, high = limits(dtype)
    assert saturate(np.array([*values, low - 1, low, high, high + 1]), dtype).tolist() == [
        low if v < low else high if v > high else v for v in [*values, low - 1, low, high, high + 1]
    ]


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 4), st.data())
def test_matmul_is_exact(rows, depth, columns, data):
    """Up to products of 49 bits, as sums of nine of them stay below 2^53."""
    entry = st.integers(-(2**24), 2**24)
    a = [[data.draw(entry) for _ in range(depth)] for _ in range(rows)]
    b = [[data.draw(entry) for _ in range(columns)] for _ in range(depth)]
    expected = [[sum(row[k] * b[k][n] for k in range(depth)) for n in range(columns)] for row in a]
    assert exact_matmul(np.array(a), np.array(b)).tolist() == expected


@given(st.lists(NATURALS, min_size=1))
@example([0, 1, 2, 127, 128, 255, 256, 511, 513, 515, 2**48 - 1, 2**50 - 1, 2**52 - 1])
def test_significand(values):
    mantissas, exponents = significand(np.array(values))
    assert list(zip(mantissas.tolist(), exponents.tolist(), strict=True)) == [naive_significand(v) for v in values]


@given(NATURALS.filter(bool))
def test_significand_is_within_half_a_unit(value):
    (mantissa,), (exponent,) = significand(np.array([value]))
    assert 128 <= mantissa <= 255
    unit = Fraction(2) ** int(exponent)
    assert abs(int(mantissa) * unit - value) <= unit / 2


@pytest.mark.parametrize(("exponent_bits", "mantissa_bits"), FORMATS)
def test_decode_is_the_minifloat(exponent_bits, mantissa_bits):
    for code in range(1 << (1 + exponent_bits + mantissa_bits)):
        sign, rest = divmod(code, 1 << (exponent_bits + mantissa_bits))
        exponent, mantissa = divmod(rest, 1 << mantissa_bits)
        fraction = Fraction(mantissa, 1 << mantissa_bits)
        magnitude = (1 + fraction) * 2 ** (exponent - 1) if exponent else fraction
        expected = (-1) ** sign * magnitude * 2**mantissa_bits
        assert decode_pot(np.array([code]), exponent_bits, mantissa_bits) == expected


@pytest.mark.parametrize(("exponent_bits", "mantissa_bits"), FORMATS)
def test_encode_and_decode_round_trip(exponent_bits, mantissa_bits):
    every = np.arange(1 << (1 + exponent_bits + mantissa_bits))
    values = decode_pot(every, exponent_bits, mantissa_bits)
    again = encode_pot(values.reshape(2, -1), exponent_bits, mantissa_bits)
    assert again.shape == (2, len(every) // 2)
    # Only negative zero changes, to zero.
    negative_zero = 1 << (exponent_bits + mantissa_bits)
    np.testing.assert_array_equal(again.reshape(-1), np.where(every == negative_zero, 0, every))


@pytest.mark.parametrize(
    ("value", "weight_format"), [(3, (3, 0)), (128, (3, 0)), (-65, (3, 0)), (9, (3, 2)), (449, (3, 2))]
)
def test_encode_refuses_what_the_format_lacks(value, weight_format):
    with pytest.raises(ValueError, match=f"E{weight_format[0]}M{weight_format[1]} has no code for {value}"):
        encode_pot(np.array([0, value]), *weight_format)


BOUNDS = st.integers(-(2**31), 2**31) | st.builds(
    lambda sign, power, off: sign * 2**power + off, st.sampled_from([-1, 1]), st.integers(0, 31), st.integers(-1, 1)
)


@given(st.tuples(BOUNDS, BOUNDS).map(sorted))
@example([0, 0])
@example([-1, -1])
@example([-4, -4])
@example([-128, -128])
@example([-5, -2])
def test_smallest_dtype_holds_both_and_is_narrowest(bounds):
    low, high = bounds
    dtype = smallest_dtype(low, high)
    assert dtype.signed() == (low < 0)
    lowest, highest = limits(dtype)
    assert lowest <= low <= high <= highest
    bits = dtype.bitwidth()
    if bits > 1:
        narrower = (-(2 ** (bits - 2)), 2 ** (bits - 2) - 1) if low < 0 else (0, 2 ** (bits - 1) - 1)
        assert not narrower[0] <= low <= high <= narrower[1]

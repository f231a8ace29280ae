"""``fixed_point.h`` against fractions, and against ``hls_projects.integer``."""

from __future__ import annotations

import functools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from hls_projects.integer import requantize, shift_right_half_even, significand
from hls_projects.project.conversion import cpp_type
from tests.support.kernel_bench import cached_source, header, run_vectors
from tests.support.operators import integers, kernel_settings, limits, naive_requantize, naive_round, naive_significand

# Types of the value, the result and the natural number; the shift goes as far as the value allows.
TYPES = [
    ("INT10", "INT4", "UINT3"),
    ("INT12", "UINT8", "UINT10"),
    ("INT48", "INT8", "UINT40"),
    ("INT24", "INT24", "UINT9"),
]


@functools.cache
def program(value: str, result: str, natural: str) -> Path:
    last_shift = DataType[value].bitwidth() - 2
    types = {
        "value_t": cpp_type(DataType[value]),
        "shift_t": f"ap_uint<{last_shift.bit_length()}>",
        "result_t": cpp_type(DataType[result]),
        "natural_t": cpp_type(DataType[natural]),
    }
    lines = [f"    typedef {cpp} {name};" for name, cpp in types.items()]
    return cached_source(
        Path(__file__).with_name("fixed_point_tb.cpp"), header("\n".join(["struct config {", *lines, "};"]))
    )


def check(types: tuple[str, str, str], cases: list[tuple[int, int, int]]) -> None:
    """Cases of a value, a shift and a natural number: C++, numpy and python agree."""
    dtype = DataType[types[1]]
    expected = np.array(
        [
            (value, shift, naive_round(Fraction(value, 2**shift)), naive_requantize(value, shift, dtype),
             natural, *naive_significand(natural))
            for value, shift, natural in cases
        ]
    )  # fmt: skip
    values, shifts, rounded, requantized, naturals, mantissas, exponents = expected.T
    np.testing.assert_array_equal(shift_right_half_even(values, shifts), rounded)
    np.testing.assert_array_equal(requantize(values, shifts, dtype), requantized)
    np.testing.assert_array_equal(significand(naturals), (mantissas, exponents))
    run_vectors(program(*types), len(cases), [expected])


@pytest.mark.parametrize("types", TYPES[:2])
def test_every_value_and_shift(types):
    low, high = limits(DataType[types[0]])
    naturals = limits(DataType[types[2]])[1] + 1
    values = range(low, high + 1, 1 if types[0] == "INT10" else 7)
    check(types, [(value, shift, value % naturals) for value in values for shift in range(high.bit_length())])


@pytest.mark.parametrize("types", TYPES[2:])
@kernel_settings
@given(data=st.data())
def test_wide_values(types, data):
    low, high = limits(DataType[types[0]])
    shift = st.integers(0, high.bit_length() - 1)
    near_ties = st.builds(
        lambda odd, shift, off: (min(max(odd * 2**shift // 2 + off, low), high), shift),
        integers(-(2**9), 2**9), shift, st.integers(-1, 1),
    )  # fmt: skip
    pairs = st.tuples(integers(low, high), shift) | near_ties
    naturals = data.draw(st.lists(_naturals(limits(DataType[types[2]])[1]), min_size=40, max_size=40))
    check(types, [(*data.draw(pairs), natural) for natural in naturals])


def _naturals(high: int) -> st.SearchStrategy[int]:
    """Often nine bits and a rest: ties, and mantissas that overflow to the next power of two."""
    ties = st.builds(
        lambda bits, shift, off: min(max((bits << shift) + off, 0), high),
        st.integers(250, 515), st.integers(0, 40), st.integers(-1, 1),
    )  # fmt: skip
    return integers(0, high) | ties

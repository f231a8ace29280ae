"""What a weight's code stands for, against the minifloat of the OCP specification in fractions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from hls_projects.operators.pot_linear.requantization import Requantization
from hls_projects.operators.pot_linear.tests.test_pot_linear import naive_weight
from hls_projects.operators.pot_linear.weights import BLOCK, PotWeights, by_group
from tests.support.operators import arrays, integers, naive_requantize

FORMATS = [(3, 0), (3, 2), (4, 1), (2, 1)]
ROWS, INPUTS = 3, 20


def naive_values(codes: np.ndarray, exponent_bits: int, mantissa_bits: int) -> list[list[int]]:
    return [[int(naive_weight(code, exponent_bits, mantissa_bits)) for code in row] for row in codes.tolist()]


@st.composite
def weights(draw: st.DrawFn) -> tuple[PotWeights, list[list[int]]]:
    """Any weights, or weights of which most are zero, with their values from the specification."""
    weight_format = draw(st.sampled_from(FORMATS))
    codes = draw(arrays(0, (2 << sum(weight_format)) - 1, ROWS, INPUTS))
    if draw(st.booleans()):
        codes = codes * draw(arrays(0, 1, ROWS, INPUTS)) * draw(arrays(0, 1, ROWS, INPUTS))
    return PotWeights(codes, *weight_format), naive_values(codes, *weight_format)


@given(drawn=weights())
def test_parts_make_up_the_value(drawn):
    found, expected = drawn
    assert found.values.tolist() == expected
    signs = np.where(found.negative, -1, 1)
    assert ((signs * found.factor) << (found.power + found.lowest)).tolist() == expected
    assert (found.scaled << found.lowest).tolist() == expected
    assert set(found.factor[found.used] % 2) <= {1}
    assert found.used.tolist() == [[value != 0 for value in row] for row in expected]


@given(drawn=weights())
def test_powers_are_counted_from_the_lowest_one(drawn):
    found, expected = drawn
    powers = [(abs(value) & -abs(value)).bit_length() - 1 for row in expected for value in row if value]
    assert found.lowest == min(powers, default=0)
    assert found.powers == max(powers, default=0) - min(powers, default=0) + 1


@given(drawn=weights())
def test_rows_and_their_powers(drawn):
    found, expected = drawn
    has, first = found.has_power(), found.first_of_power()
    for row, values in enumerate(expected):
        seen = set()
        for column, value in enumerate(values):
            power = (abs(value) & -abs(value)).bit_length() - 1 - found.lowest if value else None
            assert first[row, column] == (value != 0 and power not in seen)
            seen.add(power)
        assert [bool(each) for each in has[row]] == [power in seen for power in range(found.powers)]


@given(drawn=weights(), low=integers(-8, 0), high=integers(1, 15))
def test_bounds_of_sums_are_reached_and_not_passed(drawn, low, high):
    found, expected = drawn
    lows, highs = found.row_bounds(low, high)
    for row, values in enumerate(expected):
        worst = [sum(value * (high if (value > 0) == up else low) for value in values) for up in (False, True)]
        assert [int(lows[row]) << found.lowest, int(highs[row]) << found.lowest] == worst
    by_power = found.bounds_by_power(low, high)
    assert sum(bound[0] << power for power, bound in enumerate(by_power)).tolist() == lows.tolist()
    assert sum(bound[1] << power for power, bound in enumerate(by_power)).tolist() == highs.tolist()


@given(drawn=weights())
def test_largest_sum_of_an_exponent(drawn):
    found, _ = drawn
    peaks = [0]
    for row in found.codes.tolist():
        sums: Counter[int] = Counter()
        for code in row:
            exponent = code >> found.mantissa_bits & (1 << found.exponent_bits) - 1
            size = abs(naive_weight(code, found.exponent_bits, found.mantissa_bits))
            shift = max(exponent - 1, 0)
            sums[shift] += int(size) >> shift
        peaks.append(max(sums.values()))
    assert found.bucket_peak() == max(peaks)


@given(drawn=weights(), data=st.data())
def test_weights_other_than_zero_have_their_offset_in_the_block(drawn, data):
    found, expected = drawn
    counts = [sum(value != 0 for value in row[first : first + BLOCK]) for row in expected for first in (0, BLOCK)]
    assert found.block_nonzeros == max(1, *counts)
    count = data.draw(st.integers(found.block_nonzeros, BLOCK))
    packed = found.nonzeros(found.codes, found.code_bits, count).reshape(ROWS, -1, count)
    again = np.zeros((ROWS, 2 * BLOCK), dtype=np.int64)
    for (row, block, _), word in np.ndenumerate(packed):
        offset, code = divmod(int(word), 1 << found.code_bits)
        if code:
            assert again[row, BLOCK * block + offset] == 0
            again[row, BLOCK * block + offset] = code
    np.testing.assert_array_equal(again[:, :INPUTS], np.where(found.used, found.codes, 0))
    assert not again[:, INPUTS:].any()


@pytest.mark.parametrize("pe", [1, 2, 3])
def test_groups_of_rows(pe):
    rows = np.arange(1, 11).reshape(5, 2)
    groups = -(-5 // pe)
    found = by_group(rows, groups, pe, fill=-1)
    for index in range(groups * pe):
        expected = rows[index] if index < 5 else [-1, -1]
        assert found[index // pe, index % pe].tolist() == list(expected)


@given(drawn=weights(), data=st.data())
def test_requantization_on_one_grid_gives_the_same_codes(drawn, data):
    """With half to even at the tie, whose low bits are all zero when the half is in the bias."""
    found, expected = drawn
    bias, acc_shift, out_shift = (data.draw(arrays(*bounds, ROWS)) for bounds in ((-5000, 5000), (0, 3), (0, 9)))
    x_low, x_high = -8, 7
    x = data.draw(arrays(x_low, x_high, INPUTS))
    common = Requantization.of(found, (x_low, x_high), bias=bias, acc_shift=acc_shift, out_shift=out_shift)
    words = common.words(ROWS + 2).tolist()
    assert words[ROWS:] == [0, 0]
    for row, values in enumerate(expected):
        exact = sum(value * int(code) for value, code in zip(values, x, strict=True))
        shifts, bits = divmod(words[row], 1 << common.bias_bits)
        constant = bits - (1 << common.bias_bits if bits >> common.bias_bits - 1 else 0)
        shift = common.fixed_left + (shifts & 3) + 2 * (shifts >> 2)
        assert (shifts & 3) < 3 and shifts >> common.shift_bits == 0
        total = ((exact >> found.lowest) << shift) + constant
        assert common.low <= total <= common.high
        code = total >> common.right
        if common.right and total & (1 << common.right) - 1 == 0:
            code &= ~1
        total = (exact << int(acc_shift[row])) + int(bias[row])
        assert code == naive_requantize(total, int(out_shift[row]), DataType["INT32"])

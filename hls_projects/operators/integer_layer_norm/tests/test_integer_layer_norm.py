"""The kernel, its numpy semantics and a model in fractions agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import IntegerLayerNorm
from tests.support.kernel_bench import check_kernel
from tests.support.operators import (
    arrays,
    bulk,
    codes,
    kernel_settings,
    limits,
    make_operator,
    naive_requantize,
    naive_significand,
)

TOKENS, CASES = 2, 8
# The mean on a finer grid than x; on a coarser one, of few channels; centred codes that saturate.
CONFIGS = {
    "fine mean": ("INT8", {
        "n_in": 6, "mean_multiplier": 683, "mean_shift": 10, "x_shift": 2, "mean_align": 0,
        "mean_bits": 11, "centred_bits": 10, "centred_shift": 1, "headroom": 0, "out_shift": 9,
    }),
    "coarse mean": ("UINT8", {
        "n_in": 3, "mean_multiplier": 171, "mean_shift": 10, "x_shift": 0, "mean_align": 1,
        "mean_bits": 8, "centred_bits": 9, "centred_shift": 0, "headroom": 4, "out_shift": 12,
    }),
    "narrow": ("INT8", {
        "n_in": 4, "mean_multiplier": 1, "mean_shift": 2, "x_shift": 0, "mean_align": 0,
        "mean_bits": 6, "centred_bits": 6, "centred_shift": 1, "headroom": 2, "out_shift": 4,
    }),
}  # fmt: skip


def inverse_roots(n_in: int, headroom: int, out_shift: int) -> np.ndarray:
    """Deviation 1 becomes code 32."""
    unit = 32 * math.sqrt(n_in) * 2.0 ** (out_shift - headroom)
    return np.array([round(unit / math.sqrt(m * (1 + odd))) for odd in (0, 1) for m in range(128, 256)])


def norm(name: str, table: np.ndarray | None = None) -> IntegerLayerNorm:
    dtype, sizes = CONFIGS[name]
    if table is None:
        table = inverse_roots(sizes["n_in"], sizes["headroom"], sizes["out_shift"])
    return make_operator(IntegerLayerNorm, [dtype], "INT8", n_tokens=TOKENS, inverse_table=table, **sizes)


def naive(operator: IntegerLayerNorm, x: np.ndarray) -> np.ndarray:
    return np.array([[naive_token(operator, token) for token in case] for case in x.tolist()])


def naive_token(operator: IntegerLayerNorm, token: list[int]) -> list[int]:
    size = operator.size
    mean = naive_requantize(sum(token) * size("mean_multiplier"), size("mean_shift"), operator.mean_dtype)
    differences = [code * 2 ** size("x_shift") - mean * 2 ** size("mean_align") for code in token]
    centred = [naive_requantize(value, size("centred_shift"), operator.centred_dtype) for value in differences]
    mantissa, exponent = naive_significand(sum(code * code for code in centred))
    odd = exponent % 2
    inverse = int(operator.array("inverse_table")[odd * 128 + mantissa - 128])
    shift = size("out_shift") + (exponent - odd) // 2
    products = [code * inverse * 2 ** size("headroom") for code in centred]
    return [naive_requantize(product, shift, operator.out_dtype) for product in products]


@pytest.mark.parametrize("name", CONFIGS)
@kernel_settings
@given(data=st.data())
def test_any_tokens_and_tables(name, data):
    dtype, sizes = CONFIGS[name]
    roots = norm(name)
    # Any table of the same largest entry has the same types.
    peak = int(roots.array("inverse_table").max())
    for operator in (roots, norm(name, data.draw(bulk(0, peak, 256)))):
        tokens = [data.draw(codes(dtype, CASES, TOKENS, sizes["n_in"]))]
        tokens.append(data.draw(arrays(3, 6, CASES, TOKENS, sizes["n_in"])))  # small variances, with exponents below 0
        x = np.concatenate(tokens)
        np.testing.assert_array_equal(check_kernel(operator, x), naive(operator, x))


@pytest.mark.parametrize("name", CONFIGS)
def test_variance_extremes(name):
    """Constant tokens, tokens between the ends of the type, and one code apart from the others."""
    operator = norm(name)
    low, high = limits(operator.in_dtype())
    n_in = operator.size("n_in")
    constant = np.array([low, 0, high]).reshape(3, 1).repeat(n_in, axis=1)
    alternating = np.resize([low, high], (2, n_in + 1))[:, :n_in] * 1
    alternating[1] = np.roll(alternating[1], 1)
    lone = np.where(np.eye(n_in, dtype=bool), high, low)
    x = np.concatenate([constant, alternating, lone, lone[::-1] * 0 + low, low + high - lone]).reshape(-1, 1, n_in)
    x = x.repeat(TOKENS, axis=1)
    np.testing.assert_array_equal(check_kernel(operator, x), naive(operator, x))


def test_no_variance_gives_zero():
    operator = norm("fine mean")
    x = np.arange(-128, 128).reshape(-1, 1, 1) * np.ones((1, TOKENS, operator.size("n_in")), dtype=np.int64)
    assert not check_kernel(operator, x).any()


def test_result_is_near_the_real_one():
    """The integers stand for a LayerNorm; the table and roundings cost a code or two."""
    operator = norm("fine mean")
    x = np.random.default_rng(1).integers(-128, 128, (64, TOKENS, operator.size("n_in")))
    centred = x - x.mean(axis=-1, keepdims=True)
    real = 32 * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True))
    assert np.abs(check_kernel(operator, x) - real).max() < 2


def test_left_shift_is_refused():
    table = np.full(256, 100)
    sizes = CONFIGS["fine mean"][1] | {"out_shift": 3}
    operator = make_operator(IntegerLayerNorm, ["INT8"], "INT8", n_tokens=TOKENS, inverse_table=table, **sizes)
    with pytest.raises(ValueError, match="headroom"):
        operator.types()

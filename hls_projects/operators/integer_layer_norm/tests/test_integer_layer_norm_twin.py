"""The twin in Verilog normalises like the operator, in the cycles that its stages take."""

from __future__ import annotations

import numpy as np
import pytest

from hls_projects.operators import IntegerLayerNorm
from hls_projects.operators.integer_layer_norm.tests.test_integer_layer_norm import CONFIGS, inverse_roots
from hls_projects.rtl.bench import check_twin
from tests.support.operators import limits, make_operator, mixed_codes

pytestmark = pytest.mark.verilator
TOKENS, IMAGES = 3, 10
MORE = {
    "reference": ("INT8", {
        "n_in": 96, "mean_multiplier": 171, "mean_shift": 9, "x_shift": 5, "mean_align": 0,
        "mean_bits": 8, "centred_bits": 9, "centred_shift": 4, "headroom": 0, "out_shift": 5,
    }),
    # More bits of the multiplier than the shift takes away: one, and several; the mean is finer than x.
    "one kept": ("INT8", {
        "n_in": 3, "mean_multiplier": 683, "mean_shift": 9, "x_shift": 2, "mean_align": 0,
        "mean_bits": 11, "centred_bits": 10, "centred_shift": 1, "headroom": 0, "out_shift": 9,
    }),
    "some kept": ("UINT8", {
        "n_in": 5, "mean_multiplier": 205, "mean_shift": 5, "x_shift": 5, "mean_align": 0,
        "mean_bits": 14, "centred_bits": 12, "centred_shift": 2, "headroom": 9, "out_shift": 4,
    }),
    # No shift at all of the mean and of centred codes.
    "exact": ("INT4", {
        "n_in": 1, "mean_multiplier": 3, "mean_shift": 0, "x_shift": 1, "mean_align": 1,
        "mean_bits": 5, "centred_bits": 5, "centred_shift": 0, "headroom": 0, "out_shift": 4,
    }),
}  # fmt: skip
CONFIGS = CONFIGS | MORE


def norm(name, table=None):
    dtype, sizes = CONFIGS[name]
    if table is None:
        table = inverse_roots(sizes["n_in"], sizes["headroom"], sizes["out_shift"])
    return make_operator(IntegerLayerNorm, [dtype], "INT8", n_tokens=TOKENS, inverse_table=table, **sizes)


def stage_cycles(operator):
    """Of the mean in stage B, and ``CYCLES`` of ``scale_factor.sv`` in stage C."""
    parameters = operator.twin().parameters
    factor = (max(parameters["SQUARES_WIDTH"], 8) - 4) // 4 + 3 + 1 + parameters["SHIFTS"]
    return max(parameters["MULTIPLIER_WIDTH"], parameters["MEAN_SHIFT"]), factor


@pytest.mark.parametrize("name", CONFIGS)
def test_any_tokens(name):
    dtype, sizes = CONFIGS[name]
    operator = norm(name)
    x = mixed_codes(dtype, IMAGES, TOKENS, sizes["n_in"], seed=4)
    # Small variances have exponents below 0.
    x[1:4] = np.random.default_rng(2).integers(3, 6, x[1:4].shape)
    for stalls in (0, 1, 2):
        cycles = check_twin(operator, x, stalls=stalls)
        if not stalls:
            mean, factor = stage_cycles(operator)
            assert cycles.interval() == TOKENS * (sizes["n_in"] + max(mean + 4, factor + 1))
            assert cycles.latency() == 2 * sizes["n_in"] + mean + factor + 8


@pytest.mark.parametrize("name", CONFIGS)
def test_any_table(name):
    """Products of both parities, halves and saturation, at every exponent."""
    dtype, sizes = CONFIGS[name]
    roots = inverse_roots(sizes["n_in"], sizes["headroom"], sizes["out_shift"])
    table = np.random.default_rng(5).integers(0, roots.max(), 256, endpoint=True)
    table[7] = roots.max()
    check_twin(norm(name, table), mixed_codes(dtype, 40, TOKENS, sizes["n_in"], seed=6))


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
    x = np.concatenate([constant, alternating, lone, low + high - lone]).reshape(-1, 1, n_in)
    check_twin(operator, x.repeat(TOKENS, axis=1), stalls=3)

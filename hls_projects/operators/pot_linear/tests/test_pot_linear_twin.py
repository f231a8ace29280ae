"""The Verilog module against the operator's numpy semantics, and its cycles against their formulas."""

from __future__ import annotations

import numpy as np
import pytest

from hls_projects.operators import Head, PotLinear
from hls_projects.operators.pot_linear.geometry import ELEMENTS
from hls_projects.rtl.bench import check_twin
from tests.support.operators import limits, make_operator
from tests.support.simulated_cycles import simulated_cycles

TOKENS, INPUTS, OUTPUTS, IMAGES = 2, 32, 20, 4
BIAS, ACC_SHIFT, OUT_SHIFT = 2**13, 1, 9
KINDS = [("shift", 0), ("bucket", 0), ("dsp", 0), ("bucket", 1)]


def block_sparse(codes: np.ndarray, sign: int, rng: np.random.Generator) -> np.ndarray:
    """Zeros, of either sign, except in 8 random inputs of every 16 of a row."""
    kept = rng.random((len(codes), codes.shape[1] // 16, 16)).argsort(axis=2) < 8
    return np.where(kept.reshape(codes.shape), codes, codes & sign)


def linear(codes: np.ndarray, *, cls=PotLinear, formats=(3, 0, "INT8", "INT8"), **attributes) -> PotLinear:
    exponent_bits, mantissa_bits, in_dtype, out_dtype = formats
    n_out, n_in = codes.shape
    shifts = {"bias": np.zeros(n_out), "acc_shift": np.zeros(n_out), "out_shift": np.full(n_out, OUT_SHIFT)}
    sizes = {"n_tokens": TOKENS, "n_in": n_in, "n_out": n_out}
    bits = {"exponent_bits": exponent_bits, "mantissa_bits": mantissa_bits}
    return make_operator(cls, [in_dtype], out_dtype, codes=codes, **(sizes | bits | shifts | attributes))


def layer(rng, n_in=INPUTS, n_out=OUTPUTS, *, formats=(3, 0, "INT8", "INT8"), sparse=0, **attributes) -> PotLinear:
    """Any layer whose first rows fix the widths, so that one compiled program runs all of them.

    Rows: the largest weights of both signs, zeros of both signs, the smallest, one exponent only, then any.
    """
    sign = 1 << (formats[0] + formats[1])
    codes = rng.integers(0, 2 * sign, (n_out, n_in))
    codes[:2] = sign - 1
    codes[1] |= sign
    codes[2] &= sign
    codes[3] = 1 << formats[1]
    codes[4] = (3 << formats[1]) | (codes[4] & sign)
    if sparse:
        codes = block_sparse(codes, sign, rng)
    bias = rng.integers(-BIAS, BIAS, n_out)
    bias[:4] = -BIAS, BIAS - 1, BIAS - 1, -BIAS
    acc_shift, out_shift = rng.integers(0, ACC_SHIFT + 1, n_out), rng.integers(OUT_SHIFT - 2, OUT_SHIFT + 1, n_out)
    acc_shift[:4], out_shift[:4] = ACC_SHIFT, (OUT_SHIFT - 2, OUT_SHIFT - 2, OUT_SHIFT, OUT_SHIFT)
    acc_shift[2:4] = 0
    shifts = {"bias": bias, "acc_shift": acc_shift, "out_shift": out_shift}
    return linear(codes, formats=formats, sparse=sparse, **shifts, **attributes)


def images(rng, operator: PotLinear, count: int = IMAGES) -> np.ndarray:
    """Random codes, except in two tokens, which have the lowest and the highest code."""
    low, high = limits(operator.in_dtype())
    x = rng.integers(low, high + 1, (count, *operator.input_shapes()[0]))
    x[0, 0], x[1, 0] = low, high
    return x


@pytest.mark.verilator
@pytest.mark.parametrize("element, sparse", KINDS)
@pytest.mark.parametrize("formats", [(3, 0, "INT8", "INT8"), (3, 2, "INT8", "UINT8"), (4, 1, "UINT8", "INT8")])
def test_any_layer(element, sparse, formats):
    """6 does not divide 20, and the sparse one has two passes of unequal size where it has few powers."""
    if formats[0] == 4 and element != "bucket":
        formats = (3, 1, *formats[2:])
    for seed in range(4):
        rng = np.random.default_rng(seed)
        operator = layer(rng, formats=formats, sparse=sparse, element=element, pe=6)
        check_twin(operator, images(rng, operator), stalls=seed)


@pytest.mark.verilator
@pytest.mark.parametrize("element, sparse", KINDS)
def test_two_tokens(element, sparse):
    """An odd number of elements a token, and results that wait for those of the other token while it stalls."""
    formats = (3, 2, "UINT8", "INT8") if sparse else (3, 0, "INT8", "UINT8")
    for seed in range(4):
        rng = np.random.default_rng(seed)
        operator = layer(rng, formats=formats, sparse=sparse, element=element, pe=7, parallel_tokens=2, n_tokens=4)
        check_twin(operator, images(rng, operator), stalls=seed)


@pytest.mark.verilator
def test_results_of_two_tokens_fill_their_queues():
    """A token of 70 results leaves in more cycles than six groups take: the next pair's have to wait."""
    rng = np.random.default_rng(5)
    operator = layer(rng, 6, 70, element="dsp", pe=12, parallel_tokens=2, n_tokens=8, result_buffers=2)
    for seed in range(3):
        check_twin(operator, images(rng, operator), stalls=seed)


@pytest.mark.verilator
def test_full_queues_of_two_tokens_hold_the_work_up():
    """About as long as the simulation says: a code on its way to a queue does not take a slot behind it."""
    operator = layer(
        np.random.default_rng(1), 48, 96, element="bucket", sparse=1, pe=24, parallel_tokens=2, n_tokens=8,
        result_buffers=2,
    )  # fmt: skip
    measured = check_twin(operator, images(np.random.default_rng(2), operator, 3)).interval()
    assert measured == pytest.approx(simulated_cycles(operator, 3).interval(), rel=0.01)


@pytest.mark.verilator
@pytest.mark.parametrize(
    "sizes, folding",
    [
        ((16, 40), {"element": "bucket", "pe": 20}),
        ((8, 40), {"element": "shift", "pe": 13}),
        ((48, 15), {"element": "dsp", "pe": 7, "ram_style": "distributed"}),
        ((16, 40), {"element": "bucket", "pe": 40, "result_buffers": 2}),
        ((32, 41), {"element": "bucket", "sparse": 1, "pe": 9}),
        ((64, 38), {"element": "bucket", "sparse": 1, "pe": 13}),
        ((32, 60), {"element": "bucket", "sparse": 1, "pe": 20, "result_buffers": 2}),
        ((32, 60), {"element": "bucket", "sparse": 1, "pe": 20}),
        ((16, 40), {"element": "shift", "pe": 10, "parallel_tokens": 2}),
        ((96, 40), {"element": "bucket", "sparse": 1, "pe": 10, "parallel_tokens": 2, "ram_style": "distributed"}),
        ((96, 80), {"element": "bucket", "sparse": 1, "pe": 20, "parallel_tokens": 2, "result_buffers": 2}),
        # Drained during the next pass: three passes, of which the last has one group, with two tokens and with one.
        ((48, 45), {"element": "bucket", "sparse": 1, "pe": 9, "parallel_tokens": 2}),
        ((48, 45), {"element": "bucket", "sparse": 1, "pe": 9}),
        # Four levels of the read-out.
        ((3, 217), {"element": "dsp", "pe": 217}),
        # Results are read out in more cycles than the work takes, and leave in more than they are read out.
        ((32, 280), {"element": "bucket", "sparse": 1, "pe": 70, "parallel_tokens": 2, "result_buffers": 2}),
    ],
)
def test_cycles(sizes, folding):
    """Every word in the cycle that the simulation says. With stalls the words are the same.

    An image has as few tokens as possible, so that the interval between images is that of tokens.
    """
    rng = np.random.default_rng(sum(sizes))
    operator = layer(rng, *sizes, **folding)
    operator.set_nodeattr("n_tokens", operator.size("parallel_tokens"))
    x = images(rng, operator, 12)
    moved, simulated = check_twin(operator, x), simulated_cycles(operator, len(x))
    np.testing.assert_array_equal(moved.from_first(), simulated.from_first())
    for seed in (3, 4):
        check_twin(operator, x, stalls=seed)


@pytest.mark.parametrize("element, drain, least", [("bucket", 7, 0), ("shift", 1, 1), ("dsp", 1, 1)])
@pytest.mark.parametrize("pe", [1, 10, 20])
def test_dense_interval(element, drain, least, pe):
    operator = layer(np.random.default_rng(0), n_in=12, element=element, pe=pe)
    assert simulated_cycles(operator, 3).interval() == TOKENS * 20 // pe * max(12 + drain, pe + least if pe > 3 else 0)


@pytest.mark.parametrize(
    "sizes, folding, expected_cycles",
    [
        # Ten groups in passes of two; of the last two the second waits 5 cycles until 20 results are read out.
        ((96, 96), {"pe": 10}, 10 * (48 + 7) + 5),
        # Every drain but the first of two tokens waits until the 58 results before it are nearly read out.
        ((96, 288), {"pe": 29}, 2 * 48 + 7 + 9 * 58),
        ((96, 288), {"pe": 29, "result_buffers": 2}, 10 * 58),
        # A group alone in its pass takes as long as its blocks take to load, without two drains meanwhile.
        ((96, 96), {"pe": 9}, 10 * (48 + 7) + 6 * 16 - 2 * 7),
        ((192, 96), {"pe": 20}, 4 * (96 + 7) + 12 * 16 - 2 * 7),
        ((96, 96), {"pe": 10, "sparse": 0}, 10 * (96 + 7)),
    ],
)
def test_interval_of_two_tokens(sizes, folding, expected_cycles):
    """Only the work decides, even where 192 results of a token leave after those of the other one."""
    operator = layer(
        np.random.default_rng(0), *sizes, **{"element": "bucket", "sparse": 1, "parallel_tokens": 2, **folding}
    )
    assert simulated_cycles(operator, 4).interval() == expected_cycles == operator.cycles()


@pytest.mark.parametrize("tokens", [1, 2])
@pytest.mark.parametrize("n_in, n_out", [(96, 96), (96, 288), (192, 96), (32, 40)])
def test_cycles_are_those_of_the_simulation(n_in, n_out, tokens):
    """For every number of groups with overlapping passes, with the cycles that they wait for one another."""
    operator = layer(np.random.default_rng(0), n_in, n_out, element="bucket", sparse=1)
    for pe in sorted({-(-n_out // groups) for groups in range(2, n_out // 5)}):
        for buffers in (1, 2):
            operator.fold({"pe": pe, "result_buffers": buffers, "parallel_tokens": tokens})
            if operator.geometry.overlap:
                assert simulated_cycles(operator, 8).interval() == operator.cycles()


@pytest.mark.verilator
@pytest.mark.parametrize("element", ELEMENTS)
def test_one_element(element):
    rng = np.random.default_rng(1)
    operator = layer(rng, 5, 7, element=element)
    check_twin(operator, images(rng, operator), stalls=1)


@pytest.mark.verilator
@pytest.mark.parametrize("element", ELEMENTS)
def test_layer_of_zeros(element):
    operator = linear(np.full((3, 4), 8), element=element, pe=2, bias=np.array([-512, 0, 5000]))
    check_twin(operator, images(np.random.default_rng(0), operator))


@pytest.mark.verilator
@pytest.mark.parametrize("out_dtype", ["INT8", "UINT8"])
def test_ties_and_saturation(out_dtype):
    """Every half in reach, about zero and about both limits of the output."""
    codes = np.zeros((4, 3), dtype=np.int64)
    codes[:, 0] = [1, 9, 3, 11]  # 1, -1, 4, -4
    shifts = {"out_shift": np.array([1, 1, 1, 2]), "bias": np.array([0, 0, 129, -129])}
    operator = linear(codes, formats=(3, 0, "INT8", out_dtype), element="bucket", pe=2, **shifts)
    x = np.zeros((128, TOKENS, 3), dtype=np.int64)
    x[:, :, 0] = np.arange(-128, 128).reshape(128, 2)
    check_twin(operator, x)


@pytest.mark.verilator
def test_no_rounding():
    operator = layer(np.random.default_rng(2), formats=(3, 0, "INT8", "INT16"), element="bucket", pe=7)
    operator = linear(operator.array("codes"), formats=(3, 0, "INT8", "INT16"), element="bucket", pe=7,
                      out_shift=np.zeros(OUTPUTS))  # fmt: skip
    check_twin(operator, images(np.random.default_rng(0), operator))


@pytest.mark.verilator
@pytest.mark.parametrize("element, sparse", [("bucket", 0), ("bucket", 1)])
def test_head(element, sparse):
    """All logits in one word; powers that no weight has at the format's low end cost nothing."""
    rng = np.random.default_rng(3)
    codes = block_sparse(rng.integers(3, 8, (10, 16)) | rng.integers(0, 2, (10, 16)) << 3, 8, rng)
    operator = linear(codes, cls=Head, formats=(3, 0, "INT8", "INT16"), element=element, sparse=sparse, pe=4,
                      out_shift=rng.integers(0, 2, 10))  # fmt: skip
    operator.set_nodeattr("n_tokens", 1)
    assert operator.weights.powers == 5
    check_twin(operator, images(rng, operator, 9), stalls=2)
    check_twin(operator, images(rng, operator, 9))


def test_refusals():
    codes = np.ones((20, 32), dtype=np.int64)
    for attributes, message in [
        ({"simd": 2}, "simd 1, not 2"),
        ({"pe": 21}, "pe 21 is not in 1 ... 20"),
        ({"element": "shift", "sparse": 1}, "only the element bucket has a sparse form"),
        ({"element": "bucket", "sparse": 1}, "row 0 has 16 weights in 16 inputs"),
        ({"formats": (3, 3, "INT8", "INT8")}, "at most 2 mantissa bits"),
        ({"parallel_tokens": 4, "n_tokens": 8}, "1 token or 2 of an even number, not 4 of 8"),
        ({"parallel_tokens": 2, "n_tokens": 5}, "1 token or 2 of an even number, not 2 of 5"),
    ]:
        with pytest.raises(ValueError, match=message):
            linear(codes, **attributes).twin()
    with pytest.raises(ValueError, match="multiple of 16, not 24"):
        linear(codes[:, :24], element="bucket", sparse=1).twin()

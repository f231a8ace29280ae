"""Tables of non-linear functions, computed by running their QONNX subgraph on all codes."""

from __future__ import annotations

import numpy as np

from hls_projects.integer import SIGNIFICANT_BITS, significand
from hls_projects.lowering.graph import CodeFormat, GraphView, LoweringError, NoMatch


def all_codes(fmt: CodeFormat) -> np.ndarray:
    """All codes of a format, ascending."""
    return np.arange(int(fmt.dtype.min()), int(fmt.dtype.max()) + 1)


def to_codes(values: np.ndarray, fmt: CodeFormat, what: str) -> np.ndarray:
    """Codes of real values.

    Raises:
        LoweringError: a value between two codes.
    """
    codes = np.ldexp(values.astype(np.float64), -fmt.step)
    if not np.array_equal(codes, np.rint(codes)):
        raise LoweringError(f"{what}: a value of its table is not on the grid of 2^{fmt.step}")
    return codes.astype(np.int64)


def code_table(view: GraphView, start: str, end: str, codes: np.ndarray, step: int) -> np.ndarray:
    """Output codes of the function from ``start`` to ``end`` for input ``codes`` of grid 2**step."""
    values = view.run([start], end, {start: np.ldexp(codes.astype(np.float64), step)})
    return to_codes(values, view.formats[end], end)


def significand_table(
    view: GraphView, start: str, end: str, *, step: int, bounds: tuple[int, int], period: int
) -> tuple[np.ndarray, int]:
    """Table of a function of a sum that was rounded to eight significant bits.

    Args:
        start: the sum, before its ``FloatQuant``.
        end: the value of the function, after its ``FloatQuant``.
        step: log2 of the grid of the sum.
        bounds: smallest and largest sum other than zero, in units of the grid.
        period: f(m * 2**(k + period)) must be f(m * 2**k) / 2: 1 for the reciprocal, 2 for the inverse root.

    Returns:
        ``table`` (period * 128,) and ``c`` with
        f(m * 2**k * 2**step) = table[(k % period) * 128 + m - 128] * 2**(c - k // period).

    Raises:
        LoweringError: a function that does not have this period on every code.
    """
    _check_rounding(view, start, end, step)
    mantissa = np.arange(128, 256)
    low, high = significand(np.array(bounds))[1]
    first = int(low) - int(low) % period
    exponent = np.arange(first, int(high) + period)
    values = np.ldexp(mantissa[None, :].astype(np.float64), exponent[:, None] + step)
    rounded = view.run([start], _rounding(view, start, end), {start: values})
    result = view.run([start], end, {start: values}).astype(np.float64)
    if not np.array_equal(rounded, values):
        raise LoweringError(f"{end}: the sum of {start} leaves the range of its floating-point quantizer")
    block = np.ldexp(result[:period], first // period)
    c = int(np.floor(np.log2(block.min()))) - 7
    table = np.ldexp(block, -c)
    whole = len(exponent) // period * period
    expected = np.ldexp(np.tile(table, (whole // period, 1)), c - exponent[:whole, None] // period)
    if not (np.array_equal(table, np.rint(table)) and np.array_equal(result[:whole], expected)):
        raise LoweringError(f"{end}: the function of {start} does not have the period that its table needs")
    return table.astype(np.int64).reshape(-1), c


def _rounding(view: GraphView, start: str, end: str) -> str:
    """The output of the ``FloatQuant`` that rounds the sum."""
    return next(node.output[0] for node in view.ancestors([start], end) if node.input[0] == start)


def _check_rounding(view: GraphView, start: str, end: str, step: int) -> None:
    """Check that the quantizer of the sum rounds like the kernels: to eight significant bits, half to even.

    Raises:
        LoweringError: it does not.
    """
    sums = np.arange(1, 1 << (SIGNIFICANT_BITS + 2))
    mantissa, exponent = significand(sums)
    rounded = view.run([start], _rounding(view, start, end), {start: np.ldexp(sums.astype(np.float64), step)})
    if not np.array_equal(rounded, np.ldexp(mantissa.astype(np.float64), exponent + step)):
        raise LoweringError(f"{end}: the sum of {start} is not rounded to {SIGNIFICANT_BITS} significant bits")


def sum_behind(view: GraphView, factor: str) -> str:
    """The sum that a floating-point ``factor`` is a function of: the input of the first ``FloatQuant`` before it."""
    tensor = view.producer(factor, "FloatQuant").input[0]
    while view.producer(tensor).op_type != "FloatQuant":
        node = view.producer(tensor)
        dynamic = [name for name in node.input if name and not view.is_constant(name)]
        if len(dynamic) != 1 or node.op_type == "ReduceSum":
            raise NoMatch
        tensor = dynamic[0]
    return view.producer(tensor).input[0]

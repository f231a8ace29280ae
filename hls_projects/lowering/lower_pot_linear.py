"""Lowering of ``MatMul`` with ``FloatQuant`` weights, bias and ``Quant`` to :class:`PotLinear`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto

from hls_projects.integer import encode_pot
from hls_projects.lowering.graph import CodeFormat, GraphView, LoweringError, NoMatch, grid_log2, operator_name
from hls_projects.lowering.transformation import LowerAt
from hls_projects.operators import PotLinear
from hls_projects.operators.pot_linear.weights import PotWeights


class LowerPotLinear(LowerAt):
    op_type = "Quant"

    def lower(self, view: GraphView, node: NodeProto) -> NodeProto:
        linear = match_linear(view, node)
        return PotLinear.make(
            operator_name(linear.matmul, "MatMul"), [linear.x], node.output[0], **linear.attributes, **linear.dtypes
        )


@dataclass(frozen=True)
class Linear:
    """A linear layer in the graph: its ``MatMul``, its input ``x``, and what :class:`PotLinear` takes."""

    matmul: NodeProto
    x: str
    dtypes: dict[str, Any]
    attributes: dict[str, Any]


def match_linear(view: GraphView, quant: NodeProto) -> Linear:
    """Match the linear layer that ends in ``quant``.

    Raises:
        NoMatch: no linear layer.
        LoweringError: weights that are not power-of-two codes.
    """
    out = view.codes(quant.output[0])
    tail = view.producer(quant.input[0], "Add", "MatMul")
    bias_tensor = None
    matmul = tail
    if tail.op_type == "Add":
        product, bias_tensor = view.split_constant(tail)
        matmul = view.producer(product, "MatMul")
    x, weight = matmul.input
    fmt = view.codes(x)
    weights, step = read_weights(view, weight)
    n_out, n_in = weights.codes.shape
    bias = np.zeros(n_out) if bias_tensor is None else view.constant(bias_tensor).astype(np.float64)
    attributes = {
        "n_tokens": view.tokens(x)[0],
        "n_in": n_in,
        "n_out": n_out,
        "exponent_bits": weights.exponent_bits,
        "mantissa_bits": weights.mantissa_bits,
        "codes": weights.codes,
        **align(weights, step, fmt, np.broadcast_to(bias.reshape(-1), (n_out,)), out),
    }
    return Linear(matmul, x, {"in_dtypes": [fmt.dtype], "out_dtype": out.dtype}, attributes)


def align(
    weights: PotWeights, step: np.ndarray, x: CodeFormat, bias: np.ndarray, out: CodeFormat
) -> dict[str, np.ndarray]:
    """Bias and shifts of each output on the coarsest grid that holds products, bias and result.

    Args:
        step: as :func:`read_weights` gives it.
        bias: in real units, (n_out,).
    """
    products = np.where(weights.used.any(axis=1), step + x.step, out.step)
    grid = np.minimum(np.minimum(products, grid_log2(bias)), out.step)
    return {
        "bias": np.ldexp(bias, -grid).astype(np.int64),
        "acc_shift": products - grid,
        "out_shift": out.step - grid,
    }


def read_weights(view: GraphView, tensor: str) -> tuple[PotWeights, np.ndarray]:
    """The weights that a ``FloatQuant`` node made, whose tensor in the graph is (n_in, n_out).

    QONNX has no codes, only the values of ``FloatQuant``, so they are encoded here; every later module takes the codes.

    Returns:
        The weights and the exponent of the power of two that is the unit of each row's values, (n_out,).

    Raises:
        LoweringError: a scale that is no power of two, or a value that the format does not hold.
    """
    values = view.constant(tensor).astype(np.float64).T
    node = view.producer(tensor, "Transpose", "FloatQuant")
    quant = node if node.op_type == "FloatQuant" else view.producer(node.input[0], "FloatQuant")
    if values.ndim != 2 or (node is not quant and view.constant(quant.output[0]).ndim != 2):
        raise NoMatch
    scale = view.constant(quant.input[1]).astype(np.float64).reshape(-1)
    exponent_bits, mantissa_bits, bias = (int(view.scalar(name)) for name in quant.input[2:5])
    unit = grid_log2(scale) + 1 - bias - mantissa_bits
    if np.any(np.ldexp(1.0, grid_log2(scale)) != scale):
        raise LoweringError(f"FloatQuant node {quant.name}: every scale must be a power of two")
    step = np.broadcast_to(unit, (len(values),))
    try:
        codes = encode_pot(np.ldexp(values, -step[:, None]).astype(np.int64), exponent_bits, mantissa_bits)
    except ValueError as error:
        raise LoweringError(f"FloatQuant node {quant.name}: {error}") from error
    return PotWeights(codes, exponent_bits, mantissa_bits), step

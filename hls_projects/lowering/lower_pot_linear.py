"""``MatMul`` with ``FloatQuant`` weights, bias, ``Quant`` -> :class:`PotLinear`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto

from hls_projects.integer import encode_pot
from hls_projects.lowering.graph import CodeFormat, GraphView, LoweringError, NoMatch, grid_log2, operator_name
from hls_projects.lowering.transformation import LowerAt
from hls_projects.operators import PotLinear


@dataclass(frozen=True)
class PotWeights:
    """``codes`` (n_out, n_in) of values in units of 2**step, ``step`` (n_out,)."""

    codes: np.ndarray
    step: np.ndarray
    exponent_bits: int
    mantissa_bits: int


class LowerPotLinear(LowerAt):
    op_type = "Quant"

    def lower(self, view: GraphView, node: NodeProto) -> NodeProto:
        linear = match_linear(view, node)
        return PotLinear.make(
            operator_name(linear.matmul, "MatMul"), [linear.x], node.output[0], **linear.attributes, **linear.dtypes
        )


@dataclass(frozen=True)
class Linear:
    matmul: NodeProto
    x: str
    dtypes: dict[str, Any]
    attributes: dict[str, Any]


def match_linear(view: GraphView, quant: NodeProto) -> Linear:
    """The linear layer that ends in ``quant``."""
    out = view.codes(quant.output[0])
    tail = view.producer(quant.input[0], "Add", "MatMul")
    bias_tensor = None
    matmul = tail
    if tail.op_type == "Add":
        product, bias_tensor = view.split_constant(tail)
        matmul = view.producer(product, "MatMul")
    x, weight = matmul.input
    fmt = view.codes(x)
    weights = read_weights(view, weight)
    n_out, n_in = weights.codes.shape
    bias = np.zeros(n_out) if bias_tensor is None else view.constant(bias_tensor).astype(np.float64)
    attributes = {
        "n_tokens": view.tokens(x)[0],
        "n_in": n_in,
        "n_out": n_out,
        "exponent_bits": weights.exponent_bits,
        "mantissa_bits": weights.mantissa_bits,
        "codes": weights.codes,
        **align(weights, fmt, np.broadcast_to(bias.reshape(-1), (n_out,)), out),
    }
    return Linear(matmul, x, {"in_dtypes": [fmt.dtype], "out_dtype": out.dtype}, attributes)


def align(weights: PotWeights, x: CodeFormat, bias: np.ndarray, out: CodeFormat) -> dict[str, np.ndarray]:
    """Bias and shifts of each channel on the coarsest grid that holds products, bias and output."""
    products = np.where(weights.codes.any(axis=1), weights.step + x.step, out.step)
    grid = np.minimum(np.minimum(products, grid_log2(bias)), out.step)
    return {
        "bias": np.ldexp(bias, -grid).astype(np.int64),
        "acc_shift": products - grid,
        "out_shift": out.step - grid,
    }


def read_weights(view: GraphView, tensor: str) -> PotWeights:
    """Codes of a weight matrix that a ``FloatQuant`` node made, (n_in, n_out) in the graph."""
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
    return PotWeights(codes, step, exponent_bits, mantissa_bits)

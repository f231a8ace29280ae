"""Weights and sizes as an exported QONNX file has them, counted from its quantizers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from flows.evaluation.measures import EXPONENT_BITS, Weights
from hls_projects.errors import InputError


@dataclass(frozen=True)
class Exported:
    """What the quantizers of constants in a QONNX file hold.

    Args:
        weights: quantized, by layer, outputs first; a zero is a zero code.
        parameters: constants that go through a quantizer.
        weight_bits: of the widest weight code.
        bytes: as :func:`flows.evaluation.measures.packed_bytes` defines them.
    """

    weights: Weights
    parameters: int
    weight_bits: int
    bytes: int


def read_exported(model: ModelWrapper, layers: Iterable[str]) -> Exported:
    """Count what the graph holds of ``layers``, names of modules.

    Raises:
        InputError: a layer without, or a weight without a layer in the graph.
    """
    quantizers = [
        node for node in model.graph.node
        if node.op_type in ("FloatQuant", "Quant") and model.get_initializer(node.input[0]) is not None
    ]  # fmt: skip
    found = {node.name: node for node in quantizers if node.op_type == "FloatQuant"}
    weights = {name: _quantized(model, _take(found, name)) for name in layers}
    if found:
        raise InputError(f"FloatQuant node {next(iter(found))} belongs to no layer of the model")
    return Exported(
        weights,
        sum(model.get_initializer(node.input[0]).size for node in quantizers),
        max(_code_bits(model, node) for node in quantizers if node.op_type == "FloatQuant"),
        math.ceil(sum(_stored_bits(model, node) for node in quantizers) / 8),
    )


def _take(found: dict[str, NodeProto], layer: str) -> NodeProto:
    """The node of ``layer``; export names nodes after the path of their module."""
    start = f"{layer.replace('.', '_')}_weight_quant"
    names = [name for name in found if name.startswith(start)]
    if len(names) != 1:
        raise InputError(f"the graph has {len(names)} FloatQuant nodes for the weights of {layer}, not one")
    return found.pop(names[0])


def _quantized(model: ModelWrapper, node: NodeProto) -> np.ndarray:
    """What a quantizer makes of its constant, as qonnx defines it, with outputs first."""
    context = {name: model.get_initializer(name) for name in node.input}
    getCustomOp(node).execute_node(context, model.graph)
    values = context[node.output[0]]
    users = {user.op_type for user in model.find_direct_successors(node)}
    if (values.ndim, users) in ((2, {"Transpose"}), (4, {"Conv"})):
        return values
    if (values.ndim, users) == (2, {"MatMul"}):
        return values.T
    raise InputError(f"FloatQuant node {node.name} makes no weights of a linear layer or a convolution")


def _code_bits(model: ModelWrapper, node: NodeProto) -> int:
    if node.op_type == "Quant":
        return int(model.get_initializer(node.input[3]).item())
    exponent, mantissa = (int(model.get_initializer(name).item()) for name in node.input[2:4])
    return 1 + exponent + mantissa


def _stored_bits(model: ModelWrapper, node: NodeProto) -> int:
    bits = model.get_initializer(node.input[0]).size * _code_bits(model, node)
    scales = model.get_initializer(node.input[1]).size if node.op_type == "FloatQuant" else 0
    return bits + scales * EXPONENT_BITS

"""Queries on a QONNX graph: producers, constants, formats of quantizers, results of subgraphs; and replacing nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.basic import get_by_name, qonnx_make_model

from hls_projects.errors import InputError
from hls_projects.graphs.ranges import lowest_bit_log2
from hls_projects.operators import DOMAIN


class LoweringError(InputError):
    """A graph that hardware operators cannot implement."""


class NoMatch(Exception):
    """Control flow of :class:`LowerAt`: the pattern does not end at this node."""


@dataclass(frozen=True)
class CodeFormat:
    """Codes of a ``Quant`` node: real value = code * 2**step."""

    dtype: BaseDataType
    step: int


def exact_log2(value: float, what: str) -> int:
    """log2 of a power of two.

    Raises:
        LoweringError: not a power of two.
    """
    mantissa, exponent = np.frexp(value)
    if mantissa != 0.5:
        raise LoweringError(f"{what} is {value}, not a power of two")
    return int(exponent) - 1


def grid_log2(values: np.ndarray) -> np.ndarray:
    """log2 of the coarsest grid that holds each element; 127 for zero, which lies on every grid."""
    return np.where(np.asarray(values) == 0, 127, lowest_bit_log2(values))


class GraphView:
    """Queries on a model of which parts may already be lowered.

    A query that finds something else than asked for raises :class:`NoMatch`.

    Args:
        formats: code formats by tensor, read before anything was lowered.
    """

    def __init__(self, model: ModelWrapper, formats: dict[str, CodeFormat]) -> None:
        self.model = model
        self.formats = formats
        graph = model.graph
        self.stored = {tensor.name: tensor for tensor in graph.initializer}
        ports = (*graph.input, *graph.output, *graph.value_info)
        self.shapes = {port.name: [dim.dim_value for dim in port.type.tensor_type.shape.dim] for port in ports}
        self.constants: dict[str, np.ndarray] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the nodes again after the model was changed."""
        self.producers = {output: node for node in self.model.graph.node for output in node.output}
        self.constness: dict[str, bool] = {}

    def producer(self, tensor: str, *op_types: str) -> NodeProto:
        """The node that makes ``tensor``, of one of ``op_types`` or, without them, of any type."""
        node = self.producers.get(tensor)
        if node is None or (op_types and node.op_type not in op_types):
            raise NoMatch
        return node

    def shape(self, tensor: str) -> list[int]:
        """Shape with the batch."""
        return self.shapes.get(tensor)

    def tokens(self, tensor: str) -> tuple[int, int]:
        """Number of tokens and width of a tensor of tokens, (1, n_tokens, n_in)."""
        shape = self.shape(tensor)
        if shape is None or len(shape) != 3:
            raise NoMatch
        return shape[1], shape[2]

    def codes(self, tensor: str) -> CodeFormat:
        """The format of a tensor of activation codes."""
        if tensor not in self.formats or self.is_constant(tensor):
            raise NoMatch
        return self.formats[tensor]

    def is_constant(self, tensor: str) -> bool:
        """Whether ``tensor`` is stored in the model or computed from stored tensors only."""
        if tensor not in self.constness:
            node = self.producers.get(tensor)
            computed = node is not None and node.domain != DOMAIN and all(self.is_constant(i) for i in node.input if i)
            self.constness[tensor] = tensor in self.stored or computed
        return self.constness[tensor]

    def constant(self, tensor: str) -> np.ndarray:
        """Value of a constant, stored or computed by qonnx."""
        if not self.is_constant(tensor):
            raise NoMatch
        if tensor not in self.constants:
            stored = self.stored.get(tensor)
            self.constants[tensor] = self.run([], tensor, {}) if stored is None else numpy_helper.to_array(stored)
        return self.constants[tensor]

    def scalar(self, tensor: str) -> float:
        """Value of a constant of one element."""
        value = self.constant(tensor)
        if value.size != 1:
            raise NoMatch
        return float(value.reshape(-1)[0])

    def split_constant(self, node: NodeProto) -> tuple[str, str]:
        """The dynamic and the constant input of a node with one of each."""
        first, second = node.input
        if self.is_constant(second) and not self.is_constant(first):
            return first, second
        if self.is_constant(first) and not self.is_constant(second):
            return second, first
        raise NoMatch

    def axes(self, node: NodeProto) -> list[int]:
        """Axes of a reduction, counted from the end; old opsets store them in an attribute, newer ones in an input."""
        attribute = get_by_name(node.attribute, "axes")
        axes = attribute.ints if attribute else self.constant(node.input[1]).reshape(-1)
        rank = len(self.shape(node.input[0]))
        return [int(axis) % rank - rank for axis in axes]

    def ancestors(self, start: list[str], end: str) -> list[NodeProto]:
        """Nodes that compute ``end`` from ``start`` and constants, in the graph's order."""
        needed, found = [end], set()
        while needed:
            tensor = needed.pop()
            node = self.producers.get(tensor)
            if not tensor or tensor in start or node is None or node.name in found:
                continue
            found.add(node.name)
            needed += node.input
        return [node for node in self.model.graph.node if node.name in found]

    def run(self, start: list[str], end: str, values: dict[str, np.ndarray]) -> np.ndarray:
        """The tensor ``end``, computed by qonnx from ``values`` of the tensors ``start``; these may have any shape."""
        nodes = self.ancestors(start, end)
        made = {output for node in nodes for output in node.output}
        outside = {i for node in nodes for i in node.input if i} - made - set(start)
        if not outside <= self.stored.keys():
            raise NoMatch
        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, values[n].shape) for n in start]
        graph = helper.make_graph(nodes, "table", inputs, [helper.make_empty_tensor_value_info(end)])
        part = ModelWrapper(qonnx_make_model(graph, opset_imports=list(self.model.model.opset_import)))
        part.graph.initializer.extend(self.stored[name] for name in outside)
        part.graph.output[0].CopyFrom(helper.make_tensor_value_info(end, TensorProto.FLOAT, None))
        part = part.transform(InferShapes(), make_deepcopy=False, cleanup=False)
        return execute_onnx(part, {name: values[name].astype(np.float32) for name in start})[end]


def read_formats(model: ModelWrapper) -> dict[str, CodeFormat]:
    """The code format of every tensor that a ``Quant`` node makes.

    Raises:
        LoweringError: a scale that is no power of two, a zero point, a narrow range or a rounding
            other than half to even.
    """
    return {node.output[0]: _read_format(model, node) for node in model.get_nodes_by_op_type("Quant")}


def _read_format(model: ModelWrapper, node: NodeProto) -> CodeFormat:
    scale, zero_point, bits = (model.get_initializer(name) for name in node.input[1:4])
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    what = f"Quant node {node.name}"
    if any(value is None or value.size != 1 for value in (scale, zero_point, bits)):
        raise LoweringError(f"{what}: scale, zero point and bit width must be constants of one element")
    if float(zero_point.reshape(-1)[0]) != 0:
        raise LoweringError(f"{what}: the zero point must be 0")
    if attributes.get("narrow") or attributes.get("rounding_mode", b"ROUND").decode().upper() != "ROUND":
        raise LoweringError(f"{what}: only the full range and rounding half to even are supported")
    kind = "INT" if attributes.get("signed", 1) else "UINT"
    dtype = DataType[f"{kind}{int(bits.reshape(-1)[0])}"]
    return CodeFormat(dtype, exact_log2(float(scale.reshape(-1)[0]), f"{what}: the scale"))


def insert(model: ModelWrapper, nodes: list[NodeProto]) -> None:
    """Replace the nodes that make the outputs of ``nodes`` by these, and remove nodes that became dead."""
    made = {output for node in nodes for output in node.output}
    _drop(model, [bool(made & set(node.output)) for node in model.graph.node])
    model.graph.node.extend(nodes)
    remove_dead_nodes(model)


def remove_dead_nodes(model: ModelWrapper) -> None:
    """Remove nodes on which no output of the graph depends."""
    makers = {output: index for index, node in enumerate(model.graph.node) for output in node.output}
    needed, live = [port.name for port in model.graph.output], set()
    while needed:
        index = makers.get(needed.pop())
        if index is not None and index not in live:
            live.add(index)
            needed += model.graph.node[index].input
    _drop(model, [index not in live for index in range(len(model.graph.node))])


def _drop(model: ModelWrapper, dropped: list[bool]) -> None:
    """Remove nodes by index; ``remove`` of the container would compare whole nodes, weights included."""
    for index in reversed([index for index, drop in enumerate(dropped) if drop]):
        del model.graph.node[index]


def operator_name(node: NodeProto, suffix: str) -> str:
    """The module path in a node's name, such as ``blocks_0_attn_q``: the name without the exporter's ``suffix``."""
    return node.name.removesuffix(suffix).rstrip("_") or suffix.strip("_").lower()

"""Putting an exported QONNX graph in order.

qonnx looks through all tensors for each of them, several times after every transformation: on a graph of some hundred
nodes that takes longer than the export. What is here goes through the graph once.
"""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Sequence
from graphlib import TopologicalSorter

from onnx import ModelProto, NodeProto, ValueInfoProto, helper, shape_inference
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp, is_custom_op
from qonnx.transformation.base import Transformation
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.general import (
    RemoveStaticGraphInputs,
    RemoveUnusedTensors,
    SortCommutativeInputsInitializerLast,
)

from hls_projects.errors import InputError
from hls_projects.names import IMAGE_PORT, LOGIT_PORT, identifier, shown

QUANTIZERS = ["Quant", "FloatQuant", "BipolarQuant", "Trunc"]
# Elements of a folded constant and of all tensors, products of one operator, operators, and seconds of the processor.
LARGEST_CONSTANT, LARGEST_GRAPH, MOST_PRODUCTS = 1 << 24, 1 << 28, 1 << 36
MOST_FOLDS, FOLDING_SECONDS = 500, 8.0
# Operators whose work is not in proportion to what they read and make.
HEAVY = {"Conv", "ConvInteger", "ConvTranspose", "DFT", "Einsum", "Gemm", "MatMul", "MatMulInteger"}
HEAVY |= {"GRU", "LSTM", "RNN"}


def tidy_up(model: ModelWrapper) -> ModelWrapper:
    """A copy with shapes inferred, constants folded, weight quantizers kept as nodes.

    qonnx's own ``cleanup_model`` would fold ``FloatQuant`` away and with it the weight format.
    """
    model = infer_shapes(copy.deepcopy(model))
    for transformation in (
        RemoveUnusedTensors(),
        RemoveStaticGraphInputs(),
        Sort(),
        SortCommutativeInputsInitializerLast(),
        OwnParameters(),
    ):
        model = model.transform(transformation, make_deepcopy=False, cleanup=False)
    stored = {tensor.name for tensor in model.graph.initializer}
    if any(_is_constant(node, stored) for node in model.graph.node):
        model = model.transform(FoldWithinBudget(exclude_op_types=QUANTIZERS))
    for transformation in (NameByModule(), RemoveUnusedTensors()):
        model = model.transform(transformation, make_deepcopy=False, cleanup=False)
    return model


class FoldWithinBudget(FoldConstants):
    """qonnx's folding of constants, an operator a call, with limits of memory and time.

    Raises:
        InputError: a result of no known size or a large one, too much work, or too many operators.
    """

    def __init__(self, exclude_op_types: list[str]) -> None:
        super().__init__(exclude_op_types)
        self.folds, self.started = 0, time.process_time()

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        stored = {tensor.name for tensor in model.graph.initializer}
        sizes = _sizes(model)
        found = next((node for node in model.graph.node if _is_constant(node, stored)), None)
        if found is None:
            return model, False
        self.folds += 1
        made = [sizes.get(name, 0) for name in found.output if name]
        read = max((sizes.get(name, 0) for name in found.input), default=0)
        spent = self.folds > MOST_FOLDS or time.process_time() - self.started > FOLDING_SECONDS
        heavy = found.op_type in HEAVY and sum(made) * read > MOST_PRODUCTS
        large = not all(0 < size <= LARGEST_CONSTANT for size in made) or sum(sizes.values()) > LARGEST_GRAPH
        if spent or heavy or large:
            raise InputError(
                f"node {shown(found.name)} ({found.op_type}) computes a constant that is too large or takes too long; "
                "store its result in the file"
            )
        return super().apply(model)


def _sizes(model: ModelWrapper) -> dict[str, int]:
    """Elements of every tensor whose shape is known, by name."""
    ports = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    sizes = {
        port.name: math.prod(dim.dim_value for dim in port.type.tensor_type.shape.dim)
        for port in ports
        if port.type.tensor_type.HasField("shape")
    }
    return sizes | {tensor.name: math.prod(tensor.dims) for tensor in model.graph.initializer}


def infer_shapes(model: ModelWrapper) -> ModelWrapper:
    """As qonnx's ``InferShapes``, and with the shapes of the constants that nodes read."""
    graph = model.graph
    known = {port.name for port in (*graph.input, *graph.output, *graph.value_info)}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for name in dict.fromkeys(name for node in graph.node for name in node.input):
        if name in constants and name not in known:
            tensor = constants[name]
            graph.value_info.append(helper.make_tensor_value_info(name, tensor.data_type, tensor.dims))
    standard = ModelProto()
    standard.CopyFrom(model.model)
    del standard.graph.node[:]
    standard.graph.node.extend(_standard(node, model) for node in graph.node)
    inferred = shape_inference.infer_shapes(standard, strict_mode=True)
    del inferred.graph.node[:]
    inferred.graph.node.extend(graph.node)
    return ModelWrapper(inferred, fix_missing_initializer_valueinfo=False)


def _standard(node: NodeProto, model: ModelWrapper) -> NodeProto:
    """A node of ONNX with outputs of the same shapes."""
    if not is_custom_op(node.domain):
        return node
    standard = getCustomOp(node).make_shape_compatible_op(model)
    standard.name = node.name
    return standard


def _is_constant(node: NodeProto, stored: set[str]) -> bool:
    """Whether its outputs can be worked out now."""
    return node.op_type not in QUANTIZERS and (node.op_type == "Shape" or stored.issuperset(node.input))


class Sort(Transformation):
    """Nodes after those that they read from, as early as they can be, in the order of qonnx's ``SortGraph``."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        nodes = list(model.graph.node)
        makers = {tensor: place for place, node in enumerate(nodes) for tensor in node.output}
        before = {
            place: {makers[tensor] for tensor in node.input if tensor in makers} for place, node in enumerate(nodes)
        }
        ordered: list[int] = []
        sorter = TopologicalSorter(before)
        sorter.prepare()
        while sorter.is_active():
            level = sorted(sorter.get_ready())
            sorter.done(*level)
            ordered += level
        del model.graph.node[:]
        model.graph.node.extend(nodes[place] for place in ordered)
        return model, False


class OwnParameters(Transformation):
    """A constant of its own for every input that reads one, as qonnx's ``GiveUniqueParameterTensors`` makes them.

    Their names are for :class:`NameByModule` to replace.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        graph = model.graph
        constants = {tensor.name: tensor for tensor in graph.initializer}
        shapes = {port.name: port for port in (*graph.input, *graph.output, *graph.value_info)}
        read, names = set(), {*constants, *shapes}
        for node in graph.node:
            for index, name in enumerate(node.input):
                if name in read:
                    node.input[index] = _unique(name, names)
                    for found, shelf in ((constants[name], graph.initializer), (shapes[name], graph.value_info)):
                        shelf.add().CopyFrom(found)
                        shelf[-1].name = node.input[index]
                elif name in constants:
                    read.add(name)
        return model, False


class NameByModule(Transformation):
    """Unique names that are identifiers: nodes after the exporter's module paths, tensors after nodes.

    The graph's ports get fixed names, because they become ports of the generated code. qonnx's own renaming misses a
    tensor that feeds two inputs of one node.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        graph = model.graph
        names = {"": ""} | _port_names(graph.input, IMAGE_PORT) | _port_names(graph.output, LOGIT_PORT)
        taken: set[str] = set()
        for node in graph.node:
            node.name = identifier(_module_path(node), taken)
            for index, tensor in enumerate(node.input):
                names.setdefault(tensor, f"{node.name}_param{index}")
            for index, tensor in enumerate(node.output):
                names.setdefault(tensor, f"{node.name}_out{index}")
        for node in graph.node:
            node.input[:] = [names[tensor] for tensor in node.input]
            node.output[:] = [names[tensor] for tensor in node.output]
        for item in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
            item.name = names.get(item.name, item.name)
        return model, False


def _port_names(ports: Sequence[ValueInfoProto], name: str) -> dict[str, str]:
    """``name`` for the only port, numbered names for several, by the names that they have."""
    return {port.name: f"{name}_{index}" if index else name for index, port in enumerate(ports)}


def _module_path(node: NodeProto) -> str:
    """The exporter's path of the module that ``node`` belongs to; the kind of the node where it has no name."""
    path = node.name.replace("act_quant/export_handler", "").replace("export_handler", "")
    return path if any(letter.isalnum() for letter in path) else node.op_type


def _unique(name: str, taken: set[str]) -> str:
    candidates = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(1)))
    chosen = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(chosen)
    return chosen

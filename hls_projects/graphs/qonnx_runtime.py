"""Execution of a QONNX graph by onnxruntime, with every quantizer replaced by standard operators.

qonnx executes a graph node by node in Python, which is slow. Here qonnx computes the quantized constants, and the other
quantizers become IEEE operations in the order of qonnx's definitions
(https://github.com/fastmachinelearning/qonnx/tree/main/docs/qonnx-custom-ops). Graph optimizations of onnxruntime stay
off, because a fused operator may round differently.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
from onnx import NodeProto, TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.floatquant import compute_max_val
from qonnx.custom_op.general.quant import max_int, min_int
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

from hls_projects.errors import InputError
from hls_projects.graphs.qonnx_file import batched

BATCH = 50
# The largest exponent of a float32 number.
LARGEST_EXPONENT = 127


class StandardOperators(Transformation):
    """Replace ``Quant`` and ``FloatQuant`` by operators of the ONNX standard.

    Raises:
        InputError: a quantizer whose parameters are not constant, or of a kind that is not supported here.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in [node for node in model.graph.node if node.op_type in STANDARD]:
            if all(model.get_initializer(name) is not None for name in node.input):
                _fold(model, node)
            else:
                _Builder(model, node).replace(STANDARD[node.op_type])
        return model, False


def _fold(model: ModelWrapper, node: NodeProto) -> None:
    """Replace a quantized constant by the value that qonnx computes."""
    context = {name: model.get_initializer(name) for name in node.input}
    getCustomOp(node).execute_node(context, model.graph)
    model.graph.node.remove(node)
    model.set_initializer(node.output[0], context[node.output[0]])


class _Builder:
    """Replaces one quantizer by a chain of standard nodes."""

    def __init__(self, model: ModelWrapper, node: NodeProto) -> None:
        self.model, self.node = model, node
        self.made: list[NodeProto] = []

    def constant(self, index: int) -> np.ndarray:
        """The value of a parameter of the quantizer."""
        value = self.model.get_initializer(self.node.input[index])
        if value is None:
            raise InputError(f"node {self.node.name} ({self.node.op_type}): {self.node.input[index]} is not constant")
        return value

    def attribute(self, name: str) -> int | str:
        return getCustomOp(self.node).get_nodeattr(name)

    def add(self, op_type: str, *inputs: str | np.ndarray, **attributes: object) -> str:
        """Append a node; arrays become initializers. Returns the name of its output."""
        output = f"{self.node.name}_{len(self.made)}"
        names = []
        for index, value in enumerate(inputs):
            if isinstance(value, str):
                names.append(value)
                continue
            names.append(f"{output}_{index}")
            self.model.set_initializer(names[-1], np.asarray(value))
        self.made.append(helper.make_node(op_type, names, [output], name=output, **attributes))
        return output

    def replace(self, write: Callable[[_Builder, str], None]) -> None:
        """Insert the nodes that ``write`` adds instead of the quantizer."""
        write(self, self.node.input[0])
        self.made[-1].output[0] = self.node.output[0]
        first = list(self.model.graph.node).index(self.node)
        self.model.graph.node.remove(self.node)
        for offset, made in enumerate(self.made):
            self.model.graph.node.insert(first + offset, made)


def _quant(build: _Builder, x: str) -> None:
    scale, zero_point, bits = (build.constant(index) for index in (1, 2, 3))
    signed, narrow = build.attribute("signed"), build.attribute("narrow")
    if build.attribute("rounding_mode").upper() != "ROUND" or np.any(zero_point) or bits.size != 1 or bits < 2:
        raise InputError(f"node {build.node.name} (Quant): only rounding ROUND, zero point 0 and 2 bits or more")
    low, high = (np.float32(limit(signed, narrow, bits).item()) for limit in (min_int, max_int))
    code = build.add("Round", build.add("Clip", build.add("Div", x, scale), low, high))
    build.add("Mul", code, scale)


def _float_quant(build: _Builder, x: str) -> None:
    constants = (build.constant(index).astype(np.float32) for index in range(1, 6))
    scale, exponent_bits, mantissa_bits, bias, peak = constants
    if build.attribute("rounding_mode").upper() != "ROUND" or not build.attribute("saturation"):
        raise InputError(f"node {build.node.name} (FloatQuant): only rounding ROUND with saturation")
    scaled = build.add("Div", x, scale)
    # Rounding errors of the logarithm may put a number near a power of two on its wrong side. That is harmless: the
    # steps of both sides round such a number to the power of two itself.
    magnitude = build.add("Max", build.add("Abs", scaled), np.float32(np.finfo(np.float32).tiny))
    exponent = build.add("Floor", build.add("Mul", build.add("Log", magnitude), np.float32(1 / np.log(2))))
    exponent = build.add("Clip", exponent, (1 - bias).reshape(()), np.float32(LARGEST_EXPONENT))
    position = build.add("Cast", build.add("Sub", exponent, 1 - bias), to=TensorProto.INT64)
    steps = np.exp2(np.arange((1 - bias).item(), LARGEST_EXPONENT + 1) - mantissa_bits).astype(np.float32)
    step = build.add("Gather", steps.reshape(-1), position)
    value = build.add("Mul", step, build.add("Round", build.add("Div", scaled, step)))
    limit = np.float32(np.minimum(compute_max_val(exponent_bits, mantissa_bits, bias), peak).item())
    build.add("Mul", build.add("Clip", value, -limit, limit), scale)


STANDARD = {"Quant": _quant, "FloatQuant": _float_quant}


def standard_model(model: ModelWrapper) -> ModelWrapper:
    """A copy of ``model`` made of operators of the ONNX standard only."""
    return ModelWrapper(model.model, make_deepcopy=True).transform(StandardOperators())


def run_standard(
    model: ModelWrapper, images: np.ndarray, progress: Callable[[int], None] = lambda done: None
) -> np.ndarray:
    """Execute a QONNX graph by onnxruntime.

    Args:
        images: uint8 (N, H, W, C).
        progress: called with the number of finished images.

    Returns:
        float32 (N, classes).
    """
    standard = standard_model(model)
    source = standard.graph.input[0].name
    sessions: dict[int, onnxruntime.InferenceSession] = {}
    results = []
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH].astype(np.float32)
        if len(part) not in sessions:
            sessions[len(part)] = _session(batched(standard, len(part)))
        results.append(sessions[len(part)].run(None, {source: part})[0])
        progress(start + len(part))
    return np.concatenate(results)


def _session(model: ModelWrapper) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.model.SerializeToString(), options, providers=["CPUExecutionProvider"])

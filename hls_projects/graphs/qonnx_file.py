"""Reading a QONNX file that somebody else made, and running one on many images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.infer_shapes import InferShapes

KNOWN_DOMAINS = {"", "ai.onnx", "qonnx.custom_op.general", "onnx.brevitas"}
QUANTIZER_INPUTS = {"Quant": 4, "FloatQuant": 6}
CHUNK = 50


class QonnxError(Exception):
    """A file that is no QONNX model of an image classifier."""


def read_qonnx(path: Path, image_shape: tuple[int, int, int]) -> ModelWrapper:
    """Read and check a QONNX file, without changing it.

    Args:
        image_shape: (height, width, channels) that its input must have after a batch of one.

    Raises:
        QonnxError: no such file, not ONNX, not one input and output, a dynamic or other shape, a
            dangling input, a quantizer with too few inputs or an operator of a foreign domain.
    """
    if not path.is_file():
        raise QonnxError(f"QONNX file {path} does not exist; --qonnx takes a file that Brevitas exported")
    try:
        model = onnx.load(str(path))
    except (DecodeError, onnx.checker.ValidationError, ValueError, OSError) as error:
        raise QonnxError(f"{path} is not an ONNX file, or is cut short; export it again") from error
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [port for port in graph.input if port.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1 or not graph.node:
        raise QonnxError(f"{path} has {len(inputs)} inputs and {len(graph.output)} outputs; one of each is supported")
    shape = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    if shape != [1, *image_shape]:
        shown = [dim.dim_value or dim.dim_param or "?" for dim in inputs[0].type.tensor_type.shape.dim]
        raise QonnxError(f"{path}: input {inputs[0].name} has shape {shown}, not {[1, *image_shape]}")
    _check_nodes(path, graph, constants | {inputs[0].name})
    return ModelWrapper(model)


def _check_nodes(path: Path, graph: onnx.GraphProto, known: set[str]) -> None:
    for node in graph.node:
        if node.domain not in KNOWN_DOMAINS:
            raise QonnxError(f"{path}: operator {node.domain}.{node.op_type} (node {node.name}) is not supported")
        needed = QUANTIZER_INPUTS.get(node.op_type, 0)
        if len(node.input) < needed or not all(node.input[:needed]):
            raise QonnxError(f"{path}: node {node.name} ({node.op_type}) has not the {needed} inputs of its kind")
        dangling = [name for name in node.input if name and name not in known]
        if dangling:
            raise QonnxError(f"{path}: node {node.name} ({node.op_type}) reads {dangling[0]}, which nothing makes")
        known |= set(node.output)


def batched(model: ModelWrapper, size: int) -> ModelWrapper:
    """The same graph for ``size`` images at once."""
    return model.transform(ChangeBatchSize(size)).transform(InferShapes())


def run_images(
    model: ModelWrapper, images: np.ndarray, progress: Callable[[int], None] = lambda done: None
) -> np.ndarray:
    """Execute a QONNX or lowered graph, by qonnx, on uint8 (N, H, W, C) images: float32 (N, classes)."""
    source, sink = model.graph.input[0].name, model.graph.output[0].name
    graphs: dict[int, ModelWrapper] = {}
    results = []
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK].astype(np.float32)
        if len(part) not in graphs:
            graphs[len(part)] = batched(model, len(part))
        results.append(execute_onnx(graphs[len(part)], {source: part})[sink])
        progress(start + len(part))
    return np.concatenate(results)

"""Reading and checking of QONNX files, which may come from anybody, and their execution on many images."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.infer_shapes import InferShapes

from hls_projects.errors import InputError
from hls_projects.graphs.onnx_file import check_attributes, named, read_onnx
from hls_projects.names import shown

QUANTIZERS = ("Quant", "FloatQuant", "BipolarQuant", "Trunc")
CUSTOM = {"qonnx.custom_op.general": QUANTIZERS, "onnx.brevitas": QUANTIZERS}
QUANTIZER_INPUTS = {"Quant": 4, "FloatQuant": 6, "BipolarQuant": 2, "Trunc": 4}
# Largest sensible widths in bits: an exponent and a mantissa of float32, an integer that float32 passes on.
WIDTHS = {"Quant": {3: (1, 32)}, "FloatQuant": {2: (0, 8), 3: (0, 23), 4: (-255, 255)}}
# Elements of a tensor, and of all of them.
LARGEST_TENSOR, LARGEST_GRAPH = 1 << 26, 1 << 28
BATCH = 50


def read_qonnx(path: Path, image_shape: tuple[int, int, int]) -> ModelWrapper:
    """Read and check a QONNX file.

    Args:
        image_shape: (height, width, channels) that its input must have after a batch of one.

    Raises:
        InputError: no such file, or one that breaks a rule of ONNX; not one input and output, a dynamic or other
            shape, a quantizer with too few inputs or wrong attributes, an operator of a foreign domain.
    """
    model = _read(path)
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [port for port in graph.input if port.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise InputError(f"{path} has {len(inputs)} inputs and {len(graph.output)} outputs; one of each is supported")
    shape = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    if shape != [1, *image_shape]:
        dims = inputs[0].type.tensor_type.shape.dim
        found = ", ".join(shown(str(dim.dim_value or dim.dim_param or "?")) for dim in dims)
        raise InputError(f"{path}: input {shown(inputs[0].name)} has shape [{found}], not {[1, *image_shape]}")
    return ModelWrapper(model)


def read_tidy(path: Path) -> ModelWrapper:
    """The QONNX graph that an earlier step left in a file.

    Raises:
        InputError: no such file, or not such a graph.
    """
    model = ModelWrapper(_read(path))
    check_tidy(model)
    return model


def _read(path: Path) -> ModelProto:
    model = read_onnx(path, CUSTOM, standard=True)
    for node in (node for node in model.graph.node if node.domain):
        _check_quantizer(path, node)
    return model


def _check_quantizer(path: Path, node: NodeProto) -> None:
    needed = QUANTIZER_INPUTS[node.op_type]
    if len(node.input) < needed or not all(node.input[:needed]):
        raise InputError(f"{path}: {named(node)} has not the {needed} inputs of its kind")
    try:
        check_attributes(node)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def check_tidy(model: ModelWrapper) -> None:
    """Check a graph whose shapes were inferred and whose constants were folded.

    Raises:
        InputError: a tensor without a shape or of an absurd size, a quantizer of an absurd width.
    """
    graph = model.graph
    shapes = {
        port.name: [dim.dim_value for dim in port.type.tensor_type.shape.dim]
        for port in (*graph.input, *graph.output, *graph.value_info)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    total = 0
    for node in graph.node:
        for name in node.output:
            size = math.prod(shapes.get(name, [0]))
            total += size
            if not 0 < size <= LARGEST_TENSOR or total > LARGEST_GRAPH:
                found = shapes.get(name, "none")
                raise InputError(f"{named(node)} makes a tensor of shape {found}, which is unknown or too large")
        for index, (low, high) in WIDTHS.get(node.op_type, {}).items():
            value = model.get_initializer(node.input[index])
            if value is not None and not bool(((value >= low) & (value <= high)).all()):
                raise InputError(f"{named(node)}: {shown(node.input[index])} must be {low} to {high}")


def batched(model: ModelWrapper, size: int) -> ModelWrapper:
    """A copy of ``model`` with a batch of ``size`` images."""
    return model.transform(ChangeBatchSize(size)).transform(InferShapes())


def run_images(
    model: ModelWrapper, images: np.ndarray, progress: Callable[[int], None] = lambda done: None
) -> np.ndarray:
    """Execute a QONNX or lowered graph by qonnx.

    Args:
        images: uint8 (N, H, W, C).
        progress: called with the number of finished images.

    Returns:
        float32 (N, classes).
    """
    source, sink = model.graph.input[0].name, model.graph.output[0].name
    graphs: dict[int, ModelWrapper] = {}
    results = []
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH].astype(np.float32)
        if len(part) not in graphs:
            graphs[len(part)] = batched(model, len(part))
        results.append(execute_onnx(graphs[len(part)], {source: part})[sink])
        progress(start + len(part))
    return np.concatenate(results)

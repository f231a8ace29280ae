"""Comparison of every operator's output: QONNX against the lowered graph against the C-simulation."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp

from hls_projects import simulation
from hls_projects.graphs.qonnx_file import batched
from hls_projects.lowering.graph import read_formats
from hls_projects.project.conversion import convert, read_lowered
from hls_projects.targets import Target

TRACED_IMAGES = 8
# What a traced project takes from the project itself, so that a fault in it is found.
TRACED_PARTS = ("nnet_utils", "weights", "defines.h", "parameters.h")
MOVES = ("Reshape", "Slice", "Transpose")


def choose(qonnx: np.ndarray, csim: np.ndarray) -> np.ndarray:
    """Indices of the images to trace, those with mismatched logits first."""
    wrong = (qonnx != csim).any(axis=1)
    return np.argsort(~wrong, kind="stable")[:TRACED_IMAGES]


def compare_operators(
    model: ModelWrapper,
    lowered_file: Path,
    target: Target,
    project: Path,
    work: Path,
    images: np.ndarray,
    chosen: np.ndarray,
) -> dict[str, Any]:
    """Trace ``images[chosen]`` through all three and name the first operator that differs.

    Args:
        project: the HLS project whose kernels and weights are traced.
        work: folder for a project whose test bench writes every operator's output; removed after.
        images: uint8 (N, H, W, C). chosen: from :func:`choose`.

    Returns:
        ``images``, ``operators`` (compared), ``first_difference``: None, or ``operator``,
        ``between``, ``image`` (of ``images``), ``index``, ``expected``, ``got``.
    """
    images = images[chosen]
    lowered = read_lowered(lowered_file)
    golden = _execute(model, images)
    expected = _execute(lowered, images)
    shutil.rmtree(work, ignore_errors=True)
    convert(lowered_file, target, work / "hls", trace=True)
    for part in TRACED_PARTS:
        _copy(project / "firmware" / part, work / "hls" / "firmware" / part)
    traced = _simulate(lowered, work, images, expected)
    formats = read_formats(model)
    first = None
    for node in lowered.graph.node:
        tensor = node.output[0]
        stages = [("lowered and csim", expected[tensor], traced[node.name])]
        quantized = _behind_moves(model, tensor)
        if quantized in formats:
            codes = getCustomOp(node).as_stream(golden[tensor]) * 2.0 ** -formats[quantized].step
            stages.insert(0, ("qonnx and lowered", codes, expected[tensor]))
        first = next((found for stage in stages if (found := _difference(node.name, *stage))), None)
        if first:
            first["image"] = int(chosen[first["image"]])
            break
    shutil.rmtree(work, ignore_errors=True)
    return {"images": len(images), "operators": len(lowered.graph.node), "first_difference": first}


def _copy(source: Path, destination: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, destination, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, destination)


def _behind_moves(model: ModelWrapper, tensor: str) -> str:
    """The tensor whose elements ``tensor`` only moves."""
    producer = model.find_producer(tensor)
    while producer is not None and producer.op_type in MOVES:
        tensor = producer.input[0]
        producer = model.find_producer(tensor)
    return tensor


def _execute(model: ModelWrapper, images: np.ndarray) -> dict[str, np.ndarray]:
    source = {model.graph.input[0].name: images.astype(np.float32)}
    return execute_onnx(batched(model, len(images)), source, return_full_exec_context=True)


def _simulate(
    lowered: ModelWrapper, work: Path, images: np.ndarray, expected: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    simulation.compile_programs(work / "hls", [simulation.REFERENCE])
    simulation.simulate_reference(work / "hls", work, images, expected[lowered.graph.output[0].name])
    shapes = {node.name: getCustomOp(node).output_shape() for node in lowered.graph.node}
    return {name: simulation.read_trace(work, name, shape) for name, shape in shapes.items()}


def _difference(operator: str, between: str, expected: np.ndarray, got: np.ndarray) -> dict[str, Any] | None:
    places = np.argwhere(expected != got)
    if not len(places):
        return None
    place = tuple(places[0])
    return {
        "operator": operator,
        "between": between,
        "image": int(place[0]),
        "index": [int(i) for i in place[1:]],
        "expected": int(expected[place]),
        "got": int(got[place]),
    }

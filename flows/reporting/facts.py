"""Figures for ``report.json``, counted from logits and from the graphs of a build."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from hls_projects.errors import InputError
from hls_projects.graphs.ranges import METADATA_KEY
from hls_projects.operators import HardwareOperator, PotLinear

CIFAR10_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CONFUSED_STAGE = "csim"


def accuracy_facts(logits: dict[str, np.ndarray], labels: np.ndarray | None) -> dict[str, Any] | None:
    """``classes`` of the report; the first of equal logits wins.

    Args:
        logits: by stage, (N, classes). A stage that computed only a sample is left out.
        labels: (N,) class indices, or None.

    Returns:
        None without labels. ``confusion`` is None where the C-simulation is not among the stages.
    """
    if labels is None:
        return None
    predicted = {stage: array.argmax(axis=1) for stage, array in logits.items() if len(array) == len(labels)}
    count = max([len(CIFAR10_NAMES), int(labels.max()) + 1, *(array.shape[1] for array in logits.values())])
    images = np.bincount(labels, minlength=count)
    confused = predicted.get(CONFUSED_STAGE)
    return {
        "names": list(CIFAR10_NAMES) if count == len(CIFAR10_NAMES) else [f"class {i}" for i in range(count)],
        "accuracy": {stage: _by_class(classes, labels, images) for stage, classes in predicted.items()},
        "images": images.tolist(),
        "confusion": None if confused is None else _confusion(confused, labels, count),
    }


def _by_class(predicted: np.ndarray, labels: np.ndarray, images: np.ndarray) -> list[float | None]:
    right = np.bincount(labels[predicted == labels], minlength=len(images))
    return [
        round(100.0 * int(hit) / int(total), 4) if total else None for hit, total in zip(right, images, strict=True)
    ]


def _confusion(predicted: np.ndarray, labels: np.ndarray, count: int) -> list[list[int]]:
    return np.bincount(labels * count + predicted, minlength=count * count).reshape(count, count).tolist()


def tensor_facts(model: ModelWrapper) -> list[dict[str, Any]]:
    """Range of every tensor, in the order of the graph, from the metadata of ``model.qonnx.onnx``.

    Raises:
        InputError: the graph carries no ranges.
    """
    stored = model.get_metadata_prop(METADATA_KEY)
    if stored is None:
        raise InputError("the QONNX graph carries no ranges; start --from ranges")
    makers = {output: node.op_type for node in model.graph.node for output in node.output}
    return [
        {
            "name": name,
            "operator": makers.get(name, "input"),
            "kind": tensor["kind"],
            "bits": tensor["bits"],
            "low": tensor["lo"],
            "high": tensor["hi"],
            "step_log2": tensor["step_log2"],
        }
        for name, tensor in json.loads(stored).items()
    ]


def layer_facts(lowered: ModelWrapper) -> list[dict[str, Any]]:
    """Size, sparsity and exponents of every linear layer with power-of-two weights."""
    return [_layer(operator) for operator in _operators(lowered) if isinstance(operator, PotLinear)]


def _layer(layer: PotLinear) -> dict[str, Any]:
    weights = layer.weights.values
    return {
        "name": layer.onnx_node.name,
        "inputs": layer.size("n_in"),
        "outputs": layer.size("n_out"),
        "format": f"E{layer.size('exponent_bits')}M{layer.size('mantissa_bits')}",
        "code_bits": layer.array_dtype("codes").bitwidth(),
        "weights": weights.size,
        "zeros": int((weights == 0).sum()),
        "exponents": {str(power): int(count) for power, count in enumerate(layer.weights.exponent_counts())},
    }


def storage_facts(lowered: ModelWrapper) -> list[dict[str, Any]]:
    """Every array that a kernel is given, in the types that it is given them."""
    return [
        {
            "operator": operator.onnx_node.name,
            "array": name,
            "elements": int(operator.kernel_array(name).size),
            "bits_each": operator.array_dtype(name).bitwidth(),
        }
        for operator in _operators(lowered)
        for name in operator.arrays
    ]


def mac_facts(lowered: ModelWrapper) -> dict[str, int]:
    """Multiply-accumulates of the matrix products for one image, with weights and in attention."""
    counts = {"weights": 0, "attention": 0}
    for operator in _operators(lowered):
        counts["weights" if isinstance(operator, PotLinear) else "attention"] += operator.macs()
    return counts


def _operators(lowered: ModelWrapper) -> Iterator[HardwareOperator]:
    return (getCustomOp(node) for node in lowered.graph.node)

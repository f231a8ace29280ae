"""Figures of a build and their text form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from hls_projects.operators import PotLinear

Progress = Callable[[int], None]


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 in percent; the first of equal logits wins."""
    return round(100.0 * float((logits.argmax(axis=1) == labels).mean()), 4)


def logit_scale(lowered: ModelWrapper) -> float:
    """Real units of one logit code."""
    return 2.0 ** getCustomOp(lowered.graph.node[-1]).get_nodeattr("scale_log2")


def model_facts(model: ModelWrapper, lowered: ModelWrapper) -> dict[str, Any]:
    """Parameters, bits of a weight, and share of zero weight codes, counted from the files."""
    quantizers = [node for node in model.graph.node if node.op_type in ("Quant", "FloatQuant")]
    parameters = {node.input[0]: model.get_initializer(node.input[0]) for node in quantizers}
    layers = [getCustomOp(node) for node in lowered.graph.node]
    layers = [layer for layer in layers if isinstance(layer, PotLinear)]
    weights = np.concatenate([layer.weights().reshape(-1) for layer in layers])
    return {
        "parameters": sum(value.size for value in parameters.values() if value is not None),
        "weight_bits": max(layer.array_dtype("codes").bitwidth() for layer in layers),
        "sparsity": round(float((weights == 0).mean()), 6),
    }


def as_text(facts: dict[str, Any]) -> str:
    """The summary for the terminal."""
    model, seconds = facts["model"], facts["seconds"]
    lines = [
        "",
        f"target       {facts['target']}",
        f"model        {model['parameters']:,} parameters, {model['weight_bits']}-bit weights, "
        f"{100 * model['sparsity']:.1f} % zero codes",
        f"exactness    {_exactness(facts)}",
        f"range        at most {facts['max_bits']} of 24 bits",
        f"accuracy     {_accuracy(facts)}",
        f"time         {sum(seconds.values()):.1f} s ("
        + ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
        + ")",
    ]
    if "trace" in facts:
        lines.append(f"trace        {_trace(facts['trace'])}")
    return "\n".join(lines) + "\n"


def _exactness(facts: dict[str, Any]) -> str:
    counts = facts["mismatched_logits"]
    told = [f"{pair.replace('_', ' / ')}: {count}" for pair, count in counts.items() if count is not None]
    return f"{facts['images']} pictures, mismatched logits " + ", ".join(told)


def _accuracy(facts: dict[str, Any]) -> str:
    told = [f"{stage} {value:.2f} %" for stage, value in facts["accuracy"].items() if value is not None]
    return ", ".join(told) or "not known, the pictures have no labels"


def _trace(trace: dict[str, Any]) -> str:
    compared = f"{trace['operators']} operators on {trace['pictures']} pictures, "
    first = trace["first_difference"]
    if first is None:
        return compared + "no difference"
    return compared + (
        f"first difference between {first['between']} at {first['operator']}, picture {first['picture']}, "
        f"index {first['index']}: {first['expected']} and {first['got']}"
    )

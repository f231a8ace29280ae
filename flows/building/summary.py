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
    weights = np.concatenate([layer.weights.values.reshape(-1) for layer in layers])
    return {
        "parameters": sum(value.size for value in parameters.values() if value is not None),
        "weight_bits": max(layer.array_dtype("codes").bitwidth() for layer in layers),
        "sparsity": round(float((weights == 0).mean()), 6),
    }


def difference(facts: dict[str, Any]) -> str | None:
    """The first operator, else the stages, that differ, in words; None where nothing does."""
    first = (facts.get("trace") or {}).get("first_difference")
    if first is not None:
        return (
            f"operator {first['operator']} is the first that differs ({first['between']}): image {first['image']}, "
            f"{_place(first['index'])}, expected {first['expected']}, got {first['got']}"
        )
    differing = [pair["between"] for pair in facts.get("comparisons", ()) if pair["mismatched_logits"]]
    return f"logits differ between {' and '.join(differing[0])}" if differing else None


def as_text(facts: dict[str, Any]) -> str:
    """The summary for the terminal."""
    model, seconds = facts["model"], facts["seconds"]
    lines = [
        "",
        f"target       {facts['target']}",
        f"model        {model['parameters']:,} parameters, {model['weight_bits']}-bit weights, "
        f"{100 * model['sparsity']:.1f} % zero codes",
        f"exactness    {difference(facts) or 'no logit differs'}",
        *(f"             {_comparison(pair)}" for pair in facts["comparisons"]),
        f"range        at most {facts['max_bits']} of 24 bits",
        f"accuracy     {_accuracy(facts)}",
        f"pipeline     {_pipeline(facts['timing'])}",
        f"simulation   {_simulation(facts)}",
        f"time         {sum(seconds.values()):.1f} s ("
        + ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
        + ")",
    ]
    if facts["synthesis"]:
        lines += _synthesis(facts["synthesis"])
    if facts["trace"]:
        trace = facts["trace"]
        lines.append(f"trace        {trace['operators']} operators on {trace['images']} images")
    return "\n".join(lines) + "\n"


def _place(index: list[int]) -> str:
    names = ("token", "channel")[-len(index) :]
    return ", ".join(f"{name} {place}" for name, place in zip(names, index, strict=True))


def _comparison(pair: dict[str, Any]) -> str:
    return (
        f"{' / '.join(pair['between'])}: {pair['mismatched_logits']} logits of {pair['mismatched_images']} images "
        f"differ, {pair['images']} compared"
    )


def _accuracy(facts: dict[str, Any]) -> str:
    told = [f"{stage} {value:.2f} %" for stage, value in facts["accuracy"].items() if value is not None]
    return ", ".join(told) or "not known, the images have no labels"


def _pipeline(timing: dict[str, Any]) -> str:
    interval, latency = timing["interval_cycles"], timing["latency_cycles"]
    return (
        f"an image every {interval:,} cycles, after {latency:,}; {timing['clock_mhz'] * 1e6 / interval:,.1f} images "
        f"a second at {timing['clock_mhz']:g} MHz ({timing['evidence']})"
    )


def _synthesis(synthesis: dict[str, Any]) -> list[str]:
    lines = []
    for key in ("c_synthesis", "utilization"):
        if found := synthesis[key]:
            used = ", ".join(f"{kind} {count:,}" for kind, count in found["resources"].items())
            lines.append(f"synthesis    {used} ({found['evidence']} by {found['tool']})")
    if timing := synthesis["timing"]:
        lines.append(
            f"clock        {timing['clock_mhz']:,.1f} MHz of {timing['target_clock_mhz']:g} MHz, "
            f"WNS {timing['wns_ns']:g} ns ({timing['evidence']} by {timing['tool']})"
        )
    return lines


def _simulation(facts: dict[str, Any]) -> str:
    stage = next(stage for stage in facts["stages"] if stage["name"] == "csim")
    macs = sum(facts["macs"].values()) * stage["images"]
    told = f"{stage['images']} images in {stage['seconds']:.1f} s, {1e9 * stage['seconds'] / macs:.3f} ns a MAC"
    if stage["peak_memory_mib"]:
        told += f", {stage['peak_memory_mib']:.0f} MiB a process"
    return f"{told}; {stage['title']}"

"""The figures of a build, and the summary that it prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from flows.reporting.formatting import (
    count,
    cycles,
    figure,
    images_per_second,
    known_as,
    mhz,
    mib,
    percent,
    plain,
    plural,
    seconds,
    share,
    throughput,
)
from flows.reporting.synthesis import hls_evidence
from flows.reporting.views import place
from hls_projects.graphs.ranges import MAX_BITS
from hls_projects.operators import PotLinear

Progress = Callable[[int], None]


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 in percent; the first of equal logits wins."""
    return round(100.0 * float((logits.argmax(axis=1) == labels).mean()), 4)


def logit_scale(lowered: ModelWrapper) -> float:
    """Real units of one logit code."""
    return 2.0 ** getCustomOp(lowered.graph.node[-1]).get_nodeattr("scale_log2")


def model_facts(model: ModelWrapper, lowered: ModelWrapper) -> dict[str, Any]:
    """Parameters, bits of a weight and share of weights that are zero, counted from the files."""
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
            f"{place(first['index'])}, expected {first['expected']}, got {first['got']}"
        )
    differing = [pair["between"] for pair in facts.get("comparisons", ()) if pair["mismatched_logits"]]
    return f"logits differ between {' and '.join(differing[0])}" if differing else None


def as_text(facts: dict[str, Any]) -> str:
    """The summary for the terminal."""
    model = facts["model"]
    lines = [
        "",
        f"target       {facts['target']}",
        f"model        {count(model['parameters'])} parameters, {model['weight_bits']}-bit weights, "
        f"{share(model['sparsity'])} zero",
        f"exactness    {difference(facts) or 'no logit differs'}",
        *(f"             {_comparison(pair)}" for pair in facts["comparisons"]),
        f"range        at most {facts['max_bits']} of {MAX_BITS} bits",
        f"accuracy     {_accuracy(facts)}",
        f"throughput   {_throughput(facts['timing'])}",
        f"resources    {_resources(facts['resources'])}",
        *_synthesis(facts["synthesis"]),
        f"simulation   {_simulation(facts)}",
        *_trace(facts["trace"]),
        f"run time     {_run_time(facts['seconds'])}",
    ]
    return plain("\n".join(lines)) + "\n"


def _comparison(pair: dict[str, Any]) -> str:
    compared = plural(pair["images"], "image")
    if not pair["mismatched_logits"]:
        return f"{' / '.join(pair['between'])}: every logit matches, {compared}"
    return (
        f"{' / '.join(pair['between'])}: {plural(pair['mismatched_logits'], 'logit')} of "
        f"{pair['mismatched_images']:,} of {compared} differ"
    )


def _accuracy(facts: dict[str, Any]) -> str:
    known = [f"{stage} {percent(value)}" for stage, value in facts["accuracy"].items() if value is not None]
    return ", ".join(known) or "not known, the images have no labels"


def _throughput(timing: dict[str, Any]) -> str:
    interval, latency, clock = timing["interval_cycles"], timing["latency_cycles"], timing["clock_mhz"]
    return (
        f"{throughput(images_per_second(interval, clock))} at {mhz(clock)} (initiation interval {cycles(interval)}, "
        f"latency {cycles(latency)}; {known_as(timing['evidence'], timing['design'])})"
    )


def _resources(resources: dict[str, Any]) -> str:
    used = ", ".join(f"{kind} {figure(one['used'])} of {figure(one['available'])}" for kind, one in resources.items())
    known = dict.fromkeys(known_as(one["evidence"], one["design"]) for one in resources.values())
    return f"{used} ({'; '.join(known)})"


def _synthesis(synthesis: dict[str, Any] | None) -> list[str]:
    lines = [f"             {hls_evidence(synthesis)}"]
    if synthesis is None:
        return lines
    for key in ("c_synthesis", "utilization"):
        if found := synthesis[key]:
            used = ", ".join(f"{kind} {figure(number)}" for kind, number in found["resources"].items())
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
    cost = (
        f"{plural(stage['images'], 'image')} in {seconds(stage['seconds'])}, {1e9 * stage['seconds'] / macs:.3f} ns/MAC"
    )
    if stage["peak_memory_mib"]:
        cost += f", {mib(stage['peak_memory_mib'])} per process"
    return f"{cost}; {stage['title']}"


def _trace(trace: dict[str, Any] | None) -> list[str]:
    if trace is None:
        return []
    return [f"trace        {plural(trace['operators'], 'operator')} on {plural(trace['images'], 'image')}"]


def _run_time(by_step: dict[str, float]) -> str:
    steps = ", ".join(f"{name} {value:,.1f}" for name, value in by_step.items())
    return f"{seconds(sum(by_step.values()))} ({steps})"

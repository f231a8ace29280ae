"""The content of each section of the page: figures of a report, put together for the templates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from flows.reporting import plots
from flows.reporting.formatting import (
    GAP,
    bits,
    count,
    images_per_second,
    known_as,
    mhz,
    milliseconds,
    percent,
    plural,
    throughput,
)
from flows.reporting.plots import Plot
from flows.reporting.synthesis import Row, hls_evidence, last_word, side_by_side
from flows.reporting.timeline import timeline
from hls_projects.errors import InputError
from hls_projects.graphs.ranges import MAX_BITS
from hls_projects.targets import Target, load_target

BRAM36_BITS = 36 * 1024
EXACT, NOT_EXACT, UNKNOWN = "exact", "not exact", "not known"
TRACE_HINT = "build with --trace to compare every operator"
# The stage whose figures stand in the headline is the last of these that a run has.
ORDER = ("torch", "qonnx", "csim")

Report = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """``state`` is one of EXACT, NOT_EXACT and UNKNOWN; ``reason`` is a sentence."""

    state: str
    reason: str


def verdict(report: Report) -> Verdict:
    """Whether every stage computed the same logits, and where they differ first."""
    wrong = [pair for pair in report["comparisons"] if pair["mismatched_logits"]]
    counted = [pair for pair, number in report["mismatched_logits"].items() if number]
    first = (report["trace"] or {}).get("first_difference")
    if wrong or counted or first:
        return Verdict(NOT_EXACT, _difference(wrong, counted, first))
    compared = [pair for pair in report["comparisons"] if pair["images"]]
    if not compared:
        return Verdict(UNKNOWN, "No two stages were compared.")
    images = max(pair["images"] for pair in compared)
    stages = {stage for pair in compared for stage in pair["between"]}
    return Verdict(
        EXACT, f"No logit differs between {plural(len(stages), 'stage')}, on up to {plural(images, 'image')}."
    )


def _difference(wrong: list[dict[str, Any]], counted: list[str], first: dict[str, Any] | None) -> str:
    parts = []
    if wrong:
        worst = max(wrong, key=lambda pair: pair["mismatched_logits"])
        a, b = worst["between"]
        logits, images = worst["mismatched_logits"], worst["mismatched_images"]
        parts.append(f"{plural(logits, 'logit')} of {plural(images, 'image')} differ between {a} and {b}.")
    elif counted:
        parts.append(f"Logits differ: {', '.join(counted)}.")
    if first:
        parts.append(f"First at operator {first['operator']}, {place(first['index'])}, of image {first['image']}.")
    else:
        parts.append(f"Which operator differs first is not known; {TRACE_HINT}.")
    return " ".join(parts)


def place(index: list[int]) -> str:
    """``token 5, channel 12``, or ``channel 3`` behind the pooling."""
    names = ("token", "channel")[-len(index) :] if len(index) <= 2 else tuple(f"axis {i}" for i in range(len(index)))
    return ", ".join(f"{name} {number}" for name, number in zip(names, index, strict=True))


def stage_titles(report: Report) -> dict[str, str]:
    return {stage["name"]: stage["title"] for stage in report["stages"]}


def exactness(report: Report) -> dict[str, Any]:
    """The matrix of stages: ``cells[row][column]`` is a comparison, or None."""
    titles = stage_titles(report)
    pairs = {frozenset(pair["between"]): pair for pair in report["comparisons"]}
    names = list(dict.fromkeys([*titles, *(stage for pair in report["comparisons"] for stage in pair["between"])]))
    compared = [name for name in names if any(name in pair for pair in pairs)]
    trace = report["trace"]
    first = trace and trace["first_difference"]
    return {
        "lead": _exactness_lead(report),
        "stages": report["stages"],
        "columns": [titles.get(name, name) for name in compared[1:]],
        "rows": [
            {
                "title": titles.get(row, row),
                "cells": [
                    {"pair": pairs.get(frozenset((row, column))), "repeated": position < index}
                    for position, column in enumerate(compared[1:])
                ],
            }
            for index, row in enumerate(compared[:-1])
        ],
        "trace": trace,
        "first": first,
        "place": place(first["index"]) if first else None,
    }


def _exactness_lead(report: Report) -> str:
    pairs = report["comparisons"]
    wrong = sum(pair["mismatched_logits"] > 0 for pair in pairs)
    if not pairs:
        return "Not known: no two stages were compared."
    compared = f"{plural(len(pairs), 'pair')} of stages {'was' if len(pairs) == 1 else 'were'} compared logit by logit"
    if wrong:
        return f"No: {compared}, and {count(wrong)} of them {'differs' if wrong == 1 else 'differ'}."
    if verdict(report).state == NOT_EXACT:
        return f"No: {compared} without a difference, but not everything agrees."
    return f"Yes: {compared}, and no logit differs."


def accuracy(report: Report) -> dict[str, Any]:
    """Figures by stage, one plot by class and the confusion matrix with each row's share."""
    known = {stage: value for stage, value in report["accuracy"].items() if value is not None}
    classes = report["classes"]
    titles = stage_titles(report)
    return {
        "by_stage": [(titles.get(stage, stage), value) for stage, value in report["accuracy"].items()],
        "known": bool(known),
        "lead": _accuracy_lead(report, known),
        "names": classes and classes["names"],
        "plot": classes and _class_plot(classes),
        "confusion": classes and _confusion(classes),
        "confusion_title": titles.get("csim", "C-simulation"),
    }


def headline_accuracy(report: Report) -> float | None:
    known = [report["accuracy"].get(stage) for stage in ORDER]
    return next((value for value in reversed(known) if value is not None), None)


def _accuracy_lead(report: Report, known: dict[str, float]) -> str:
    if not known:
        return "Not known: the images have no labels."
    values = sorted(set(known.values()))
    if len(values) == 1:
        where = "in every stage" if len(known) > 1 else f"in the stage {next(iter(known))}"
        return f"{percent(values[0])} of {plural(report['images'], 'image')} are recognized, {where}."
    between = f"From {percent(values[0])} to {percent(values[-1])}"
    return f"{between} of {plural(report['images'], 'image')} are recognized: stages differ."


def _class_plot(classes: dict[str, Any]) -> Plot | None:
    series = classes["accuracy"]
    return plots.class_accuracy(classes["names"], _merged(series)) if series else None


def _merged(series: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Equal series as one, so that markers do not hide each other."""
    distinct: dict[tuple[Any, ...], list[str]] = {}
    for label, values in series.items():
        distinct.setdefault(tuple(values), []).append(label)
    if len(distinct) == 1 and len(series) > 1:
        return {"all stages": next(iter(series.values()))}
    return {", ".join(labels): list(values) for values, labels in distinct.items()}


def _confusion(classes: dict[str, Any]) -> list[dict[str, Any]] | None:
    if classes["confusion"] is None:
        return None
    return [
        {
            "name": name,
            "images": sum(row),
            "right": 100 * row[index] / sum(row) if sum(row) else None,
            "cells": [{"images": n, "share": n / max(sum(row), 1), "right": i == index} for i, n in enumerate(row)],
        }
        for index, (name, row) in enumerate(zip(classes["names"], classes["confusion"], strict=True))
    ]


def fit(report: Report, target: Target | None = None) -> dict[str, Any]:
    """Resources used, or what is known without a cost model: the target and the stored bits.

    Args:
        target: the board; without it the shipped one of the report's name.
    """
    target = target or _target(report["target"])
    kinds: Counter[str] = Counter()
    for array in report["storage"]:
        kinds[array["array"]] += array["elements"] * array["bits_each"]
    total = sum(kinds.values())
    used, synthesis = report["resources"], report["synthesis"]
    capacity = target and target.resources["BRAM36"] * BRAM36_BITS
    return {
        "lead": _fit_lead(report, target, total, capacity),
        "resources": used,
        "origin": used and origin(report, next(iter(used.values()))["design"]),
        "plot": used and plots.resources({name: r["used"] / r["available"] for name, r in used.items()}),
        "target": target,
        "available": target and target.resources,
        "synthesis": synthesis,
        "rows": _side_by_side(report, target) if synthesis else None,
        "total": total,
        "capacity": capacity,
        "brams": -(-total // BRAM36_BITS),
        "storage": report["storage"],
        "storage_plot": plots.storage(dict(kinds.most_common())) if kinds else None,
    }


def _side_by_side(report: Report, target: Target | None) -> list[Row]:
    used = report["resources"] or {}
    available = target.resources if target else {name: one["available"] for name, one in used.items()}
    clock = target.clock_mhz if target else None
    return side_by_side(report["resources"], report["timing"], report["synthesis"], available, clock)


def _fullest(report: Report, target: Target | None) -> tuple[str, float, float, str] | None:
    """Name, used, available and source of the fullest resource, by the last tool that counted them."""
    used = report["resources"] or {}
    measured = last_word(report["synthesis"])
    if measured and target:
        figures = [(name, number, target.resources.get(name, 0)) for name, number in measured["resources"].items()]
        source = f", {measured['evidence']} by {measured['tool']}"
    else:
        figures = [(name, one["used"], one["available"]) for name, one in used.items()]
        known = dict.fromkeys(known_as(one["evidence"], one["design"]) for one in used.values())
        source = f" ({', '.join(known)})"
    if not figures:
        return None
    return *max(figures, key=lambda figure: figure[1] / figure[2] if figure[2] else float(figure[1] > 0)), source


def _fit_lead(report: Report, target: Target | None, total: int, capacity: int | None) -> str:
    if fullest := _fullest(report, target):
        name, used, available, source = fullest
        figures = f"{name}, {count(used)} of {count(available)}{source}"
        if used > available:
            return f"No: the design needs more than the target has; most of all {figures}."
        return f"Yes: the fullest resource is {figures}."
    if not total:
        return "Not known: no synthesis and no cost model ran, and no stored bits were counted."
    known = f"its tables and weights hold {bits(total)}"
    if capacity:
        known += f", {100 * total / capacity:.1f}{GAP}% of the target's block RAM"
    return f"Not known: no synthesis and no cost model ran. What is counted: {known}."


def _target(name: str) -> Target | None:
    try:
        return load_target(name)
    except InputError:
        return None


def speed(report: Report) -> dict[str, Any]:
    """Throughput, latency, timeline, and the work of one image."""
    timing, macs = report["timing"], report["macs"]
    if timing is None:
        lead = "Not known: no synthesis and no timed simulation ran. What is counted: the work of one image."
        return {"lead": lead, "timing": None, "macs": macs, "timeline": None}
    clock = timing["clock_mhz"]
    rate = images_per_second(timing["interval_cycles"], clock)
    latency = milliseconds(timing["latency_cycles"], clock)
    known = known_as(timing["evidence"], timing["design"])
    return {
        "lead": f"{throughput(rate)} with a latency of {latency}, at {mhz(clock)} ({known}).",
        "timing": timing,
        "origin": origin(report, timing["design"]),
        "rate": rate,
        "latency": latency,
        "macs": macs,
        "timeline": timeline(timing["timeline"]) if timing["timeline"] else None,
    }


def origin(report: Report, design: str) -> str:
    """What cycles or resources are those of, in a sentence or two."""
    if design == "rtl":
        return f"These are figures of the Verilog (RTL), not of the generated C++. {hls_evidence(report['synthesis'])}."
    return "These are figures of the generated HLS C++."


def widths(report: Report) -> dict[str, Any]:
    """Where the bits go: tensors, zero weights and exponents."""
    tensors, layers = report["tensors"], report["layers"]
    widest = max((t for t in tensors if t["bits"] is not None), key=lambda t: t["bits"], default=None)
    return {
        "limit": MAX_BITS,
        "widest": widest,
        "tensors": tensors,
        "tensor_plot": _tensor_plot(tensors) if widest else None,
        "layers": layers,
        "sparsity_plot": _sparsity_plot(layers) if layers else None,
        "exponent_plot": _exponent_plot(layers) if layers else None,
    }


def _tensor_plot(tensors: list[dict[str, Any]]) -> Plot:
    return plots.tensor_bits([t["bits"] for t in tensors], [t["kind"] for t in tensors], MAX_BITS)


def _sparsity_plot(layers: list[dict[str, Any]]) -> Plot:
    return plots.sparsity([layer["name"] for layer in layers], [layer["zeros"] / layer["weights"] for layer in layers])


def _exponent_plot(layers: list[dict[str, Any]]) -> Plot:
    return plots.exponents(*([layer[key] for layer in layers] for key in ("name", "exponents", "zeros")))

"""The page that ``flows/compare.py --html`` writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flows.reporting import plots
from flows.reporting.comparing import Comparison, Report
from flows.reporting.page import render
from flows.reporting.plots import Plot

Figures = dict[str, float | None]


def render_comparison(comparison: Comparison) -> str:
    """HTML of the tables and of a plot for each group of figures that changed; deterministic."""
    return render(
        "comparison.html.j2",
        comparison=comparison,
        letters=letters(comparison),
        verdict=_verdict(comparison),
        plots=_plots(comparison),
        origins=_origins(comparison.reports),
    )


def letters(comparison: Comparison) -> list[str]:
    """Short names of the reports: A, B, C; R27 after Z."""
    return [chr(ord("A") + i) if i < 26 else f"R{i + 1}" for i in range(len(comparison.names))]


def _verdict(comparison: Comparison) -> tuple[str, str, str]:
    """Headline, sentence and class of style."""
    failed = [check.rule.text for check in comparison.checks if check.failed]
    if failed:
        return "WORSE", f"Compared with the baseline, {', '.join(failed)} is true.", "bad"
    if comparison.checks:
        return "PASSED", f"Nothing that --fail-if names is true: {len(comparison.checks)} checked.", "good"
    changed = len(comparison.changed)
    if not changed:
        return "THE SAME", "Every figure is the same in all reports.", "good"
    return "CHANGED", f"{changed:,} of {len(comparison.rows):,} figures are not the same in all reports.", ""


def _plots(comparison: Comparison) -> list[tuple[str, Plot | None]]:
    """A title and a plot for each group; None where nothing in it changed."""
    drawn = [
        ("Accuracy by class", "percentage points", _class_accuracy),
        ("Zero weights by layer", "percentage points", _sparsity),
        ("Stored bits by kind of array", "Kibit", _storage),
        ("Resources used", "percentage points of what the target has", _resources),
        ("Seconds by stage", "s", _stage_seconds),
        ("Seconds by step", "s", _step_seconds),
    ]
    return [(title, _changes(comparison, index, title, unit, take)) for index, (title, unit, take) in enumerate(drawn)]


def _changes(
    comparison: Comparison, index: int, title: str, unit: str, take: Callable[[Report], Figures]
) -> Plot | None:
    """What the baseline and another report both know, where it is not the same."""
    first, *others = [take(report) for report in comparison.reports]
    moved = [{row: _difference(value, first.get(row)) for row, value in figures.items()} for figures in others]
    rows = [row for row in dict.fromkeys(row for figures in moved for row in figures) if any(f.get(row) for f in moved)]
    if not rows:
        return None
    series = {letter: [f.get(row) for row in rows] for letter, f in zip(letters(comparison)[1:], moved, strict=True)}
    return plots.dots(f"change-{index}", title, rows, series, f"change against A, {unit}", baseline=0)


def _difference(value: float | None, baseline: float | None) -> float | None:
    return None if value is None or baseline is None else value - baseline


def _class_accuracy(report: Report) -> Figures:
    """Of the last stage that computed every image."""
    classes = report["classes"]
    if classes is None or not classes["accuracy"]:
        return {}
    return dict(zip(classes["names"], list(classes["accuracy"].values())[-1], strict=True))


def _sparsity(report: Report) -> Figures:
    return {layer["name"]: 100 * layer["zeros"] / layer["weights"] for layer in report["layers"]}


def _storage(report: Report) -> Figures:
    kinds: dict[str, float] = {}
    for array in report["storage"]:
        kinds[array["array"]] = kinds.get(array["array"], 0) + array["elements"] * array["bits_each"] / 1024
    return dict(kinds)


def _resources(report: Report) -> Figures:
    return {name: 100 * one["used"] / one["available"] for name, one in (report["resources"] or {}).items()}


def _stage_seconds(report: Report) -> Figures:
    return {stage["name"]: stage["seconds"] for stage in report["stages"]}


def _step_seconds(report: Report) -> Figures:
    return dict(report["seconds"])


def _origins(reports: tuple[Report, ...]) -> list[tuple[str, list[Any]]]:
    """What made the reports, line by line, where it is not the same in all."""
    tables = [
        {"target": report["target"], "command": report["provenance"]["command"]}
        | {"commit": report["provenance"]["commit"]}
        | {f"version of {name}": version for name, version in report["versions"].items()}
        | {f"model.{key}": value for key, value in (report["model"]["config"] or {}).items()}
        | report["provenance"]["files"]
        for report in reports
    ]
    lines = [(key, [table.get(key) for table in tables]) for key in dict.fromkeys(k for table in tables for k in table)]
    return [(key, values) for key, values in lines if any(value != values[0] for value in values)]

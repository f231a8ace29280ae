"""A picture of a simulated pipeline: what every process does when, and what smaller FIFOs cost."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brevitas_model.files import write_whole
from hls_projects.dataflow.sizing import Point

COLOURS = {"busy": "#2f6db3", "blocked": "#d1662f", "starved": "#d5d8dc"}
INCHES_A_PROCESS = 0.14


def save_plot(path: Path, stretches: Sequence[dict[str, Any]], curve: Sequence[Point]) -> None:
    """Write the timeline, and beside it the curve where there is one; the name's ending is the format."""
    count = len({stretch["process"] for stretch in stretches})
    figure = Figure(figsize=(15 if curve else 11, 1.5 + INCHES_A_PROCESS * count), layout="constrained")
    axes = figure.subplots(1, 2, width_ratios=(3, 1)) if curve else [figure.subplots()]
    _timeline(axes[0], stretches)
    if curve:
        _curve(axes[1], curve)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110, format=path.suffix.lstrip(".") or "png")
    write_whole(path, drawn.getvalue())


def _timeline(axes: Axes, stretches: Sequence[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(stretch["process"] for stretch in stretches))
    rows = {name: row for row, name in enumerate(names)}
    for state, colour in COLOURS.items():
        chosen = [stretch for stretch in stretches if stretch["state"] == state]
        axes.barh(
            [rows[stretch["process"]] for stretch in chosen],
            [stretch["end"] - stretch["start"] for stretch in chosen],
            left=[stretch["start"] for stretch in chosen],
            color=colour,
            label=state,
        )
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.invert_yaxis()
    axes.set_xlabel("clock cycle")
    axes.legend(loc="lower left", fontsize=8)


def _curve(axes: Axes, curve: Sequence[Point]) -> None:
    axes.plot([point.storage_bits for point in curve], [point.interval_cycles for point in curve], "o-")
    axes.set_xlabel("bits of all FIFOs")
    axes.set_ylabel("cycles between pictures")
    axes.set_ylim(bottom=0)

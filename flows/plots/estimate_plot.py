"""A plot of an estimate: how long every operator works on an image, and what it takes of the board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flows.plots.figures import write_figure
from hls_projects.cost import KINDS

BLUE, ORANGE = "#2f6db3", "#d1662f"
INCHES_AN_OPERATOR = 0.14


def save_plot(path: Path, estimate: dict[str, Any]) -> None:
    """Write it; the name's ending is the format."""
    rows = estimate["operators"]
    figure = Figure(figsize=(13, 1.5 + INCHES_AN_OPERATOR * len(rows)), layout="constrained")
    cycles, luts, shares = figure.subplots(1, 3, width_ratios=(3, 3, 1))
    names = [row["name"] for row in rows]
    _bars(cycles, names, [row["cycles"] for row in rows], "cycles an image")
    cycles.axvline(estimate["interval_cycles"], color=ORANGE, linewidth=1)
    _bars(luts, names, [row["LUT"] for row in rows], "LUTs (calibrated)")
    luts.set_yticklabels([])
    used = [estimate["resources"][kind]["used"] / estimate["resources"][kind]["available"] for kind in KINDS]
    shares.bar(KINDS, [100 * value for value in used], color=BLUE)
    shares.set_ylabel("% of the board")
    shares.set_ylim(0, 100)
    figure.suptitle(
        f"{estimate['images_per_second']:,.0f} images/s on {estimate['target']} at {estimate['clock_mhz']:g} MHz"
    )
    write_figure(path, figure)


def _bars(axes: Axes, names: list[str], values: list[float], label: str) -> None:
    axes.barh(range(len(names)), values, color=BLUE)
    axes.set_yticks(range(len(names)), names, fontsize=5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(label)
    axes.tick_params(labelsize=6)

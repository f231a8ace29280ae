"""A plot of a simulated pipeline: what every process does when, how full FIFOs are, what smaller ones cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flows.plots.figures import write_figure
from hls_projects.dataflow import Trace
from hls_projects.dataflow.activity import bin_edges, occupancy, timeline
from hls_projects.dataflow.sizing import Point

COLOURS = {"busy": "#2f6db3", "backpressured": "#d1662f", "starved": "#d5d8dc"}
INCHES_A_PROCESS, INCHES_A_FIFO = 0.14, 0.24
# The FIFOs that hold most bits.
MOST_CURVES = 24


def save_plot(path: Path, trace: Trace, curve: Sequence[Point]) -> None:
    """Write the timeline, the occupancy of the largest FIFOs under it, and beside them the curve where there is one.

    The name's ending is the format.

    Args:
        trace: recorded.
    """
    names = largest(trace)
    heights = INCHES_A_PROCESS * len(trace.network.processes), INCHES_A_FIFO * len(names)
    figure = Figure(figsize=(15 if curve else 11, 1.5 + sum(heights)), layout="constrained")
    grid = figure.add_gridspec(2, 2 if curve else 1, height_ratios=heights, width_ratios=(3, 1) if curve else (1,))
    upper = figure.add_subplot(grid[0, 0])
    _timeline(upper, timeline(trace))
    _occupancy(figure.add_subplot(grid[1, 0], sharex=upper), trace, names)
    if curve:
        _curve(figure.add_subplot(grid[0, 1]), curve)
    write_figure(path, figure)


def largest(trace: Trace) -> list[str]:
    """The FIFOs that hold most bits, in the order of the network."""
    fifos = trace.network.sizable
    bits = {fifo.name: fifo.word_bits * trace.depths[fifo.name] for fifo in fifos}
    chosen = set(sorted(bits, key=bits.__getitem__, reverse=True)[:MOST_CURVES])
    return [fifo.name for fifo in fifos if fifo.name in chosen]


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
    axes.margins(y=0.005)
    axes.invert_yaxis()
    axes.legend(loc="lower left", fontsize=8)


def _occupancy(axes: Axes, trace: Trace, names: Sequence[str]) -> None:
    """A row for every FIFO, as high as its depth."""
    edges = bin_edges(trace)
    held = occupancy(trace, edges)
    for base, name in enumerate(reversed(names)):
        share = 0.9 * held[name] / trace.depths[name]
        axes.fill_between(edges, base, base + np.append(share, share[-1:]), step="post", color=COLOURS["busy"], lw=0)
        axes.axhline(base + 0.9, color=COLOURS["starved"], lw=0.5)
    labels = [f"{name} ({held[name].max(initial=0):,} of {trace.depths[name]:,})" for name in reversed(names)]
    axes.set_yticks(np.arange(len(names)) + 0.45, labels, fontsize=6)
    axes.set_ylim(0, len(names))
    axes.set_xlabel("clock cycle")
    axes.set_title("slots in use (most at a time, of the depth) of the FIFOs that hold most bits", fontsize=8)


def _curve(axes: Axes, curve: Sequence[Point]) -> None:
    axes.plot([point.storage_bits for point in curve], [point.interval_cycles for point in curve], "o-")
    axes.set_xlabel("bits of all FIFOs")
    axes.set_ylabel("cycles between images")
    axes.set_ylim(bottom=0)

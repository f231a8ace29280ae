"""Plot of a sweep: accuracy against memory, throughput and latency against the bits of the FIFOs."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flows.sweeping.claims import Series, all_series
from flows.sweeping.table import Row

LINES = {"global": ":", "windowed": "-"}
MARKERS = {"global": "s", "windowed": "o"}


def sweep_plot(rows: list[Row], clock_mhz: float) -> bytes:
    """PNG of ``rows``; deadlocked points are crosses at 0 images/s."""
    found = all_series(rows)
    sizes = sorted({series.tile_size for series in found})
    figure = Figure(figsize=(16, 4.8), layout="constrained")
    accuracy, speed, latency = figure.subplots(1, 3)
    _accuracy(accuracy, found)
    for series in found:
        style = {
            "color": f"C{sizes.index(series.tile_size)}",
            "linestyle": LINES[series.attention],
            "marker": MARKERS[series.attention],
            "markersize": 4,
            "label": series.name,
        }
        bits = [row["fifo_bits"] for row in series.rows]
        speed.plot(bits, [clock_mhz * 1e6 / row["interval_cycles"] for row in series.rows], **style)
        latency.plot(bits, [row["loaded_latency_cycles"] / clock_mhz / 1e3 for row in series.rows], **style)
    still = [row["fifo_bits"] for row in rows if row["deadlock"]]
    crosses = speed.plot(still, [0.0] * len(still), "x", color="#c0504d", label="deadlock")
    speed.legend(handles=crosses, loc="center right")
    for axes, label in ((speed, "images/s"), (latency, "ms from first pixel to logits, under load")):
        axes.set_xscale("log")
        axes.set_xlabel("bits of all FIFOs")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    latency.legend(fontsize=7)
    made = io.BytesIO()
    figure.savefig(made, format="png", dpi=110)
    return made.getvalue()


def _accuracy(axes: Axes, found: list[Series]) -> None:
    for attention in dict.fromkeys(series.attention for series in found):
        mode = [series for series in found if series.attention == attention]
        memory, accuracies = [s.memory_bits for s in mode], [s.accuracy for s in mode]
        axes.plot(memory, accuracies, linestyle=LINES[attention], marker=MARKERS[attention], label=attention)
        places: dict[tuple[int, float], list[str]] = {}
        for series in mode:
            places.setdefault((series.memory_bits, series.accuracy), []).append(str(series.tile_size))
        for place, sizes in places.items():
            axes.annotate(", ".join(sizes), place, (-4, -12), textcoords="offset points", ha="right")
    axes.set_xlabel("bits of FIFOs, keys and values, at full speed")
    axes.set_ylabel("validation accuracy (%)")
    axes.set_title("by tile size and attention")
    axes.grid(alpha=0.3)
    if found:
        axes.legend()

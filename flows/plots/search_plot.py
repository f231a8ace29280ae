"""The Pareto front as an image."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure

MARKERS = {"float": "o", "pot4": "s", "pot6": "^"}
FRONT, DOMINATED, STOPPED = "#1f5fa8", "#b0b0b0", "#c0504d"


def front_plot(found: list[dict[str, Any]], objective: str) -> bytes:
    """PNG of accuracy against cost: the front in blue, dominated trials grey, stopped ones as crosses.

    Args:
        found: rows of :func:`flows.searching.results.rows`.
        objective: the column with the cost.
    """
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    complete = [row for row in found if row["state"] == "COMPLETE"]
    stopped = [row for row in found if row["state"] == "PRUNED" and row["epochs"]]
    axes.scatter(
        [row[objective] for row in stopped], [row["accuracy"] for row in stopped], marker="x", color=STOPPED,
        linewidths=1, label="stopped early, accuracy when stopped",
    )  # fmt: skip
    for name, marker in MARKERS.items():
        for on_front, colour in ((False, DOMINATED), (True, FRONT)):
            chosen = [row for row in complete if row["weight_format"] == name and row["on_front"] is on_front]
            if chosen:
                label = f"{name}, {'front' if on_front else 'dominated'}"
                places = [row[objective] for row in chosen], [row["accuracy"] for row in chosen]
                axes.scatter(*places, marker=marker, color=colour, label=label, zorder=3 if on_front else 2)
    front = sorted((row for row in complete if row["on_front"]), key=lambda row: row[objective])
    axes.step([row[objective] for row in front], [row["accuracy"] for row in front], where="post", color=FRONT)
    axes.set_xlabel(objective.replace("_", " "))
    axes.set_ylabel("validation accuracy (%)")
    axes.set_title(f"Pareto front: {len(front)} of {len(complete)} complete trials")
    axes.grid(alpha=0.3)
    if complete or stopped:
        axes.legend(fontsize="small")
    made = io.BytesIO()
    figure.savefig(made, format="png", dpi=120)
    return made.getvalue()

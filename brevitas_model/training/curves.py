"""The history of a run as files: JSON lines, a table and an image."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from hls_projects.files import write_whole


def write_history(folder: Path, history: list[dict[str, Any]]) -> None:
    """``metrics.jsonl``, ``curves.csv`` and ``curves.png`` of the finished epochs."""
    write_whole(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in history).encode())
    if history:
        write_whole(folder / "curves.csv", _table(history).encode())
        write_whole(folder / "curves.png", _plot(history))


def _table(history: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


def _plot(history: list[dict[str, Any]]) -> bytes:
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = {"loss": "loss", "validation_accuracy": "validation accuracy (%)", "sparsity": "share of zero weights"}
    epochs = [line["epoch"] for line in history]
    for axes, (key, title) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        axes.plot(epochs, [line[key] for line in history], marker="." if len(epochs) < 30 else None)
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
    made = io.BytesIO()
    figure.savefig(made, format="png", dpi=100)
    return made.getvalue()

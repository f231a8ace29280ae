"""The confusion matrix as an image."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

from flows.evaluation.measures import Score


def confusion_figure(score: Score, names: Sequence[str], title: str) -> Figure:
    """Counts, a row a true class and a column an answer, shaded by the row's share; recall at the right."""
    counts = score.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    places = range(len(names))
    figure = Figure(figsize=(8.4, 7.2), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.5 else "black" if count else "0.7"
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=9, color=colour)
    axes.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names)
    axes.set_xlabel("answer")
    axes.set_ylabel("true class")
    recall = axes.secondary_yaxis("right")
    recall.set_yticks(places, ["-" if value is None else f"{value:.1f} %" for value in score.recall])
    recall.set_ylabel("recall: share of the class that is recognized")
    recall.tick_params(length=0)
    axes.set_title(f"{title}: {score.accuracy:.2f} % of {int(counts.sum()):,} images", parse_math=False)
    return figure


def confusion_png(score: Score, names: Sequence[str], title: str) -> bytes:
    """The plot of :func:`confusion_figure`, whatever the user's matplotlibrc says."""
    stream = io.BytesIO()
    with matplotlib.style.context("default"):
        confusion_figure(score, names, title).savefig(stream, format="png", dpi=110)
    return stream.getvalue()

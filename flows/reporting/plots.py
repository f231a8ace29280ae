"""Plots as SVG that stands in the page itself and takes its colours from the page's theme.

matplotlib draws in colours that stand for the variables of ``style.css``; the finished SVG names the
variables instead. Text stays text: it can be searched, and is set in the page's font.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from xml.etree import ElementTree

import matplotlib.style
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, MUTED, LINE, ACCENT, GOOD, BAD = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05", "#0a0b06"
SERIES = ("#0a0b11", "#0a0b12", "#0a0b13", "#0a0b14", "#0a0b15", "#0a0b16")
MARKERS = ("o", "s", "^", "D", "v", "P")
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", GOOD: "good", BAD: "bad"} | {
    colour: f"series-{index}" for index, colour in enumerate(SERIES, start=1)
}
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "font.size": 9.5,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelsize": 9,
    "ytick.color": LINE,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9,
}
# Points. A narrow plot fills a phone at its own size; a wide one scrolls there.
NARROW, WIDE = 360, 760
LONGEST_LABEL = 26
SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True)
class Plot:
    """``svg`` for the page, what it shows in words, and whether a narrow screen must scroll it."""

    svg: Markup
    title: str
    wide: bool


def class_accuracy(names: Sequence[str], series: dict[str, Sequence[float | None]]) -> Plot:
    """Accuracy by class, one marker a stage."""
    return dots("class-accuracy", "Accuracy by class", names, series, "images recognized, %", limits=(0, 100))


def storage(kinds: dict[str, int]) -> Plot:
    """Stored bits by kind of array, in Kibit."""
    values = [bits / 1024 for bits in kinds.values()]
    return _bars("storage", "Stored bits by kind of array", list(kinds), values, "Kibit", "{:,.1f}")


def sparsity(names: Sequence[str], shares: Sequence[float]) -> Plot:
    """Share of zero weights by layer."""
    percents = [100 * share for share in shares]
    return _bars("sparsity", "Zero weights by layer", names, percents, "zero weights, %", "{:.2f}")


def resources(shares: dict[str, float]) -> Plot:
    """Share of each resource of the target that the design uses; over 1 it does not fit."""
    with _figure(NARROW, 30 + 24 * len(shares)) as figure:
        axes = figure.add_subplot()
        percents = [100 * share for share in shares.values()]
        bars = axes.barh(range(len(shares)), percents, height=0.6, color=[BAD if p > 100 else ACCENT for p in percents])
        axes.bar_label(bars, [f"{percent:.1f} %" for percent in percents], padding=3, fontsize=9)
        axes.axvline(100, color=BAD, linewidth=1)
        axes.set_xlim(0, 1.2 * max(100, *percents))
        _rows(axes, list(shares))
        axes.set_xlabel("of what the target has, %")
        return _plot(figure, "resources", "Resources used, of what the target has")


def tensor_bits(bits: Sequence[int | None], kinds: Sequence[str], limit: int) -> Plot:
    """Bits of every tensor in the order of the graph, under the ``limit`` that is still exact."""
    known = [index for index, b in enumerate(bits) if b is not None]
    indices = {kind: [index for index in known if kinds[index] == kind] for kind in ("fixed", "floating")}
    with _figure(WIDE, 210) as figure:
        axes = figure.add_subplot()
        for kind, colour in zip(indices, SERIES, strict=False):
            heights = [bits[i] for i in indices[kind]]
            if heights:
                axes.bar(indices[kind], heights, width=0.8, color=colour, label=f"{kind}-point")
        axes.axhline(limit, color=BAD, linewidth=1)
        axes.text(0, limit + 0.4, f"{limit}: float32 is exact up to here", fontsize=9, color=BAD)
        axes.set_ylim(0, limit + 4)
        axes.set_yticks(range(0, limit + 1, 8))
        axes.set_xlim(-1, max(len(bits), 1))
        axes.set_ylabel("bits")
        axes.set_xlabel("tensor, in the order of the graph")
        axes.grid(False, axis="x")
        axes.tick_params(axis="y", labelcolor=MUTED)
        if any(indices.values()):
            figure.legend(loc="outside upper right", ncols=len(indices))
        return _plot(figure, "tensor-bits", "Bits of every tensor in the order of the graph")


def exponents(names: Sequence[str], counts: Sequence[dict[str, int]], zeros: Sequence[int]) -> Plot:
    """A row a layer: share of its weights that are zero, or lead with each power of two, in percent."""
    powers = sorted({int(power) for layer in counts for power in layer})
    rows = zip(zeros, counts, strict=True)
    table = np.array([[zero, *(layer.get(str(power), 0) for power in powers)] for zero, layer in rows])
    shares = 100 * table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    with _figure(WIDE, 44 + 16 * len(names)) as figure:
        axes = figure.add_subplot()
        largest = max(float(shares.max()), 1.0)
        for (row, column), share in np.ndenumerate(shares):
            axes.barh(row, 0.94, left=column - 0.47, height=0.88, color=ACCENT, alpha=round(0.6 * share / largest, 3))
            axes.text(column, row, f"{share:.1f}", ha="center", va="center_baseline", fontsize=9)
        _rows(axes, names)
        axes.set_xticks(range(len(powers) + 1), ["zero", *(str(power) for power in powers)])
        axes.set_xlim(-0.5, len(powers) + 0.5)
        axes.set_xlabel("leading power of two of a weight; figures are percent of the layer's weights")
        axes.grid(False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(length=0)
        return _plot(figure, "exponents", "Exponents of the weights by layer")


def dots(
    name: str,
    title: str,
    rows: Sequence[str],
    series: dict[str, Sequence[float | None]],
    unit: str,
    limits: tuple[float, float] | None = None,
    baseline: float | None = None,
) -> Plot:
    """One row a name, one marker a series; None leaves a marker out. ``baseline`` gets a line."""
    with _figure(NARROW, 60 + 17 * len(rows)) as figure:
        axes = figure.add_subplot()
        for index, (label, values) in enumerate(series.items()):
            known = [(value, row) for row, value in enumerate(values) if value is not None]
            style = {"marker": MARKERS[index % len(MARKERS)], "markeredgecolor": SERIES[index % len(SERIES)]}
            # Later markers are smaller and hollow, so that equal ones lie visibly in each other.
            axes.plot(
                *(zip(*known, strict=True) if known else ([], [])),
                linestyle="none",
                markersize=max(8 - 1.5 * index, 4),
                markerfacecolor=SERIES[0] if index == 0 else "none",
                markeredgewidth=1.3,
                label=_label(label),
                **style,
            )
        long = max(map(len, series), default=0) > LONGEST_LABEL // 2
        _rows(axes, rows)
        if baseline is not None:
            axes.axvline(baseline, color=MUTED, linewidth=1)
        if limits:
            axes.set_xlim(*limits)
        axes.margins(x=0.08)
        axes.set_xlabel(unit)
        figure.legend(loc="outside upper left", ncols=1 if long else 3, handletextpad=0.2, columnspacing=1.0)
        return _plot(figure, name, title)


def _bars(name: str, title: str, rows: Sequence[str], values: Sequence[float], unit: str, label: str) -> Plot:
    with _figure(NARROW, 40 + 16 * len(rows)) as figure:
        axes = figure.add_subplot()
        bars = axes.barh(range(len(rows)), values, height=0.65, color=ACCENT)
        axes.bar_label(bars, [label.format(value) for value in values], padding=3, fontsize=9)
        axes.set_xlim(0, 1.2 * max([*values, 1e-9]))
        _rows(axes, rows)
        axes.set_xlabel(unit)
        return _plot(figure, name, title)


def _rows(axes: Axes, names: Sequence[str]) -> None:
    """One row a name, the first at the top."""
    axes.set_yticks(range(len(names)), [_label(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")


def _label(text: str) -> str:
    """``text`` without what no plot can show, cut in the middle; legends leave out what starts with ``_``."""
    text = "".join(character if character.isprintable() else "?" for character in text).lstrip("_") or "–"
    half = LONGEST_LABEL // 2
    return text if len(text) <= LONGEST_LABEL else f"{text[: half - 1]}…{text[-half:]}"


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """An empty figure of ``width`` and ``height`` in points, whatever the user's matplotlibrc says."""
    with matplotlib.style.context(["default", STYLE]):
        yield Figure(figsize=(width / 72, height / 72))


def _plot(figure: Figure, name: str, title: str) -> Plot:
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        # The page's fonts have glyphs that the font of the measurements lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(stream, metadata=metadata)
    wide = figure.get_size_inches()[0] * 72 > NARROW + 1
    return Plot(_inline(stream.getvalue(), name, title), title, wide)


def _inline(svg: str, name: str, title: str) -> Markup:
    """The SVG document as an element of a page: themed, titled, its ids starting with ``name``."""
    root = ElementTree.fromstring(svg)
    used = set(re.findall(r'(?:href="#|url\(#)([\w.-]+)', svg))
    for parent in root.iter():
        for child in [child for child in parent if child.tag in (f"{SVG}style", f"{SVG}metadata")]:
            parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        element.attrib = dict(_attributes(element.attrib, name, used))
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-labelledby": f"{name}-title"}
    heading = ElementTree.Element("title", {"id": f"{name}-title"})
    heading.text = title
    root.insert(0, heading)
    # matplotlib and ElementTree have escaped what the report says.
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _attributes(attributes: dict[str, str], name: str, used: set[str]) -> Iterator[tuple[str, str]]:
    for key, value in attributes.items():
        if key == "id":
            if value in used:
                yield key, f"{name}-{value}"
        elif key == LINK:
            yield "href", f"#{name}-{value.removeprefix('#')}"
        elif key == "style":
            yield key, _themed(value)
        else:
            yield key, value.replace("url(#", f"url(#{name}-")


def _themed(style: str) -> str:
    """Colours as the page's variables; the font is the page's."""
    style = re.sub(r"font-family: [^;]*;? ?", "", style)
    return re.sub(r"#0a0b\d\d", lambda found: f"var(--{VARIABLES[found[0]]})", style)

"""A graph of the pipeline's layers and of the FIFOs between them."""

from __future__ import annotations

from pathlib import Path

import networkx
from matplotlib.figure import Figure

from flows.plots.figures import write_figure
from hls_projects.dataflow import Fifo, Network, Trace
from hls_projects.project.pipeline import layer_of

# Layers from top to bottom of a column.
ROWS = 22
# Inches between neighbours, and between columns.
ROW, NEIGHBOUR, COLUMN = 0.62, 2.3, 6.2
BOX = {"boxstyle": "round", "facecolor": "#eef3f9", "edgecolor": "#2f6db3"}
WIDEST_LINE = 3.5
BEND = 0.35


def layers(network: Network) -> networkx.DiGraph:
    """The layers, each with its ``kind``, joined where ``fifos`` join them.

    FIFOs between the processes of one layer are left out.
    """
    graph = networkx.DiGraph()
    for process in network.processes:
        graph.add_node(layer_of(process.name), kind=process.kind)
    for fifo in network.fifos:
        writer, reader = (layer_of(end(fifo.name).name) for end in (network.writer, network.reader))
        if writer != reader:
            graph.add_edge(writer, reader)
            graph.edges[writer, reader].setdefault("fifos", []).append(fifo)
    return graph


def places(graph: networkx.DiGraph) -> dict[str, tuple[float, float]]:
    """Where to draw each layer, in inches: below all that it reads from, columns side by side."""
    found = {}
    for generation, names in enumerate(networkx.topological_generations(graph)):
        column, row = divmod(generation, ROWS)
        for place, name in enumerate(names):
            found[name] = COLUMN * column + NEIGHBOUR * (place - (len(names) - 1) / 2), -ROW * row
    return found


def save_graph(path: Path, trace: Trace) -> None:
    """Write the image; the name's ending is the format.

    An edge tells depth and word bits of its FIFO, and how many slots were in use at most; it is as wide as it has bits.

    Args:
        trace: recorded.
    """
    graph = layers(trace.network)
    where = places(graph)
    columns = 1 + networkx.dag_longest_path_length(graph, weight=None) // ROWS
    figure = Figure(figsize=(COLUMN * columns + 1, ROW * (ROWS + 1)), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.margins(x=0.08, y=0.02)
    names = {name: f"{name}\n{facts['kind']}" for name, facts in graph.nodes.items()}
    networkx.draw_networkx_labels(graph, where, names, font_size=6, bbox=BOX, ax=axes)
    bits = {ends: sum(_bits(trace, fifo) for fifo in facts["fifos"]) for ends, facts in graph.edges.items()}
    widest = max(bits.values())
    for bend in (0.0, BEND, -BEND):
        style, edges = f"arc3,rad={bend}", [ends for ends in graph.edges if _bend(where, *ends) == bend]
        labels = {ends: "\n".join(_label(trace, fifo) for fifo in graph.edges[ends]["fifos"]) for ends in edges}
        networkx.draw_networkx_edges(
            graph, where, labels, width=[0.5 + WIDEST_LINE * bits[ends] / widest for ends in labels],
            edge_color="#7a8794", arrowsize=7, node_size=450, connectionstyle=style, ax=axes,
        )  # fmt: skip
        networkx.draw_networkx_edge_labels(
            graph, where, labels, font_size=5, rotate=False, connectionstyle=style, ax=axes
        )
    write_figure(path, figure)


def _bend(where: dict[str, tuple[float, float]], writer: str, reader: str) -> float:
    """Of an edge, to the side of its writer, where other layers lie between the two; else none."""
    (x, y), (other_x, other_y) = where[writer], where[reader]
    leaps = abs(x - other_x) < COLUMN / 2 and y - other_y > 1.5 * ROW
    return (-BEND if x > other_x else BEND) if leaps else 0.0


def _bits(trace: Trace, fifo: Fifo) -> int:
    return fifo.depth(trace.depths) * fifo.word_bits


def _label(trace: Trace, fifo: Fifo) -> str:
    return f"{fifo.depth(trace.depths):,} × {fifo.word_bits} bits, {trace.peak_slots(fifo.name):,} used"

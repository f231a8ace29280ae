"""The estimate of a model on a board, printed, written and drawn."""

from __future__ import annotations

import argparse
import json
from typing import Any

from flows.building.cached_graphs import fold_cached, lowered_graph
from flows.command_line import Status
from flows.command_line.options import fold_options
from flows.plots.estimate_plot import save_plot
from flows.reporting.formatting import (
    count,
    cycles,
    figure,
    images_per_second,
    known_as,
    mhz,
    milliseconds,
    plain,
    share,
    throughput,
)
from flows.reporting.synthesis import hls_evidence
from flows.reporting.text_table import text_table
from hls_projects.cost import KINDS
from hls_projects.files import write_whole
from hls_projects.folding.depths import settled_trace
from hls_projects.folding.estimate import estimate_facts
from hls_projects.folding.folded import at_clock
from hls_projects.folding.json_file import foldings_text
from hls_projects.project.conversion import read_lowered
from hls_projects.targets import load_target


def table(estimate: dict[str, Any]) -> str:
    """The summary that is printed: a row an operator, what the board has, and the speed."""
    interval, latency, clock = (estimate[key] for key in ("interval_cycles", "latency_cycles", "clock_mhz"))
    resources = estimate["resources"]
    rows = [
        (row["name"], row["kind"], _folding(row), count(row["cycles"]), *_counts(row)) for row in estimate["operators"]
    ]
    for key in ("used", "available"):
        rows.append((key, "", "", "", *_counts({kind: resources[kind][key] for kind in KINDS})))
    shares = (share(resources[kind]["used"] / resources[kind]["available"]) for kind in KINDS)
    rows.append(("utilization", "", "", "", *shares))
    lines = [
        text_table(("operator", "kind", "folding", "cycles", *KINDS), rows, left=(0, 1, 2)),
        "",
        f"target       {estimate['target']}",
        f"throughput   {throughput(images_per_second(interval, clock))} at {mhz(clock)} (initiation interval "
        f"{cycles(interval)}; {_known(estimate)})",
        f"latency      {cycles(latency)}, {milliseconds(latency, clock)} ({_known(estimate)})",
        f"bottleneck   {estimate['bottleneck']}, {cycles(estimate['bottleneck_cycles'])} per image",
        f"resources    {_known(resources[KINDS[0]])}; {hls_evidence(None)}",
    ]
    return plain("\n".join(lines))


def _folding(row: dict[str, Any]) -> str:
    return " ".join(f"{name} {value}" for name, value in row["folding"].items() if name != "simd")


def _counts(used: dict[str, Any]) -> tuple[str, ...]:
    return tuple(figure(used[kind]) for kind in KINDS)


def _known(facts: dict[str, Any]) -> str:
    return known_as(facts["evidence"], facts["design"])


def estimate(args: argparse.Namespace) -> Status:
    """Choose a folding, and print, write and draw what it gives."""
    options = fold_options(args, args.clock)
    target = at_clock(load_target(args.target), args.clock)
    model = read_lowered(args.lowered) if args.lowered else lowered_graph(args.checkpoint)
    folded = fold_cached(model, target, options, rough=True)
    facts = estimate_facts(folded, settled_trace(folded.network, folded.depths), target)
    print(table(facts))
    if args.write_folding:
        write_whole(args.write_folding, foldings_text(folded.plan.foldings))
    if args.json:
        write_whole(args.json, json.dumps(facts, indent=2) + "\n")
    if args.plot:
        save_plot(args.plot, facts)
    return Status.OK

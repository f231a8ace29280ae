"""The estimate of a model on a board, printed, written and drawn."""

from __future__ import annotations

import argparse
import json
from typing import Any

from flows.building.cached_graphs import fold_cached, lowered_graph
from flows.command_line import Status
from flows.command_line.options import fold_options
from flows.plots.estimate_plot import save_plot
from hls_projects.cost import KINDS
from hls_projects.files import write_whole
from hls_projects.folding.depths import settled_trace
from hls_projects.folding.estimate import estimate_facts
from hls_projects.folding.folded import at_clock
from hls_projects.folding.json_file import foldings_text
from hls_projects.project.conversion import read_lowered
from hls_projects.targets import load_target


def table(estimate: dict[str, Any]) -> str:
    """The summary that is printed."""
    head = f"{'operator':<28} {'kind':<18} {'folding':<34} {'cycles':>8} {'LUT':>7} {'FF':>7} {'BRAM36':>7} {'DSP':>5}"
    lines = [head]
    for row in estimate["operators"]:
        chosen = " ".join(f"{name} {value}" for name, value in row["folding"].items() if name != "simd")
        lines.append(
            f"{row['name']:<28} {row['kind']:<18} {chosen:<34} {row['cycles']:>8,} {row['LUT']:>7,} {row['FF']:>7,} "
            f"{row['BRAM36']:>7,} {row['DSP']:>5,}"
        )
    resources = estimate["resources"]
    for name in ("used", "available"):
        counts = "".join(f" {resources[kind][name]:>{width},}" for kind, width in zip(KINDS, (7, 7, 7, 5), strict=True))
        lines.append(f"{name:<28} {'':<18} {'':<34} {'':>8}{counts}")
    shares = "".join(
        f" {resources[kind]['used'] / resources[kind]['available']:>{width}.1%}"
        for kind, width in zip(KINDS, (7, 7, 7, 5), strict=True)
    )
    milliseconds = estimate["latency_cycles"] / estimate["clock_mhz"] / 1e3
    return "\n".join(
        [
            *lines,
            f"{'share':<28} {'':<18} {'':<34} {'':>8}{shares}",
            "",
            f"{estimate['images_per_second']:,.0f} images/s on {estimate['target']} at "
            f"{estimate['clock_mhz']:g} MHz: one every {estimate['interval_cycles']:,} cycles (simulated); "
            f"the slowest operator, {estimate['bottleneck']}, needs {estimate['bottleneck_cycles']:,}",
            f"latency {estimate['latency_cycles']:,} cycles, {milliseconds:.2f} ms (simulated); resources: calibrated",
        ]
    )


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

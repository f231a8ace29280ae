"""The timed simulation of a pipeline, printed, written and drawn."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from flows.building.cached_graphs import fold_cached, lowered_graph
from flows.command_line import Status
from flows.command_line.options import fold_options
from flows.plots.network_plot import save_graph
from flows.plots.timing_plot import save_plot
from hls_projects import dataflow
from hls_projects.dataflow import Deadlock, Network, Sizing, Trace, explain, settled, size_fifos
from hls_projects.dataflow.activity import bin_edges, occupancy
from hls_projects.dataflow.program import busy_cycles
from hls_projects.dataflow.sizing import Depths
from hls_projects.files import write_whole
from hls_projects.folding.depths import chosen_depths
from hls_projects.project import pipeline
from hls_projects.project.conversion import make_graph
from hls_projects.targets import Target, load_target

MOST_SHOWN = 10


def network_of(args: argparse.Namespace, target: Target) -> tuple[Network, Depths | None]:
    """The network, and the depths of its FIFOs where the folding has chosen them.

    A file of a build has its folding; a checkpoint gets one for the target.
    """
    if not args.lowered:
        folded = fold_cached(lowered_graph(args.checkpoint), target, fold_options(args), args.fifo_depths)
        return folded.network, folded.depths
    graph = make_graph(args.lowered, target, Path("hls"))
    network = pipeline.network(graph)
    sized = not args.size_fifos and not args.fifo_length
    return network, chosen_depths(network, pipeline.network(graph, kernels=True), args.fifo_depths) if sized else None


def depths_of(args: argparse.Namespace, network: Network, known: Depths | None, sizing: Sizing | None) -> Depths:
    if args.fifo_length:
        return {fifo.name: args.fifo_length for fifo in network.sizable}
    if sizing and not args.fifo_depths:
        return sizing.lossless.depths
    return known or pipeline.read_depths(args.fifo_depths, network)


def facts(trace: Trace, found: Deadlock | None, target: Target) -> dict[str, Any]:
    """What ``--json`` writes; cycles, bits, and words by FIFO and process."""
    network = trace.network
    return {
        "target": target.name,
        "clock_mhz": target.clock_mhz,
        "images": trace.images,
        "interval_cycles": None if found else trace.interval(),
        "latency_cycles": None if found else trace.latency(),
        "deadlock": found
        and {
            "cycle": found.cycle,
            "waits": [{"process": wait.process, "fifo": wait.fifo, "cause": wait.cause} for wait in found.waits],
            "remedies": found.remedies,
        },
        "storage_bits": network.storage_bits(trace.depths),
        "fifos": {
            fifo.name: {
                "from": network.writer(fifo.name).name,
                "to": network.reader(fifo.name).name,
                "word_bits": fifo.word_bits,
                "depth": fifo.depth(trace.depths),
                "peak_occupancy": trace.peak_slots(fifo.name),
            }
            for fifo in network.fifos
        },
        "processes": {
            process.name: {"kind": process.kind, "busy_cycles": busy_cycles(process.program)}
            for process in network.processes
        },
        "stalls": {
            name: [
                {"fifo": fifo, "cause": "full" if writes else "empty", "cycles": cycles}
                for (fifo, writes), cycles in stalls.items()
            ]
            for name, stalls in trace.stalls.items()
        },
    }


def occupancy_table(trace: Trace) -> str:
    """CSV: a line for each stretch of time, its first cycle, and the most slots of every FIFO in use in it."""
    edges = bin_edges(trace)
    held = occupancy(trace, edges)
    rows = zip(edges[:-1].tolist(), *(most.tolist() for most in held.values()), strict=True)
    return "".join(",".join(map(str, row)) + "\n" for row in (("cycle", *held), *rows))


def describe(trace: Trace, found: Deadlock | None, target: Target) -> str:
    """The summary that is printed."""
    network = trace.network
    lines = [f"network      {len(network.processes)} processes, {len(network.fifos)} FIFOs"]
    if found:
        return "\n".join([*lines, f"stands still {found}"])
    interval, latency = trace.interval(), trace.latency()
    slowest = max(network.processes, key=lambda process: busy_cycles(process.program))
    lines += [
        f"interval     {interval:,} cycles, {target.clock_mhz * 1e6 / interval:,.1f} images/s at "
        f"{target.clock_mhz:g} MHz",
        f"latency      {latency:,} cycles, {latency / target.clock_mhz / 1e3:,.2f} ms",
        f"bottleneck   {slowest.name} ({slowest.kind}), {busy_cycles(slowest.program):,} cycles an image",
        f"FIFOs        {network.storage_bits(trace.depths):,} bits; deepest: {_deepest(trace)}",
        "stalls       cycles of the run by process, its FIFO and the cause:",
    ]
    stalls = [
        (cycles, f"{name} at {fifo} ({'full' if writes else 'empty'})")
        for name, ports in trace.stalls.items()
        if name not in (pipeline.SOURCE, pipeline.SINK)
        for (fifo, writes), cycles in ports.items()
    ]
    lines += [f"  {cycles:>12,}  {what}" for cycles, what in sorted(stalls, reverse=True)[:MOST_SHOWN]]
    return "\n".join(lines)


def _deepest(trace: Trace) -> str:
    names = sorted(trace.depths, key=lambda name: trace.depths[name], reverse=True)[:3]
    return ", ".join(f"{name} {trace.depths[name]}" for name in names)


def describe_sizing(sizing: Sizing) -> str:
    """The curve from the smallest FIFOs without deadlock to those that cost no throughput."""
    lines = [f"{'FIFO bits':>12} {'interval':>12} {'latency':>12}  cycles"]
    lines += [f"{p.storage_bits:>12,} {p.interval_cycles:>12,} {p.latency_cycles:>12,}" for p in sizing.curve]
    lines[1] += "  smallest without deadlock"
    lines[-1] += "  smallest without loss of throughput"
    return "\n".join(lines)


def simulate(args: argparse.Namespace) -> Status:
    """Simulate the pipeline that ``args`` describe, and print, write and draw what it did."""
    target = load_target(args.target)
    network, known = network_of(args, target)
    sizing = size_fifos(network) if args.size_fifos else None
    depths = depths_of(args, network, known, sizing)
    trace = dataflow.simulate(network, depths, args.images) if args.images else settled(network, depths, record=True)
    found = explain(trace)
    print(describe(trace, found, target))
    if sizing:
        print(describe_sizing(sizing))
    if args.write_depths:
        write_whole(args.write_depths, pipeline.depths_file(network, depths))
    if args.json:
        write_whole(args.json, json.dumps(facts(trace, found, target), indent=2) + "\n")
    if args.plot:
        save_plot(args.plot, trace, sizing.curve if sizing else ())
    if args.graph:
        save_graph(args.graph, trace)
    if args.occupancy:
        write_whole(args.occupancy, occupancy_table(trace))
    return Status.DIFFERS if trace.deadlock else Status.OK

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
from flows.reporting.formatting import (
    count,
    cycles,
    images_per_second,
    known_as,
    mhz,
    milliseconds,
    plain,
    plural,
    throughput,
)
from flows.reporting.synthesis import hls_evidence
from flows.reporting.text_table import text_table
from hls_projects import dataflow
from hls_projects.dataflow import Deadlock, Network, Sizing, Trace, explain, settled, size_fifos
from hls_projects.dataflow.activity import bin_edges, occupancy
from hls_projects.dataflow.deadlock import BACKPRESSURED, STARVED
from hls_projects.dataflow.program import busy_cycles
from hls_projects.dataflow.sizing import Depths
from hls_projects.files import write_whole
from hls_projects.folding.depths import chosen_depths
from hls_projects.folding.estimate import DESIGN, SIMULATED
from hls_projects.project import pipeline
from hls_projects.project.conversion import make_graph
from hls_projects.targets import Target, load_target

MOST_SHOWN = 10
# Of the file that --json writes.
SCHEMA_VERSION = 2


def network_of(args: argparse.Namespace, target: Target) -> tuple[Network, Depths | None]:
    """The network, and the depths of its FIFOs where the folding has chosen them.

    The lowered graph of a build has its folding; a checkpoint is folded for the target.
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
    """What ``--json`` writes: cycles, bits, and stalls by process and FIFO."""
    network = trace.network
    return {
        "schema_version": SCHEMA_VERSION,
        "target": target.name,
        "clock_mhz": target.clock_mhz,
        "images": trace.images,
        "interval_cycles": None if found else trace.interval(),
        "latency_cycles": None if found else trace.latency(),
        "evidence": SIMULATED,
        "design": DESIGN,
        "deadlock": found
        and {
            "cycle": found.cycle,
            "stalled": [{"process": wait.process, "fifo": wait.fifo, "stall": wait.stall} for wait in found.waits],
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
                {"fifo": fifo, "stall": _stall(writes), "cycles": stalled} for (fifo, writes), stalled in stalls.items()
            ]
            for name, stalls in trace.stalls.items()
        },
    }


def _stall(writes: bool) -> str:
    return BACKPRESSURED if writes else STARVED


def occupancy_table(trace: Trace) -> str:
    """CSV: a line for each stretch of time, with its first cycle and the most slots of every FIFO in use in it."""
    edges = bin_edges(trace)
    held = occupancy(trace, edges)
    rows = zip(edges[:-1].tolist(), *(most.tolist() for most in held.values()), strict=True)
    return "".join(",".join(map(str, row)) + "\n" for row in (("cycle", *held), *rows))


def describe(trace: Trace, found: Deadlock | None, target: Target) -> str:
    """The summary that is printed."""
    network = trace.network
    lines = [f"network      {plural(len(network.processes), 'process')}, {plural(len(network.fifos), 'FIFO')}"]
    if found:
        return plain("\n".join([*lines, f"deadlock     {found.reason()}"]))
    interval, latency, clock = trace.interval(), trace.latency(), target.clock_mhz
    slowest = max(network.processes, key=lambda process: busy_cycles(process.program))
    lines += [
        f"throughput   {throughput(images_per_second(interval, clock))} at {mhz(clock)} (initiation interval "
        f"{cycles(interval)}; {known_as(SIMULATED, DESIGN)})",
        f"latency      {cycles(latency)}, {milliseconds(latency, clock)} ({known_as(SIMULATED, DESIGN)})",
        f"             {hls_evidence(None)}",
        f"bottleneck   {slowest.name} ({slowest.kind}), {cycles(busy_cycles(slowest.program))} per image",
        f"FIFOs        {count(network.storage_bits(trace.depths))} bits; deepest: {_deepest(trace)}",
        "stalls       the longest, in cycles of the run:",
        _stalls(trace),
    ]
    return plain("\n".join(lines))


def _stalls(trace: Trace) -> str:
    """The longest stalls, without those of the source and the sink."""
    stalls = [
        (stalled, name, _stall(writes), fifo)
        for name, ports in trace.stalls.items()
        if name not in (pipeline.SOURCE, pipeline.SINK)
        for (fifo, writes), stalled in ports.items()
    ]
    longest = sorted(stalls, reverse=True)[:MOST_SHOWN]
    rows = ((count(stalled), *where) for stalled, *where in longest)
    return text_table(("cycles", "process", "stall", "FIFO"), rows, left=(1, 2, 3))


def _deepest(trace: Trace) -> str:
    names = sorted(trace.depths, key=lambda name: trace.depths[name], reverse=True)[:3]
    return ", ".join(f"{name} {count(trace.depths[name])}" for name in names)


def describe_sizing(sizing: Sizing) -> str:
    """The curve from the smallest FIFOs without deadlock to those that cost no throughput."""
    rows = [[count(p.storage_bits), count(p.interval_cycles), count(p.latency_cycles), ""] for p in sizing.curve]
    rows[0][-1] = "smallest without deadlock"
    rows[-1][-1] = "smallest without loss of throughput"
    return text_table(("FIFO bits", "interval, cycles", "latency, cycles", ""), rows, left=(3,))


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

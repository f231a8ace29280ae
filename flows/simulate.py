"""Simulate the pipeline cycle by cycle: throughput, latency, stalls, and how deep its FIFOs must be.

    python flows/simulate.py --target pynq-z2
    python flows/simulate.py --size-fifos --write-depths fifo_depths.json
    python flows/simulate.py --fifo-depths fifo_depths.json --json timing.json --plot timing.png
    python flows/simulate.py --occupancy occupancy.csv --graph graph.svg

The processes and their timing are those of the operators' Verilog (RTL), not of the generated HLS C++. Without
--fifo-depths or --fifo-length the FIFOs are the smallest that cost no throughput, as in a build.

Exit status: 0; 1 for a deadlock, which is printed with the depth that would resolve it; 2 when something that the
command was given cannot be used.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from brevitas_model.config import ConfigError
from brevitas_model.files import write_whole
from brevitas_model.shipped import CheckpointError, find_checkpoint
from flows.building.cached_graphs import folded_once, lowered_graph
from flows.building.settings import SHIPPED_CHECKPOINT, add_folding, options_of, plot_file, positive
from flows.command_line import CommandParser, guarded
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
from hls_projects.cost import CostError
from hls_projects.dataflow import Deadlock, Network, NetworkError, Sizing, Trace, explain, settled, simulate, size_fifos
from hls_projects.dataflow.activity import occupancy, stretches
from hls_projects.dataflow.deadlock import BACKPRESSURED, STARVED
from hls_projects.dataflow.program import busy_cycles
from hls_projects.dataflow.sizing import Depths
from hls_projects.folding.choices import FoldingError
from hls_projects.folding.depths import chosen_depths
from hls_projects.folding.estimate import DESIGN, SIMULATED
from hls_projects.lowering import LoweringError
from hls_projects.project import pipeline
from hls_projects.project.conversion import ConversionError, make_graph
from hls_projects.simulation import SimulationError
from hls_projects.targets import TARGET_HELP, Target, TargetError, load_target, target_names

BAD_INPUT = (
    *(CheckpointError, ConfigError, ConversionError, CostError, FoldingError, LoweringError, NetworkError),
    *(SimulationError, TargetError, OSError),
)
MOST_SHOWN = 10
# Of the file that --json writes.
SCHEMA_VERSION = 2


def network_of(args: argparse.Namespace, target: Target) -> tuple[Network, Depths | None]:
    """The network, and its depths where it was folded here; None where they are still to be chosen.

    The lowered graph of a build has its folding; a checkpoint is folded for the target.
    """
    if not args.lowered:
        folded = folded_once(lowered_graph(args.checkpoint), target, options_of(args), args.fifo_depths)
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
                "peak_occupancy": trace.slots(fifo.name),
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
    edges = stretches(trace)
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


def run(args: argparse.Namespace) -> int:
    target = load_target(args.target)
    network, known = network_of(args, target)
    sizing = size_fifos(network) if args.size_fifos else None
    depths = depths_of(args, network, known, sizing)
    trace = simulate(network, depths, args.images) if args.images else settled(network, depths, record=True)
    found = explain(trace)
    print(describe(trace, found, target))
    if sizing:
        print(describe_sizing(sizing))
    if args.write_depths:
        write_whole(args.write_depths, pipeline.depths_file(network, depths).encode())
    if args.json:
        write_whole(args.json, (json.dumps(facts(trace, found, target), indent=2) + "\n").encode())
    if args.plot:
        # Not at the top: matplotlib takes a part of a second to import.
        from flows.plots.timing_plot import save_plot

        save_plot(args.plot, trace, sizing.curve if sizing else ())
    if args.graph:
        from flows.plots.network_plot import save_graph

        save_graph(args.graph, trace)
    if args.occupancy:
        write_whole(args.occupancy, occupancy_table(trace).encode())
    return int(trace.deadlock)


def main(argv: list[str] | None = None) -> int:
    parser = CommandParser("simulate", __doc__)
    parser.add_argument(
        "--target", default="pynq-z2", help=f"{TARGET_HELP}: {', '.join(target_names())} (default: pynq-z2)"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--checkpoint", type=find_checkpoint, default=SHIPPED_CHECKPOINT, help="quantized checkpoint")
    source.add_argument("--lowered", type=Path, metavar="FILE", help="the lowered.onnx of a build instead")
    add_folding(parser)
    parser.add_argument("--images", type=positive, help="how many run (default: until the interval stays the same)")
    depths = parser.add_mutually_exclusive_group()
    depths.add_argument("--fifo-depths", type=Path, metavar="FILE", help="depths as a build wrote them")
    depths.add_argument("--fifo-length", type=positive, metavar="N", help="the same depth for every FIFO")
    parser.add_argument("--size-fifos", action="store_true", help="print the curve from smallest to lossless FIFOs")
    parser.add_argument("--write-depths", type=Path, metavar="FILE", help="write the depths that were simulated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument(
        "--occupancy", type=Path, metavar="FILE", help="write the most slots of every FIFO in use over time, as CSV"
    )
    parser.add_argument(
        "--plot", type=plot_file, metavar="FILE", help="draw what every process does when, and how full FIFOs are"
    )
    parser.add_argument("--graph", type=plot_file, metavar="FILE", help="draw the layers and the depths between them")
    args = parser.parse_args(argv)
    if args.images == 1:
        parser.error("--images must be at least 2, for an interval")
    return guarded("simulate", lambda: run(args), BAD_INPUT)


if __name__ == "__main__":
    sys.exit(main())

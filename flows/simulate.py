"""The pipeline cycle by cycle: how fast it is, where it waits, and how deep its FIFOs must be.

    python flows/simulate.py --target pynq-z2
    python flows/simulate.py --size-fifos --write-depths fifo_depths.json
    python flows/simulate.py --fifo-depths fifo_depths.json --json timing.json --plot timing.png
    python flows/simulate.py --occupancy occupancy.csv --graph graph.svg

The processes are those of the generated C++, their timing is what each hardware operator declares. Without
--fifo-depths or --fifo-length the FIFOs are the smallest that cost no throughput, as in a build.

Exit status: 0; 1 where the pipeline stands still, and what would free it is told; 2 when something that it
was given cannot be used.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from brevitas_model.config import ConfigError
from brevitas_model.shipped import CheckpointError, find_checkpoint
from flows.building.cached_graphs import fold_cached, lowered_graph
from flows.building.settings import SHIPPED_CHECKPOINT, add_folding, options_of, plot_file, positive
from flows.command_line import CommandParser, guarded
from hls_projects.cost import CostError
from hls_projects.dataflow import Deadlock, Network, NetworkError, Sizing, Trace, explain, settled, simulate, size_fifos
from hls_projects.dataflow.activity import bin_edges, occupancy
from hls_projects.dataflow.program import busy_cycles
from hls_projects.dataflow.sizing import Depths
from hls_projects.files import write_whole
from hls_projects.folding.depths import chosen_depths
from hls_projects.folding.options import FoldingError
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


def network_of(args: argparse.Namespace, target: Target) -> tuple[Network, Depths | None]:
    """The network, and its depths where folding it has told them.

    A file of a build has its folding; a checkpoint gets one for the target.
    """
    if not args.lowered:
        folded = fold_cached(lowered_graph(args.checkpoint), target, options_of(args), args.fifo_depths)
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

"""How fast a model can be on a board, with which folding, and what it takes: an estimate, in seconds.

    python flows/estimate.py --target pynq-z2
    python flows/estimate.py --target pynq-z2 --fps 3000 --dense
    python flows/estimate.py --target kv260 --clock 200 --json estimate.json --plot estimate.png

The folding is chosen so that every operator is about as fast as the slowest. Cycles are those that the operators
declare, resources come from a model that was fitted to syntheses of their Verilog twins (calibrated), the latency
from the timed simulation.

Exit status: 0; 2 when something that it was given cannot be used, or does not fit.
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
from flows.building.settings import SHIPPED_CHECKPOINT, above_zero, add_folding, options_of, plot_file
from flows.command_line import CommandParser, guarded
from hls_projects.cost import KINDS, CostError
from hls_projects.dataflow import NetworkError
from hls_projects.files import write_whole
from hls_projects.folding.depths import settled_trace
from hls_projects.folding.estimate import estimate_facts
from hls_projects.folding.folded import at_clock
from hls_projects.folding.json_file import foldings_text
from hls_projects.folding.options import FoldingError
from hls_projects.lowering import LoweringError
from hls_projects.project.conversion import ConversionError, read_lowered
from hls_projects.simulation import SimulationError
from hls_projects.targets import TARGET_HELP, TargetError, load_target, target_names

BAD_INPUT = (
    CheckpointError, ConfigError, ConversionError, CostError, FoldingError, LoweringError, NetworkError,
    SimulationError, TargetError, OSError,
)  # fmt: skip


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


def run(args: argparse.Namespace) -> int:
    options = options_of(args, args.clock)
    target = at_clock(load_target(args.target), args.clock)
    model = read_lowered(args.lowered) if args.lowered else lowered_graph(args.checkpoint)
    folded = fold_cached(model, target, options, rough=True)
    estimate = estimate_facts(folded, settled_trace(folded.network, folded.depths), target)
    print(table(estimate))
    if args.write_folding:
        write_whole(args.write_folding, foldings_text(folded.plan.foldings).encode())
    if args.json:
        write_whole(args.json, (json.dumps(estimate, indent=2) + "\n").encode())
    if args.plot:
        # Not at the top: matplotlib takes a part of a second to import.
        from flows.plots.estimate_plot import save_plot

        save_plot(args.plot, estimate)
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = CommandParser("estimate", __doc__)
    parser.add_argument(
        "--target", default="pynq-z2", help=f"{TARGET_HELP}: {', '.join(target_names())} (default: pynq-z2)"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--checkpoint", type=find_checkpoint, default=SHIPPED_CHECKPOINT, help="quantized checkpoint")
    source.add_argument("--lowered", type=Path, metavar="FILE", help="the lowered.onnx of a build instead")
    add_folding(parser)
    parser.add_argument("--clock", type=above_zero, metavar="MHz", help="instead of the target's")
    parser.add_argument("--write-folding", type=Path, metavar="FILE", help="write folding.json")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--plot", type=plot_file, metavar="FILE", help="draw cycles and LUTs by operator")
    args = parser.parse_args(argv)
    return guarded("estimate", lambda: run(args), BAD_INPUT)


if __name__ == "__main__":
    sys.exit(main())

"""Estimate in seconds how fast a model is on a board, with which folding, and which resources it uses.

    python flows/estimate.py --target pynq-z2
    python flows/estimate.py --target pynq-z2 --fps 3000 --dense
    python flows/estimate.py --target kv260 --clock 200 --json estimate.json --plot estimate.png

The folding is chosen so that every operator is about as fast as the slowest. Initiation interval and latency are
simulated; resources come from a cost model that was fitted to syntheses by Yosys (calibrated). All are those of the
operators' Verilog (RTL), not of the generated HLS C++.

Exit status: 0; 2 when something that it was given cannot be used, or does not fit.
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
from flows.building.settings import SHIPPED_CHECKPOINT, above_zero, add_folding, options_of, plot_file
from flows.command_line import CommandParser, guarded
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
from hls_projects.cost import KINDS, CostError
from hls_projects.dataflow import NetworkError
from hls_projects.folding import choices as folding
from hls_projects.folding.choices import FoldingError
from hls_projects.folding.depths import timed
from hls_projects.folding.estimate import estimate_facts
from hls_projects.folding.folded import at_clock
from hls_projects.lowering import LoweringError
from hls_projects.project.conversion import ConversionError, read_lowered
from hls_projects.simulation import SimulationError
from hls_projects.targets import TARGET_HELP, TargetError, load_target, target_names

BAD_INPUT = (
    CheckpointError, ConfigError, ConversionError, CostError, FoldingError, LoweringError, NetworkError,
    SimulationError, TargetError, OSError,
)  # fmt: skip


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


def run(args: argparse.Namespace) -> int:
    options = options_of(args, args.clock)
    target = at_clock(load_target(args.target), args.clock)
    model = read_lowered(args.lowered) if args.lowered else lowered_graph(args.checkpoint)
    folded = folded_once(model, target, options, rough=True)
    estimate = estimate_facts(folded, timed(folded.network, folded.depths), target)
    print(table(estimate))
    if args.write_folding:
        write_whole(args.write_folding, folding.folding_file(folded.plan.foldings).encode())
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

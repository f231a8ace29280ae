"""Write the complete model in Verilog, simulate it, and compare it with the operators and the timed simulation.

    python flows/rtl.py --images 3 --out rtl
    python flows/rtl.py --lowered out/lowered.onnx --fifo-depths out/fifo_depths.json --synthesise

A checkpoint is folded for the target as in a build; a lowered graph keeps its folding unless --folding is given. The
images are those of CIFAR-10's test split where --data or the variable CIFAR10_ROOT says where it is, else random
ones. Logits are compared with the operators' numpy semantics, cycles with the timed simulation of as many images.

Exit status: 0; 1 where a logit differs or the core deadlocks; 2 when something that it was given cannot be used.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hls4ml.model.graph import ModelGraph
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.config import ConfigError
from brevitas_model.files import write_whole
from brevitas_model.shipped import CheckpointError, find_checkpoint
from brevitas_model.training.data import IMAGE_SHAPE, DataError, load_cifar10, load_inputs
from flows.building.cached_graphs import folded_once, lowered_graph
from flows.building.settings import SHIPPED_CHECKPOINT, add_folding, options_of, positive
from flows.command_line import CommandParser, guarded
from flows.reporting.rtl_table import resources_table, timing_table
from hls_projects.cost import CostError
from hls_projects.dataflow import Network, NetworkError, Trace, explain, simulate
from hls_projects.dataflow.sizing import Depths
from hls_projects.folding import choices as folding
from hls_projects.folding.choices import FoldingError
from hls_projects.folding.depths import chosen_depths
from hls_projects.folding.folded import with_foldings
from hls_projects.graphs.qonnx_file import run_images
from hls_projects.lowering import LoweringError
from hls_projects.project import pipeline
from hls_projects.project.conversion import ConversionError, make_graph, read_lowered
from hls_projects.rtl import whole
from hls_projects.rtl.assembly import FILES, Assembly, AssemblyError, write_rtl
from hls_projects.rtl.bench import TwinError
from hls_projects.rtl.simulation import Run, compile_core, lint
from hls_projects.rtl.synthesis import SynthesisError
from hls_projects.simulation import SimulationError
from hls_projects.targets import TARGET_HELP, Target, TargetError, load_target, target_names

BAD_INPUT = (
    AssemblyError, CheckpointError, ConfigError, ConversionError, CostError, DataError, FoldingError, LoweringError,
    NetworkError, SimulationError, SynthesisError, TargetError, OSError,
)  # fmt: skip


# Of the file that --json writes.
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Folded:
    """A folded graph in the forms that the steps here need."""

    model: ModelWrapper
    graph: ModelGraph
    network: Network
    depths: Depths


def folded(args: argparse.Namespace, target: Target, work: Path) -> Folded:
    """What ``--checkpoint`` or ``--lowered`` says, with its folding and its FIFOs."""
    if args.lowered:
        model, depths = read_lowered(args.lowered), None
        if args.folding:
            model = with_foldings(model, folding.read_foldings(args.folding))
    else:
        found = folded_once(lowered_graph(args.checkpoint), target, options_of(args))
        model, depths = found.model, found.depths
    model.save(str(work / "folded.onnx"))
    graph = make_graph(work / "folded.onnx", target, work / "hls")
    network = pipeline.network(graph)
    if depths is None or args.fifo_depths:
        depths = chosen_depths(network, pipeline.network(graph, kernels=True), args.fifo_depths)
    return Folded(model, graph, network, depths)


def load_images(args: argparse.Namespace) -> np.ndarray:
    """uint8, (images, height, width, channels)."""
    if args.inputs:
        return load_inputs(args.inputs).images[: args.images]
    if args.data or os.environ.get("CIFAR10_ROOT"):
        return load_cifar10(args.data, train=False).images[: args.images]
    print("  random images: neither --data nor CIFAR10_ROOT says where CIFAR-10 is", file=sys.stderr)
    return np.random.default_rng(0).integers(0, 256, (args.images, *IMAGE_SHAPE), dtype=np.uint8)


def write(found: Folded, folder: Path) -> Assembly:
    """Write the Verilog of the model to ``folder``, whole or not at all.

    Raises:
        AssemblyError: ``folder`` holds something else; an operator without a twin.
    """
    if folder.exists() and not (folder / FILES).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise AssemblyError(f"{folder} exists and is not a folder of this command; choose another one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as part:
        made = Path(part) / folder.name
        assembly = write_rtl(found.graph, found.depths, made)
        (made / "fifo_depths.json").write_text(pipeline.depths_file(found.network, found.depths))
        (made / "folding.json").write_text(folding.folding_file(_foldings(found.model)))
        lint(assembly.core, made)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    return assembly


def _foldings(model: ModelWrapper) -> dict[str, folding.Folding]:
    return {name: operator.folding_now() for name, operator in folding.operators_of(model).items()}


def simulated(found: Folded, count: int) -> Trace:
    """The timed simulation of ``count`` images.

    Raises:
        NetworkError: a deadlock; it names the stalled processes and what would resolve it.
    """
    trace = simulate(found.network, found.depths, count, record=False)
    if deadlock := explain(trace):
        raise NetworkError(str(deadlock))
    return trace


def facts(run: Run, trace: Trace, expected: np.ndarray, compile_s: float) -> dict[str, Any]:
    """What ``--json`` writes of the run: cycles of the Verilog (``rtl``) and of the timed simulation (``dataflow``)."""
    several = len(run.left) > 1
    interval = int(trace.completions()[-1] - trace.completions()[-2]) if several else None
    return {
        "schema_version": SCHEMA_VERSION,
        "images": len(run.logits),
        "logits": run.logits.size,
        "mismatched_logits": int((run.logits != expected).sum()),
        "latency_cycles": {"rtl": run.latency(), "dataflow": trace.latency()},
        "interval_cycles": {"rtl": run.interval() if several else None, "dataflow": interval},
        "compile_seconds": round(compile_s, 1),
        "run_seconds": round(run.seconds, 1),
        "cycles_per_second": round(run.cycles / run.seconds),
    }


def resources(assembly: Assembly, jobs: int) -> dict[str, Any]:
    """Synthesised and estimated resources of every part."""
    parts = whole.designs(assembly)

    def progress(done: int, of: int) -> None:
        print(f"\r  synthesised {done} of {of} different parts", end="", file=sys.stderr, flush=True)

    measured = whole.synthesised(parts, jobs, progress)
    print(file=sys.stderr)
    return {
        name: {
            "kind": design.demand.kind,
            "synthesised": vars(whole.as_cost(measured[name])),
            "estimated": vars(whole.estimated(design)),
        }
        for name, design in parts.items()
    }


def run(args: argparse.Namespace) -> int:
    target = load_target(args.target)
    with tempfile.TemporaryDirectory(prefix="rtl-") as temporary:
        work = Path(temporary)
        found = folded(args, target, work)
        images = load_images(args)
        trace = simulated(found, len(images))
        folder = args.out or work / "rtl"
        try:
            assembly = write(found, folder)
            program = compile_core(assembly.core, folder, work / "compiled")
            core = program.run(images, stalls=args.stalls)
        except TwinError as error:
            print(f"rtl: {' '.join(str(error).split())}", file=sys.stderr)
            return 1
        result = facts(core, trace, run_images(found.model, images).astype(np.int64), program.seconds)
        print(timing_table(result, stalled=bool(args.stalls)))
        if args.synthesise:
            result["parts"] = resources(assembly, args.jobs)
            print(resources_table(result["parts"]))
    if args.json:
        write_whole(args.json, (json.dumps(result, indent=2) + "\n").encode())
    return int(result["mismatched_logits"] > 0)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("rtl", __doc__)
    parser.add_argument(
        "--target", default="pynq-z2", help=f"{TARGET_HELP}: {', '.join(target_names())} (default: pynq-z2)"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--checkpoint", type=find_checkpoint, default=SHIPPED_CHECKPOINT, help="quantized checkpoint")
    source.add_argument("--lowered", type=Path, metavar="FILE", help="the lowered.onnx of a build, as it is folded")
    add_folding(parser)
    parser.add_argument("--fifo-depths", type=Path, metavar="FILE", help="depths as a build wrote them")
    parser.add_argument("--images", type=positive, default=3, metavar="N", help="how many run (default: 3)")
    parser.add_argument("--data", type=Path, help="torchvision root of CIFAR-10 (default: CIFAR10_ROOT)")
    parser.add_argument("--inputs", type=Path, help="images from a .npy file instead: uint8, N x 32 x 32 x 3")
    parser.add_argument("--stalls", type=int, default=0, metavar="SEED", help="random gaps and stalls at the ports")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the Verilog in this folder")
    parser.add_argument("--synthesise", action="store_true", help="resources of every part by Yosys, minutes")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="syntheses at a time (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    return parser


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    return guarded("rtl", lambda: run(args), BAD_INPUT)


if __name__ == "__main__":
    sys.exit(main())

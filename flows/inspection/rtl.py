"""A model in Verilog: written, run on images, and compared with the operators and the timed simulation."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hls4ml.model.graph import ModelGraph
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.training.data import IMAGE_SHAPE, load_cifar10, load_inputs
from flows.building.cached_graphs import fold_cached, lowered_graph
from flows.command_line import Status
from flows.command_line.options import fold_options
from flows.reporting.rtl_table import resources_table, timing_table
from hls_projects.dataflow import Network, NetworkError, Trace, explain, simulate
from hls_projects.dataflow.sizing import Depths
from hls_projects.errors import InputError, one_line
from hls_projects.files import replace_folder, write_whole
from hls_projects.folding.choices import operators_of
from hls_projects.folding.depths import chosen_depths
from hls_projects.folding.folded import with_foldings
from hls_projects.folding.json_file import foldings_text, read_foldings
from hls_projects.graphs.qonnx_file import run_images
from hls_projects.operators.base import Folding
from hls_projects.project import pipeline
from hls_projects.project.conversion import make_graph, read_lowered
from hls_projects.rtl import whole
from hls_projects.rtl.assembly import FILES, Assembly, write_rtl
from hls_projects.rtl.bench import TwinError
from hls_projects.rtl.simulation import Run, compile_core, lint
from hls_projects.targets import Target, load_target

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
            model = with_foldings(model, read_foldings(args.folding))
    else:
        found = fold_cached(lowered_graph(args.checkpoint), target, fold_options(args))
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
        InputError: ``folder`` holds something else; an operator without a twin.
    """
    if folder.exists() and not (folder / FILES).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not a folder of this command; choose another one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as part:
        made = Path(part) / folder.name
        assembly = write_rtl(found.graph, found.depths, made)
        (made / "fifo_depths.json").write_text(pipeline.depths_file(found.network, found.depths))
        (made / "folding.json").write_text(foldings_text(_foldings(found.model)))
        lint(assembly.core, made)
        replace_folder(made, folder, Path(part) / "earlier")
    return assembly


def _foldings(model: ModelWrapper) -> dict[str, Folding]:
    return {name: operator.folding_now() for name, operator in operators_of(model).items()}


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


def run_rtl(args: argparse.Namespace) -> Status:
    """Write the Verilog, run it, and print and write how it compares."""
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
            print(f"rtl: {one_line(error)}", file=sys.stderr)
            return Status.DIFFERS
        result = facts(core, trace, run_images(found.model, images).astype(np.int64), program.seconds)
        print(timing_table(result, stalled=bool(args.stalls)))
        if args.synthesise:
            result["parts"] = resources(assembly, args.jobs)
            print(resources_table(result["parts"]))
    if args.json:
        write_whole(args.json, json.dumps(result, indent=2) + "\n")
    return Status.DIFFERS if result["mismatched_logits"] else Status.OK

"""What a build hands to a board: what its manifest says, and the vendor's tools that make its bitstream."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from flows.building.provenance import PACKAGES, digests
from flows.building.settings import USUAL_HLS_STEPS, Settings
from hls_projects import board
from hls_projects.board import HLS_TOOLS, VIVADO_TOOLS, ToolError, find_tool, run_tool
from hls_projects.operators import HardwareOperator
from hls_projects.targets import Target

VENDOR = "vendor"
# Facts of earlier steps that the manifest needs.
DEPLOYED = ("model", "max_bits", "timing", "accuracy")
SOURCES = (
    "target.toml",
    "checkpoint.safetensors",
    "model.qonnx.onnx",
    "lowered.onnx",
    "folding.json",
    "fifo_depths.json",
    "hls/firmware",
)


@dataclass(frozen=True)
class ToolRuns:
    """What the tools did.

    Args:
        failure: of one that ran, in words.
        reports: there are some.
    """

    failure: str | None
    reports: bool


def run_tools(folder: Path, settings: Settings) -> ToolRuns:
    """Run Vitis HLS, and with ``--bitstream`` Vivado after it, on the scripts in ``folder``.

    One that is not there is said in a line; Vivado does not run without the core of Vitis HLS.
    """
    reports = folder / board.REPORTS
    shutil.rmtree(reports, ignore_errors=True)
    for name in board.BITSTREAM.values():
        (folder / name).unlink(missing_ok=True)
    steps = settings.synth or USUAL_HLS_STEPS
    wanted = [(HLS_TOOLS, board.HLS_SCRIPT, {"HLS_STEPS": " ".join(steps)})]
    wanted += [(VIVADO_TOOLS, board.VIVADO_SCRIPT, {})] if settings.bitstream else []
    failure = None
    for tools, script, variables in wanted:
        try:
            tool = find_tool(tools, f"{folder.name}/{script}")
        except ToolError as error:
            print(f"  {error}", flush=True)
            break
        print(f"  {tool.name}, {script}", flush=True)
        try:
            run_tool(tool, folder, lambda line: print(f"  {line}", flush=True), variables)
        except ToolError as error:
            failure = str(error)
            break
    return ToolRuns(failure, reports.is_dir() and any(reports.iterdir()))


def manifest_facts(facts: dict[str, Any], folder: Path, target: Target, lowered: ModelWrapper) -> dict[str, Any]:
    """What ``manifest.json`` says beside the files; the same for the same model, target, options and packages.

    Args:
        facts: of the build. folder: its.
    """
    operators = [getCustomOp(node) for node in lowered.graph.node]
    height, width, channels = lowered.get_tensor_shape(lowered.graph.input[0].name)[1:]
    packets = board.Packets(height, width, channels, lowered.get_tensor_shape(lowered.graph.output[0].name)[-1])
    timing = facts["timing"]
    clock = timing["clock_mhz"] * 1e6
    return {
        "target": {
            "name": target.name,
            "part": target.part,
            "board_part": target.board_part,
            "clock_mhz": target.clock_mhz,
        },
        "image": {"dtype": "uint8", "shape": [height, width, channels], "bytes": packets.image_bytes},
        "result": {
            "classes": packets.classes,
            "words": packets.result_words,
            "bytes": packets.result_bytes,
            "logit_scale_log2": operators[-1].get_nodeattr("scale_log2"),
        },
        "figures": {
            "accuracy": facts["accuracy"]["csim"],
            "images_per_second": round(clock / timing["interval_cycles"], 3),
            "latency_ms": round(1e3 * timing["latency_cycles"] / clock, 6),
            "evidence": timing["evidence"],
            "design": timing["design"],
        },
        "model": facts["model"],
        "quantization": {
            "weight_bits": facts["model"]["weight_bits"],
            "max_bits": facts["max_bits"],
            "operators": {operator.onnx_node.name: _types(operator) for operator in operators},
        },
        "folding": json.loads((folder / "folding.json").read_text()),
        "versions": {name: importlib.metadata.version(name).partition("+")[0] for name in ("potstream", *PACKAGES)},
        "sources": digests(folder, SOURCES),
    }


def _types(operator: HardwareOperator) -> dict[str, Any]:
    """Types of an operator's output codes, and of its tables and weights."""
    return {
        "operator": operator.onnx_node.op_type,
        "output": operator.out_dtype.name,
        "arrays": {name: operator.array_dtype(name).name for name in operator.arrays},
    }

"""From a trained, quantized vision transformer to an HLS project that computes the same logits.

    python flows/build.py --target pynq-z2

Exit status: 0 when torch, QONNX, the lowered graph and the C-simulation agree on every logit; 1 when
they do not, and the last line names the operator; 2 when something that the build was given cannot
be used; 3 when all is exact, but a tool of --synth or --bitstream ran and failed. A tool that is not
there is said in one line, changes no status, and leaves its script ready in the folder vendor.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable

from brevitas_model.config import ConfigError
from brevitas_model.shipped import CheckpointError
from brevitas_model.training.data import DataError
from flows.building import steps
from flows.building.hashes import HashesError, write_hashes
from flows.building.settings import Settings, parse_settings
from flows.building.steps import Build
from flows.building.workspace import workspace
from flows.command_line import INTERRUPTED
from flows.reporting.schema import ReportError
from hls_projects.board import BoardError
from hls_projects.cost import CostError
from hls_projects.dataflow import NetworkError
from hls_projects.errors import InputError
from hls_projects.folding.options import FoldingError
from hls_projects.graphs.qonnx_file import QonnxError
from hls_projects.graphs.ranges import RangeError
from hls_projects.lowering import LoweringError
from hls_projects.project.conversion import ConversionError
from hls_projects.signals import interrupt_on_signals
from hls_projects.simulation import SimulationError
from hls_projects.targets import TargetError
from hls_projects.vendor_reports import VendorReportError

STEPS: list[tuple[str, Callable[[Build], None]]] = [
    ("load", steps.load),  # checkpoint or QONNX file, images, target
    ("export", steps.export),  # torch -> QONNX, by Brevitas
    ("ranges", steps.check_ranges),  # every tensor's grid and bits, at most 24
    ("lower", steps.lower_graph),  # QONNX -> hardware operators
    ("fold", steps.fold_graph),  # how much works in parallel, and the depths of the FIFOs
    ("convert", steps.convert_graph),  # hardware operators -> HLS project, by hls4ml
    ("compile", steps.compile_project),  # native integers and ap_types, by g++
    ("simulate", steps.simulate_all),  # torch, QONNX, hardware operators, C++
    ("compare", steps.compare),  # logit by logit, operator by operator where one differs
    ("synth", steps.synthesise),  # Vitis HLS and Vivado, where they are asked for and there
    ("deploy", steps.deploy),  # the folder for the board: driver, test set, manifest, bitstream
    ("report", steps.report),  # report.html, report.json and the summary
]
BAD_INPUT = (
    BoardError,
    CheckpointError,
    ConfigError,
    ConversionError,
    CostError,
    DataError,
    FoldingError,
    HashesError,
    LoweringError,
    NetworkError,
    QonnxError,
    RangeError,
    ReportError,
    SimulationError,
    TargetError,
    VendorReportError,
    InputError,
    OSError,
)
TOOL_FAILED = 3


def run(settings: Settings) -> int:
    names = [name for name, _ in STEPS]
    chosen = STEPS[names.index(settings.first) : names.index(settings.last) + 1]
    with workspace(settings.out, keep=settings.first != names[0]) as folder:
        build = Build.open(settings, folder, names[names.index(settings.first) :])
        for name, step in chosen:
            print(f"[{name}]", flush=True)
            started = time.perf_counter()
            step(build)
            build.finish(name, time.perf_counter() - started)
        write_hashes(folder)
    found = build.difference()
    if found:
        print(f"build: not exact: {found}", file=sys.stderr)
        return 1
    if build.tool_failure:
        print(f"build: {build.tool_failure}", file=sys.stderr)
        return TOOL_FAILED
    return 0


def main(argv: list[str] | None = None) -> int:
    settings = parse_settings(__doc__, [name for name, _ in STEPS], argv)
    interrupt_on_signals()
    try:
        return run(settings)
    except BAD_INPUT as error:
        print(f"build: {_reason(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("build: interrupted; the earlier output is as it was", file=sys.stderr)
        return INTERRUPTED


def _reason(error: Exception) -> str:
    """One line; shutil tells of every file that it could not copy, of which one is enough."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        return str(error.args[0][0][-1])
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())

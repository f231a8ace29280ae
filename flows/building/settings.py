"""What a build is asked to do."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

from flows.command_line import CommandParser
from flows.command_line.options import (
    add_checkpoint,
    add_data,
    add_fifo_depths,
    add_folding,
    add_inputs,
    add_out,
    add_target,
    positive,
)
from hls_projects.board import HLS_STEPS
from hls_projects.errors import InputError

STEPS = (
    "load",  # checkpoint or QONNX file, images, target
    "export",  # torch -> QONNX, by Brevitas
    "ranges",  # every tensor's grid and bits, at most 24
    "lower",  # QONNX -> hardware operators
    "fold",  # how much works in parallel, and the depths of the FIFOs
    "convert",  # hardware operators -> HLS project, by hls4ml
    "compile",  # native integers and ap_types, by g++
    "simulate",  # torch, QONNX, hardware operators, C++
    "compare",  # logit by logit, operator by operator where one differs
    "synth",  # Vitis HLS and Vivado, where they are asked for and there
    "deploy",  # the folder for the board: driver, test set, manifest, bitstream
    "report",  # report.html, report.json and the summary
)
"""Steps of a build, in their order."""
CSIM_MODES = ("fast", "reference")
# Co-simulation simulates whole images in Verilog and takes hours.
USUAL_HLS_STEPS = ("csim", "csynth", "export")
# The step that reads an option; later steps do not see it.
READ_BY = {
    "load": ("target", "checkpoint", "qonnx", "data", "images", "inputs"),
    "fold": ("fifo_depths", "folding", "fps", "fill", "dense"),
    "simulate": ("csim", "sample"),
    "synth": ("synth", "bitstream"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of a build; its ``--help`` describes them."""

    target: str
    checkpoint: Path
    qonnx: Path | None
    data: Path | None
    images: int | None
    inputs: Path | None
    out: Path
    fifo_depths: Path | None
    folding: Path | None
    fps: float | None
    fill: float
    dense: bool
    csim: str
    sample: int
    trace: bool
    show_images: bool
    vendor_reports: Path | None
    synth: tuple[str, ...] | None
    bitstream: bool
    first: str
    last: str


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of :class:`Settings`, by what they are about."""
    add_out(parser, "out")
    _add_source(parser.add_argument_group("model and images"))
    _add_hardware(parser.add_argument_group("board, folding and FIFOs"))
    _add_checks(parser.add_argument_group("checks"))
    _add_tools(parser.add_argument_group("vendor's tools"))
    _add_steps(parser.add_argument_group(f"steps: {', '.join(STEPS)}"))


def _add_source(group: argparse._ArgumentGroup) -> None:
    source = group.add_mutually_exclusive_group()
    add_checkpoint(source)
    source.add_argument("--qonnx", type=Path, metavar="FILE", help="start from a QONNX file instead of a checkpoint")
    add_data(group)
    group.add_argument(
        "--images", type=positive, metavar="N", help="only the first N images of the test split (default: all 10,000)"
    )
    add_inputs(group)


def _add_hardware(group: argparse._ArgumentGroup) -> None:
    add_target(group)
    add_folding(group)
    add_fifo_depths(group)


def _add_checks(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--csim",
        choices=CSIM_MODES,
        default=CSIM_MODES[0],
        help="C-simulation of every image: fast, on native integers, or reference, on ap_types (default: fast)",
    )
    group.add_argument(
        "--sample",
        type=positive,
        default=100,
        metavar="N",
        help="images for the slow stages: qonnx's executor, the hardware operators in numpy, and the "
        "reference simulation beside the fast one (default: 100)",
    )
    group.add_argument(
        "--trace",
        action="store_true",
        help="compare every operator's output, on up to 8 images; done anyway where a logit differs",
    )
    group.add_argument("--show-images", action="store_true", help="report.html shows images that the model gets wrong")


def _add_tools(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--vendor-reports",
        type=Path,
        metavar="DIR",
        help="folder with csynth.xml of Vitis HLS and Vivado's reports of utilization and timing; their figures are "
        "put beside the estimate",
    )
    group.add_argument(
        "--synth",
        type=_hls_steps,
        nargs="?",
        const=USUAL_HLS_STEPS,
        metavar="STEP,...",
        help=f"run Vitis HLS, if it is on the PATH: steps of {', '.join(HLS_STEPS)} "
        f"(without any: {','.join(USUAL_HLS_STEPS)})",
    )
    group.add_argument(
        "--bitstream", action="store_true", help="run Vitis HLS and then Vivado, for a Zynq-7000, if they are there"
    )


def _add_steps(group: argparse._ArgumentGroup) -> None:
    shown = {"choices": STEPS, "metavar": "STEP"}
    group.add_argument("--from", dest="first", default=STEPS[0], help="go on from --out at this step", **shown)
    group.add_argument("--until", dest="last", default=STEPS[-1], help="stop after this step", **shown)


def settings_of(args: argparse.Namespace) -> Settings:
    """What the options of :func:`add_options` ask for.

    Raises:
        InputError: the last step comes before the first, or an option that no step from the first on reads.
    """
    settings = Settings(**{field.name: getattr(args, field.name) for field in dataclasses.fields(Settings)})
    first = STEPS.index(settings.first)
    if first > STEPS.index(settings.last):
        raise InputError(f"--from {settings.first} comes after --until {settings.last}; see --help")
    usual = CommandParser("build")
    add_options(usual)
    for step in STEPS[:first]:
        for name in READ_BY.get(step, ()):
            if getattr(settings, name) != usual.get_default(name):
                raise InputError(
                    f"--{name.replace('_', '-')} is read by the step {step}, which --from {settings.first} leaves out; "
                    "see --help"
                )
    return settings


def _hls_steps(text: str) -> tuple[str, ...]:
    steps = tuple(text.split(","))
    for step in steps:
        if step not in HLS_STEPS:
            raise argparse.ArgumentTypeError(f"{step!r} is none of {', '.join(HLS_STEPS)}")
    return steps

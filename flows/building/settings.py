"""What a build is asked to do."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

from brevitas_model.shipped import find_checkpoint
from flows.command_line import CommandParser
from hls_projects.board import HLS_STEPS
from hls_projects.folding.options import FILL, FoldOptions
from hls_projects.targets import TARGET_HELP, target_names

CSIM_MODES = ("fast", "reference")
SHIPPED_CHECKPOINT = find_checkpoint("vit-pot4")
# Co-simulation clocks whole images and takes hours.
USUAL_HLS_STEPS = ("csim", "csynth", "export")
# Options that a later step does not see.
READ_BY = {
    "load": ("target", "checkpoint", "qonnx", "data", "images", "inputs"),
    "fold": ("fifo_depths", "folding", "fps", "fill", "dense"),
    "simulate": ("csim", "sample"),
    "synth": ("synth", "bitstream"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of ``flows/build.py``; see its ``--help``."""

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


def parse_settings(description: str, steps: list[str], argv: list[str] | None) -> Settings:
    parser = CommandParser("build", description)
    parser.add_argument(
        "--target", default="pynq-z2", help=f"{TARGET_HELP}: {', '.join(target_names())} (default: pynq-z2)"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--checkpoint",
        type=find_checkpoint,
        default=SHIPPED_CHECKPOINT,
        help="safetensors file, or the name of a shipped one (default: vit-pot4)",
    )
    source.add_argument("--qonnx", type=Path, help="start from a QONNX file instead of a checkpoint")
    parser.add_argument("--data", type=Path, help="torchvision root of CIFAR-10 (default: CIFAR10_ROOT, else download)")
    parser.add_argument(
        "--images", type=positive, help="only the first N images of the test split (default: all 10,000)"
    )
    parser.add_argument("--inputs", type=Path, help="images from a .npy file instead: uint8, N x 32 x 32 x 3")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the result (default: out)")
    parser.add_argument(
        "--fifo-depths",
        type=Path,
        help="depths of the FIFOs, a fifo_depths.json that was edited (default: the smallest that cost no throughput)",
    )
    add_folding(parser)
    parser.add_argument(
        "--csim",
        choices=CSIM_MODES,
        default=CSIM_MODES[0],
        help="C-simulation of every image: fast, on native integers, or reference, on ap_types (default: fast)",
    )
    parser.add_argument(
        "--sample",
        type=positive,
        default=100,
        help="images for the slow stages: qonnx's executor, the hardware operators in numpy, and the "
        "reference simulation beside the fast one (default: 100)",
    )
    parser.add_argument(
        "--trace",
        action="store_true",
        help="compare every operator's output, on up to 8 images; done anyway where a logit differs",
    )
    parser.add_argument("--show-images", action="store_true", help="report.html shows images that the model gets wrong")
    parser.add_argument(
        "--vendor-reports",
        type=Path,
        metavar="DIR",
        help="folder with csynth.xml of Vitis HLS and Vivado's reports of utilization and timing; their figures are "
        "put beside the estimate",
    )
    parser.add_argument(
        "--synth",
        type=_hls_steps,
        nargs="?",
        const=USUAL_HLS_STEPS,
        metavar="STEP,...",
        help=f"run Vitis HLS, if it is on the PATH: steps of {', '.join(HLS_STEPS)} "
        f"(without any: {','.join(USUAL_HLS_STEPS)})",
    )
    parser.add_argument(
        "--bitstream", action="store_true", help="run Vitis HLS and then Vivado, for a Zynq-7000, if they are there"
    )
    parser.add_argument("--from", dest="first", choices=steps, default=steps[0], help="go on from --out at this step")
    parser.add_argument("--until", dest="last", choices=steps, default=steps[-1], help="stop after this step")
    settings = Settings(**vars(parser.parse_args(argv)))
    if steps.index(settings.first) > steps.index(settings.last):
        parser.error(f"--from {settings.first} comes after --until {settings.last}")
    for step, names in READ_BY.items():
        for name in names:
            if steps.index(settings.first) > steps.index(step) and getattr(settings, name) != parser.get_default(name):
                parser.error(
                    f"--{name.replace('_', '-')} is read by the step {step}, which --from {settings.first} leaves out"
                )
    return settings


# Endings of plot files.
PLOTS = (".png", ".pdf", ".svg")


def add_folding(parser: argparse.ArgumentParser) -> None:
    """The options of :class:`hls_projects.folding.options.FoldOptions` but for the clock."""
    parser.add_argument("--folding", type=Path, metavar="FILE", help="folding.json instead of one for the target")
    parser.add_argument("--fps", type=above_zero, help="images/s that are enough (default: as many as fit)")
    parser.add_argument("--fill", type=_share, default=FILL, help=f"largest share of any resource (default: {FILL})")
    parser.add_argument("--dense", action="store_true", help="spend time on weights that are zero, too")


def options_of(args: argparse.Namespace | Settings, clock_mhz: float | None = None) -> FoldOptions:
    """What the options of :func:`add_folding` ask for."""
    return FoldOptions(fps=args.fps, clock_mhz=clock_mhz, fill=args.fill, dense=args.dense, file=args.folding)


def _hls_steps(text: str) -> tuple[str, ...]:
    steps = tuple(text.split(","))
    for step in steps:
        if step not in HLS_STEPS:
            raise argparse.ArgumentTypeError(f"{step!r} is none of {', '.join(HLS_STEPS)}")
    return steps


def above_zero(text: str) -> float:
    """A finite number above 0, for argparse."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share above 0 and up to 1")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def plot_file(text: str) -> Path:
    """The path of a plot whose ending is its format, for argparse."""
    path = Path(text)
    if path.suffix and path.suffix not in PLOTS:
        raise argparse.ArgumentTypeError(f"{text} must end in {', '.join(PLOTS)}")
    return path


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)

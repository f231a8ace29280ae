"""The generated C++ with FIFOs of bounded depth, a thread for every process.

It computes the same logits as the other simulations, whose FIFOs are unbounded; what it shows is whether the generated
C++ deadlocks with FIFOs of given depths.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hls_projects import PROJECT
from hls_projects.errors import InputError
from hls_projects.simulation.compiler import Program
from hls_projects.simulation.native import CODE, DRIVER, NATIVE_TYPES
from hls_projects.simulation.processes import IMAGE_TIMEOUT

BOUNDED_TYPES = Path(__file__).parent / "bounded_types"
DEADLOCK_STATUS = 5
BOUNDED = Program(
    name=f"{PROJECT}_csim_bounded",
    sources=(str(DRIVER), f"firmware/{PROJECT}.cpp"),
    flags=(
        *("-O1", "-std=c++17", "-w", "-pthread", "-DPIPELINE_PROCESS(...)=hls::start([&] { __VA_ARGS__; })"),
        *("-I.", f"-I{BOUNDED_TYPES}", f"-I{NATIVE_TYPES}", "-Ifirmware"),
        '-DWEIGHTS_DIR="firmware/weights"',
    ),
)


def simulate_bounded(
    project: Path, work: Path, pixels: np.ndarray, n_logits: int, depths: Mapping[str, int]
) -> np.ndarray | None:
    """Run the compiled program on every image, one after another.

    Args:
        project: folder of the HLS project, with :data:`BOUNDED` compiled.
        work: folder for the images, depths and results.
        pixels: uint8 (N, H, W, C).
        depths: of the FIFOs by their names in the C++; one without a depth is unbounded.

    Returns:
        Logit codes, int64 (N, n_logits); None after a deadlock.

    Raises:
        InputError: the program crashed, or took longer than :data:`IMAGE_TIMEOUT`.
    """
    work = work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    images, results, table = (work / f"bounded.{suffix}" for suffix in ("images", "bin", "depths"))
    pixels.tofile(images)
    table.write_text("".join(f"{name} {depth}\n" for name, depth in depths.items()))
    command = [project.resolve() / BOUNDED.name, images, results, pixels[0].nbytes, 0, len(pixels)]
    try:
        run = subprocess.run(
            list(map(str, command)),
            cwd=project,
            env={**os.environ, "FIFO_DEPTHS": str(table)},
            capture_output=True,
            text=True,
            timeout=IMAGE_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"the C-simulation with bounded FIFOs took longer than {IMAGE_TIMEOUT:g} s") from error
    if run.returncode == DEADLOCK_STATUS and run.stderr.startswith("deadlock:"):
        return None
    if run.returncode:
        raise InputError(f"the C-simulation with bounded FIFOs ended with {run.returncode}: {run.stderr[-500:]}")
    return np.fromfile(results, CODE).astype(np.int64).reshape(-1, n_logits)

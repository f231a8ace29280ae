"""The fast simulation: the generated C++ on native integers, which g++ vectorizes.

The headers in ``native_types`` replace those of ``ap_types``, and ``driver.cpp`` replaces hls4ml's test bench, whose
text files would take longer than the network.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from hls_projects import PROJECT
from hls_projects.simulation.compiler import BLOCKS_HEADER, Program
from hls_projects.simulation.processes import IMAGE_TIMEOUT, Progress, Worker, run_workers, split

HERE = Path(__file__).parent
DRIVER, NATIVE_TYPES = HERE / "driver.cpp", HERE / "native_types"
CODE = np.dtype("<i4")
# See kernels/lanes.h.
VECTORIZED = "-DVECTORIZED"
NATIVE = Program(
    name=f"{PROJECT}_csim_native",
    sources=(str(DRIVER), f"firmware/{PROJECT}.cpp"),
    flags=(
        # By default g++ does not inline requantization, and loops with calls are not vectorized. -O3 makes nothing
        # faster and takes 1.5 times as long to compile.
        *("-O2", "-march=native", "-ftree-vectorize", "-fvect-cost-model=dynamic", "-finline-limit=5000"),
        *("-std=c++17", "-w", VECTORIZED),
        *("-I.", f"-I{NATIVE_TYPES}", f"-I{BLOCKS_HEADER.parent}", "-Ifirmware"),
        '-DWEIGHTS_DIR="firmware/weights"',
    ),
)


def simulate_native(
    project: Path,
    work: Path,
    pixels: np.ndarray,
    n_logits: int,
    progress: Progress = lambda done: None,
    workers: int | None = None,
    timeout: float = IMAGE_TIMEOUT,
) -> tuple[np.ndarray, int]:
    """Run the compiled program on every image, in workers that take consecutive images.

    Args:
        project: folder of the HLS project, with :data:`NATIVE` compiled.
        work: folder for the images, results and logs.
        pixels: uint8 (N, H, W, C).
        progress: called with the number of finished images.
        workers: number of processes; by default one a core.
        timeout: seconds that an image may take.

    Returns:
        Logit codes, int64 (N, n_logits), and the largest resident memory of a worker in KiB.

    Raises:
        InputError: a worker that crashed, hung, was killed or left images out; names the image it was at.
    """
    work = work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    images = work / "images.bin"
    pixels.tofile(images)
    workers_of_parts = [
        native_worker(project, work, f"native{index}", images, pixels[0].nbytes, part, n_logits)
        for index, part in enumerate(split(len(pixels), workers))
    ]
    run_workers(workers_of_parts, progress, timeout)
    codes = [read_codes(work, worker.name, n_logits) for worker in workers_of_parts]
    return np.concatenate(codes), max(int(worker.log("stdout").read_text()) for worker in workers_of_parts)


def native_worker(
    project: Path, work: Path, name: str, images: Path, image_bytes: int, part: np.ndarray, n_logits: int
) -> Worker:
    """A worker for the images ``part``, consecutive indices, of the file ``images``."""
    results = _results(work, name)
    results.write_bytes(b"")
    numbers = (image_bytes, part[0], len(part))
    command = [str(NATIVE.path(project).resolve()), *map(str, (images, results, *numbers))]
    done = functools.partial(_finished, results, n_logits)
    return Worker(name, command, project.resolve(), work, int(part[0]), len(part), done)


def read_codes(work: Path, name: str, n_logits: int) -> np.ndarray:
    """Logit codes that the worker ``name`` computed, int64 (N, n_logits)."""
    return np.fromfile(_results(work, name), CODE).astype(np.int64).reshape(-1, n_logits)


def _results(work: Path, name: str) -> Path:
    return work / f"{name}.bin"


def _finished(results: Path, n_logits: int) -> int:
    return results.stat().st_size // (n_logits * CODE.itemsize)

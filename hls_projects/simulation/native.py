"""The fast simulation: the same generated C++ on native integers, which g++ vectorizes.

``native_types`` stands in for the ``ap_types`` headers; ``driver.cpp`` for hls4ml's test bench,
whose text files would take longer than the network.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from hls_projects import PROJECT
from hls_projects.simulation.compiler import BLOCKS_HEADER, Program
from hls_projects.simulation.processes import IMAGE_TIMEOUT, Progress, Worker, run_workers, split

HERE = Path(__file__).parent
CODE = np.dtype("<i4")
# What lanes.h says.
VECTORIZED = "-DVECTORIZED"
NATIVE = Program(
    name=f"{PROJECT}_csim_native",
    sources=(str(HERE / "driver.cpp"), f"firmware/{PROJECT}.cpp"),
    flags=(
        # g++ thinks requantization too large to inline, and does not vectorize what it does not inline. -O3 would take
        # half as long again to compile, for nothing.
        *("-O2", "-march=native", "-ftree-vectorize", "-fvect-cost-model=dynamic", "-finline-limit=5000"),
        *("-std=c++17", "-w", VECTORIZED),
        *("-I.", f"-I{HERE / 'native_types'}", f"-I{BLOCKS_HEADER.parent}", "-Ifirmware"),
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
    """Run the compiled program on every image, each worker on a run of them.

    Args:
        project: folder of the HLS project, with :data:`NATIVE` compiled.
        work: folder for the images, results and logs.
        pixels: uint8 (N, H, W, C).
        progress: called with the number of finished images.
        workers: processes; default one a core.
        timeout: seconds that an image may take.

    Returns:
        Logit codes, int64 (N, n_logits), and the largest resident memory of a worker in KiB.

    Raises:
        SimulationError: a worker that crashed, hung, was killed or left images out, with the
            image that it was at.
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
    """A process that simulates the images ``part``, indices in a row, of the file ``images``."""
    results = _results(work, name)
    results.write_bytes(b"")
    numbers = (image_bytes, part[0], len(part))
    command = [str(NATIVE.path(project).resolve()), *map(str, (images, results, *numbers))]
    done = functools.partial(_finished, results, n_logits)
    return Worker(name, command, project.resolve(), work, int(part[0]), len(part), done)


def read_codes(work: Path, name: str, n_logits: int) -> np.ndarray:
    """What the worker ``name`` computed, int64 (N, n_logits)."""
    return np.fromfile(_results(work, name), CODE).astype(np.int64).reshape(-1, n_logits)


def _results(work: Path, name: str) -> Path:
    return work / f"{name}.bin"


def _finished(results: Path, n_logits: int) -> int:
    return results.stat().st_size // (n_logits * CODE.itemsize)

"""The reference simulation: hls4ml's test bench of the project on ``ap_types``, as Vitis HLS compiles it."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np

from hls_projects import PROJECT
from hls_projects.simulation.compiler import Program
from hls_projects.simulation.processes import Progress, Worker, run_workers, split

# With -O3 both compilation and simulation take longer.
REFERENCE = Program(
    name=f"{PROJECT}_csim",
    sources=(f"firmware/{PROJECT}.cpp", f"{PROJECT}_test.cpp"),
    flags=("-O1", "-std=c++17", "-w", "-Ifirmware/ap_types", '-DWEIGHTS_DIR="firmware/weights"'),
)


def write_vectors(folder: Path, pixels: np.ndarray, predictions: np.ndarray) -> None:
    """Write the test bench's input: an image a line in one file, its expected codes a line in the other."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "tb_input_features.dat", pixels.reshape(len(pixels), -1), fmt="%d")
    np.savetxt(folder / "tb_output_predictions.dat", predictions.reshape(len(predictions), -1), fmt="%d")


def simulate_reference(
    project: Path,
    work: Path,
    pixels: np.ndarray,
    predictions: np.ndarray,
    progress: Progress = lambda done: None,
    workers: int | None = None,
) -> np.ndarray:
    """Run the compiled test bench.

    Args:
        project: folder of the HLS project, with :data:`REFERENCE` compiled.
        work: folder for vectors and logs, one subfolder a worker.
        pixels: uint8 (N, H, W, C).
        predictions: expected logit codes (N, classes), which the test bench prints beside its own.
        progress: called with the number of finished images.
        workers: number of processes; by default one a core.

    Returns:
        Logit codes, int64 (N, classes).

    Raises:
        InputError: a worker that crashed, hung or left images out.
    """
    started = [
        reference_worker(project, work / f"worker{index}", pixels[part], predictions[part], int(part[0]))
        for index, part in enumerate(split(len(pixels), workers))
    ]
    run_workers(started, progress)
    return np.concatenate([read_log(worker.folder) for worker in started])


def reference_worker(project: Path, folder: Path, pixels: np.ndarray, predictions: np.ndarray, first: int) -> Worker:
    """A worker in ``folder`` for ``pixels``; ``first`` is the number of the first image."""
    write_vectors(folder / "tb_data", pixels, predictions)
    (folder / "firmware").symlink_to(os.path.relpath(project / "firmware", folder))
    command = [str(REFERENCE.path(project).resolve())]
    return Worker("csim", command, folder, folder, first, len(pixels), functools.partial(_lines, folder))


def read_log(folder: Path) -> np.ndarray:
    """Logit codes that the worker in ``folder`` computed, int64 (N, classes)."""
    return np.loadtxt(_log(folder), dtype=np.int64, ndmin=2)


def read_trace(work: Path, layer: str, shape: tuple[int, ...]) -> np.ndarray:
    """Traced output of the operator ``layer`` for all images, int64 (N, *shape)."""
    logs = sorted(work.glob("worker*"), key=lambda folder: int(folder.name.removeprefix("worker")))
    values = [np.loadtxt(folder / "tb_data" / f"{layer}_output.log", ndmin=2) for folder in logs]
    return np.concatenate(values).astype(np.int64).reshape(-1, *shape)


def _log(folder: Path) -> Path:
    return folder / "tb_data" / "csim_results.log"


def _lines(folder: Path) -> int:
    return _log(folder).read_bytes().count(b"\n") if _log(folder).exists() else 0

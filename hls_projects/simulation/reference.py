"""C-simulation: the generated project's own test bench, compiled with g++ and run on every core."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from hls_projects.conversion import PROJECT

FLAGS = ("-O3", "-std=c++17", "-w", "-Ifirmware/ap_types", '-DWEIGHTS_DIR="firmware/weights"')
SOURCES = (f"firmware/{PROJECT}.cpp", f"{PROJECT}_test.cpp")
POLL_SECONDS = 0.2


class SimulationError(Exception):
    """The test bench could not be compiled or did not run to its end."""


def compiler() -> str:
    """Path of g++.

    Raises:
        SimulationError: there is none.
    """
    path = shutil.which("g++")
    if path is None:
        raise SimulationError("no g++ on the path; install one (Debian and Ubuntu: apt-get install g++)")
    return path


def binary(project: Path) -> Path:
    """The compiled test bench of the HLS project in the folder ``project``."""
    return project / f"{PROJECT}_csim"


def compile_testbench(project: Path) -> Path:
    """Compile the test bench of the HLS project in the folder ``project``."""
    made = binary(project)
    command = [compiler(), *FLAGS, *SOURCES, "-o", made.name]
    # A session of its own, so that its children and their temporary files go with it.
    process = None
    try:
        with _signals_held():
            process = subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True, start_new_session=True)
        _, said = process.communicate()
    except BaseException:
        if process is not None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        raise
    if process.returncode:
        raise SimulationError(f"g++ refused the generated project: {said[:2000].strip()}")
    return made


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Ctrl-C waits until the process that is started here is known, and so can be ended."""
    held: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, lambda number, frame: held.append(number)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
    if held:
        raise KeyboardInterrupt


def write_vectors(folder: Path, pixels: np.ndarray, predictions: np.ndarray) -> None:
    """The test bench's input: one picture a line, and one line of expected codes each."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "tb_input_features.dat", pixels.reshape(len(pixels), -1), fmt="%d")
    np.savetxt(folder / "tb_output_predictions.dat", predictions.reshape(len(predictions), -1), fmt="%d")


def simulate(
    testbench: Path,
    work: Path,
    pixels: np.ndarray,
    predictions: np.ndarray,
    progress: Callable[[int], None] = lambda done: None,
    workers: int | None = None,
) -> np.ndarray:
    """Run the test bench.

    Args:
        testbench: from :func:`compile_testbench`.
        work: folder for vectors and logs, one subfolder a worker.
        pixels: uint8 (N, H, W, C). predictions: expected logit codes (N, classes); the test bench
            prints them, it does not feed them in.
        progress: called with the number of finished pictures.
        workers: processes; default one a core.

    Returns:
        Logit codes, int64 (N, classes).

    Raises:
        SimulationError: a worker that crashed or left pictures out.
    """
    parts = np.array_split(np.arange(len(pixels)), min(workers or os.cpu_count() or 1, len(pixels)))
    folders = [work / f"worker{index}" for index in range(len(parts))]
    for folder, part in zip(folders, parts, strict=True):
        write_vectors(folder / "tb_data", pixels[part], predictions[part])
        (folder / "firmware").symlink_to(os.path.relpath(testbench.parent / "firmware", folder))
    _run_all(testbench.resolve(), folders, progress)
    return np.concatenate([_read_log(folder, len(part)) for folder, part in zip(folders, parts, strict=True)])


def read_trace(work: Path, layer: str, shape: tuple[int, ...]) -> np.ndarray:
    """One operator's traced output of all pictures, (N, *shape), in the workers' order."""
    logs = sorted(work.glob("worker*"), key=lambda folder: int(folder.name.removeprefix("worker")))
    values = [np.loadtxt(folder / "tb_data" / f"{layer}_output.log", ndmin=2) for folder in logs]
    return np.concatenate(values).astype(np.int64).reshape(-1, *shape)


def _run_all(testbench: Path, folders: list[Path], progress: Callable[[int], None]) -> None:
    running: list[subprocess.Popen] = []
    try:
        for folder in folders:
            with _signals_held():
                running.append(_start(testbench, folder))
        while any(process.poll() is None for process in running):
            time.sleep(POLL_SECONDS)
            progress(sum(_lines(folder) for folder in folders))
    finally:
        for process in running:
            process.kill()
            process.wait()
    for process, folder in zip(running, folders, strict=True):
        if process.returncode:
            said = (folder / "stderr.txt").read_text()[-500:].strip()
            raise SimulationError(
                f"the C-simulation ended with {process.returncode} at picture {_lines(folder)} of {folder.name}: {said}"
            )
    progress(sum(_lines(folder) for folder in folders))


def _start(testbench: Path, folder: Path) -> subprocess.Popen:
    with (folder / "stdout.txt").open("w") as out, (folder / "stderr.txt").open("w") as err:
        return subprocess.Popen([str(testbench)], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err)


def _lines(folder: Path) -> int:
    log = folder / "tb_data" / "csim_results.log"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def _read_log(folder: Path, count: int) -> np.ndarray:
    codes = np.loadtxt(folder / "tb_data" / "csim_results.log", dtype=np.int64, ndmin=2)
    if len(codes) != count:
        raise SimulationError(f"the C-simulation gave {len(codes)} of {count} results in {folder.name}")
    return codes

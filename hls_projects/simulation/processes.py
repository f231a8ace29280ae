"""Simulations as child processes: starting, watching and ending them, and errors that say what failed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hls_projects.errors import InputError
from hls_projects.signals import signals_held

POLL_SECONDS = 0.2
IMAGE_TIMEOUT = 120.0
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Worker:
    """A process that simulates the images ``first`` to ``first + count - 1``.

    Args:
        command: program and arguments, run in ``folder``.
        logs: folder of its output, ``<name>.stdout`` and ``<name>.stderr``.
        done: gives the number of its images that are finished.
    """

    name: str
    command: Sequence[str]
    folder: Path
    logs: Path
    first: int
    count: int
    done: Callable[[], int]

    def start(self) -> subprocess.Popen:
        """Start the process."""
        with self.log("stdout").open("w") as out, self.log("stderr").open("w") as err:
            return subprocess.Popen(self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def log(self, stream: str) -> Path:
        """The file with what the process writes to ``stdout`` or ``stderr``."""
        return self.logs / f"{self.name}.{stream}"

    def check(self, status: int) -> None:
        """Check a process that ended with ``status``.

        Raises:
            InputError: a status other than 0, or fewer results than images.
        """
        if status:
            ending = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}"
            said = self.log("stderr").read_text(errors="replace")[-500:].strip() or "no message"
            raise InputError(f"the C-simulation {ending} at image {self.first + self.done()}: {said}")
        if self.done() != self.count:
            raise InputError(f"the C-simulation gave {self.done()} of {self.count} results from image {self.first} on")


def split(count: int, workers: int | None = None) -> list[np.ndarray]:
    """Indices of ``count`` images in one array of consecutive ones a worker; by default one worker a core."""
    return np.array_split(np.arange(count), min(workers or os.cpu_count() or 1, count))


def run_workers(workers: Sequence[Worker], progress: Progress, timeout: float = IMAGE_TIMEOUT) -> None:
    """Run all of ``workers`` at once.

    Args:
        progress: called with the number of finished images.
        timeout: seconds without a finished image after which a worker counts as hanging.

    Raises:
        InputError: a worker that crashed, hung, was killed or left images out; the others are ended.
    """
    running: list[subprocess.Popen] = []
    try:
        for worker in workers:
            with signals_held():
                running.append(worker.start())
        _watch(workers, running, progress, timeout)
    finally:
        for process in running:
            process.kill()
            process.wait()


def _watch(workers: Sequence[Worker], running: Sequence[subprocess.Popen], progress: Progress, timeout: float) -> None:
    seen = [(0, time.monotonic())] * len(workers)
    while True:
        states = [process.poll() for process in running]
        for index, worker in enumerate(workers):
            if states[index] is not None:
                worker.check(states[index])
                continue
            done = worker.done()
            if done != seen[index][0]:
                seen[index] = (done, time.monotonic())
            elif time.monotonic() - seen[index][1] > timeout:
                raise InputError(f"the C-simulation has not finished image {worker.first + done} within {timeout:g} s")
        progress(sum(worker.done() for worker in workers))
        if None not in states:
            return
        time.sleep(POLL_SECONDS)

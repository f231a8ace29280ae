"""The top level of a board compiled by g++: as its test bench, and as a process that packets are sent to."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hls_projects import AXI_TOP, PROJECT
from hls_projects.errors import InputError
from hls_projects.simulation.compiler import AXI_HEADER, BLOCKS_HEADER, Program
from hls_projects.simulation.native import NATIVE_TYPES

HERE = Path(__file__).parent
SOURCES = (f"firmware/{PROJECT}.cpp", f"firmware/{AXI_TOP}.cpp")
WEIGHTS = '-DWEIGHTS_DIR="firmware/weights"'
NATIVE_FOLDERS = (f"-I{NATIVE_TYPES}", f"-I{AXI_HEADER.parent}", "-Ifirmware")
THREADS = (
    "-DPIPELINE_PROCESS(...)=hls::start([&] { __VA_ARGS__; })",
    "-DFREE_RUNNING(...)=hls::start_free([&] { __VA_ARGS__; })",
)
# The test bench as Vitis HLS compiles it, one call after the other.
AXI_REFERENCE = Program(
    name=f"{AXI_TOP}_csim",
    sources=(f"{AXI_TOP}_test.cpp", *SOURCES),
    flags=("-O1", "-std=c++14", "-w", "-I.", "-Ifirmware/ap_types", "-Ifirmware", WEIGHTS),
)
# The test bench with the DMA, every process of the core and the reader of the results as threads.
AXI_BOUNDED = Program(
    name=f"{AXI_TOP}_csim_bounded",
    sources=(f"{AXI_TOP}_test.cpp", *SOURCES),
    flags=(
        *("-O1", "-std=c++17", "-w", "-pthread", *THREADS),
        *("-I.", f"-I{HERE / 'bounded_types'}", *NATIVE_FOLDERS, WEIGHTS),
    ),
)
AXI_SERVER = Program(
    name=f"{AXI_TOP}_server",
    sources=(str(HERE / "axi_server.cpp"), *SOURCES),
    flags=("-O1", "-std=c++17", "-w", "-I.", *NATIVE_FOLDERS, f"-I{BLOCKS_HEADER.parent}", WEIGHTS),
)
BEAT = np.dtype([("data", "<u8"), ("last", "u1")])
COUNT = np.dtype("<u4")
# Registers behind AXI4-Lite in the order of the top level's arguments; the control register is at 0.
COUNTERS = ("images_in", "images_out", "wrong_packets", "cycles", "starved", "backpressured")


@dataclass(frozen=True)
class BenchRun:
    """The output of the test bench of the top level.

    Args:
        status: its exit status; 5 after a deadlock of its threads.
        cases: by name, the numbers of packets, calls, images out and wrong packets.
    """

    status: int
    cases: Mapping[str, tuple[int, int, int, int]]
    text: str


def run_bench(project: Path, program: Program, depths: Path | None = None, timeout: float = 120.0) -> BenchRun:
    """Run the compiled test bench ``program`` in the folder ``project`` on the images in its ``tb_data``.

    Args:
        depths: file of the FIFOs' depths, for :data:`AXI_BOUNDED`.

    Raises:
        InputError: it takes longer than ``timeout`` seconds.
    """
    env = {**os.environ, **({"FIFO_DEPTHS": str(depths)} if depths else {})}
    try:
        run = subprocess.run(
            [str(program.path(project).resolve())],
            cwd=project, env=env, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise InputError(f"the test bench of {AXI_TOP} hangs: no end within {timeout:g} s") from error
    found = re.findall(
        r"^case (.+): (\d+) packets, (\d+) calls, (\d+) images out, (\d+) wrong$", run.stdout, re.MULTILINE
    )
    cases = {name: tuple(map(int, numbers)) for name, *numbers in found}
    return BenchRun(run.returncode, cases, run.stdout + run.stderr)


class AxiCore:
    """:data:`AXI_SERVER` of the HLS project in the folder ``project``: a core from its reset on."""

    def __init__(self, project: Path) -> None:
        program = AXI_SERVER.path(project).resolve()
        self._process = subprocess.Popen([str(program)], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.counters = dict.fromkeys(COUNTERS, 0)

    def send(self, data: bytes, *, last: bool = True) -> list[bytes]:
        """Send a packet, with TLAST on its last beat or without; returns the packets that come out.

        Raises:
            InputError: the core ended, or ``data`` is not a whole number of beats.
        """
        if not data or len(data) % 8:
            raise InputError(f"{len(data)} bytes are not a whole number of beats")
        beats = np.zeros(len(data) // 8, BEAT)
        beats["data"] = np.frombuffer(data, "<u8")
        beats["last"][-1] = last
        assert self._process.stdin
        self._process.stdin.write(COUNT.type(len(beats)).tobytes() + beats.tobytes())
        self._process.stdin.flush()
        results = self._read(BEAT, int(self._read(COUNT, 1)[0]))
        self.counters = dict(zip(COUNTERS, map(int, self._read(COUNT, len(COUNTERS))), strict=True))
        return _packets(results)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self, dtype: np.dtype, count: int) -> np.ndarray:
        assert self._process.stdout
        found = self._process.stdout.read(dtype.itemsize * count)
        if len(found) != dtype.itemsize * count:
            raise InputError(f"the top level ended with {self._process.wait()}")
        return np.frombuffer(found, dtype)


def _packets(beats: np.ndarray) -> Sequence[bytes]:
    ends = np.flatnonzero(beats["last"]) + 1
    if len(beats) and (not len(ends) or ends[-1] != len(beats)):
        raise InputError("a result has no TLAST")
    return [part["data"].tobytes() for part in np.split(beats, ends) if len(part)]

"""A complete model in Verilog, run by Verilator on whole images."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hls_projects.rtl.assembly import FILES, MEMORIES, Core
from hls_projects.rtl.bench import OPTIMISATION, STATE, TESTBENCH, TwinError, pack, run_tool, verilator
from hls_projects.templates import environment

COMPILE_TIMEOUT_S = 3600
RUN_TIMEOUT_S = 6 * 3600
# Cycles without a word at the core's ports after which a run ends: more than the latency of several images.
PATIENCE = 1_000_000
JOBS = 2
PREFIX = "Vtwin_bench"
VERILATE = ("--cc", "--exe", "--build", "-O3", "--x-assign", "fast", "--output-split", "20000", "-Wno-fatal")


@dataclass(frozen=True)
class Run:
    """Logits and cycles of images that went through a core.

    Args:
        logits: int64 codes, (images, classes).
        entered: cycle in which the first word of every image was taken, (images,).
        left: cycle in which the logits of every image went out, (images,).
        cycles, seconds: duration of the whole run.
    """

    logits: np.ndarray
    entered: np.ndarray
    left: np.ndarray
    cycles: int
    seconds: float

    def latency(self) -> int:
        """Cycles from the first word in to the logits out of the first image, both included."""
        return int(self.left[0] - self.entered[0]) + 1

    def interval(self) -> int:
        """Cycles between the logits of the last two images."""
        return int(self.left[-1] - self.left[-2])


@dataclass(frozen=True)
class Program:
    """A compiled core.

    Args:
        path: of the executable, in the folder that it was compiled in.
        memories: folder of its memories.
        seconds: duration of the compilation.
    """

    core: Core
    path: Path
    memories: Path
    seconds: float

    def run(self, images: np.ndarray, *, stalls: int = 0, patience: int = PATIENCE) -> Run:
        """Run the core on images, back to back.

        Args:
            images: uint8, (images, height, width, channels).
            stalls: seed of random gaps before words that go in and of random stalls of those that come out;
                0 for neither.
            patience: cycles without a word at the ports after which the run ends.

        Raises:
            TwinError: the core hangs.
        """
        words = pack(images.astype(np.int64), self.core.in_bits, self.core.in_elements)
        with tempfile.TemporaryDirectory(prefix="rtl-") as folder:
            work = Path(folder)
            (work / MEMORIES).symlink_to(self.memories.resolve())
            (work / "in.hex").write_text("".join(f"{word:x}\n" for word in words))
            start = time.monotonic()
            options = [f"+seed={stalls}", f"+patience={patience}", f"+expected={len(images)}"]
            said = run_tool([str(self.path.resolve()), *options], cwd=work, timeout_s=RUN_TIMEOUT_S)
            seconds = time.monotonic() - start
            taken = np.array((work / "in.log").read_text().split(), dtype=np.int64)
            out = [line.split() for line in (work / "out.log").read_text().splitlines()]
        if len(out) < len(images):
            raise TwinError(_hang(said, len(taken), len(words), len(out), len(images)))
        codes = [_unpack(int(word, 16), self.core) for _, word in out]
        left = np.array([int(cycle) for cycle, _ in out])
        cycles = int(said.rsplit("cycles", 1)[1].split()[0])
        return Run(np.array(codes), taken[:: len(words) // len(images)], left, cycles, seconds)


def compile_core(core: Core, folder: Path, work: Path) -> Program:
    """Compile the core that :func:`hls_projects.rtl.assembly.write_rtl` wrote to ``folder``.

    Args:
        work: folder for the files of Verilator and the compiler, the program among them.

    Raises:
        TwinError: what Verilator or the compiler says; there is none.
    """
    start = time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    (work / "core_bench.sv").write_text(_bench(core))
    for path in TESTBENCH.glob("bench_*.sv"):
        shutil.copy(path, work)
    sources = [str((folder / name).resolve()) for name in (folder / FILES).read_text().split()]
    options = ["--top-module", "twin_bench", "--prefix", PREFIX, "--Mdir", "made", "-j", str(JOBS), "-y", "."]
    flags = ["-CFLAGS", "-w", "-MAKEFLAGS", f"OPT_FAST={OPTIMISATION}"]
    command = [verilator(), *VERILATE, *options, *flags, "core_bench.sv", *sources, str(TESTBENCH / "main.cpp")]
    run_tool(command, cwd=work, timeout_s=COMPILE_TIMEOUT_S)
    return Program(core, work / "made" / PREFIX, folder / MEMORIES, time.monotonic() - start)


def lint(core: Core, folder: Path) -> None:
    """Check the folder of a core with ``verilator --lint-only -Wall``.

    Raises:
        TwinError: what it says.
    """
    run_tool([verilator(), "--lint-only", "-Wall", "--top-module", core.name, "-f", FILES], cwd=folder)


def _bench(core: Core) -> str:
    widths = {"in_width": core.in_elements * core.in_bits, "out_width": core.out_elements * core.out_bits}
    return environment(TESTBENCH).get_template("core_bench.sv.j2").render(module=core.name, **widths)


def _unpack(word: int, core: Core) -> list[int]:
    """Split a word into its codes, of which the first is lowest."""
    codes = [(word >> core.out_bits * index) & ((1 << core.out_bits) - 1) for index in range(core.out_elements)]
    wrap = 1 << core.out_bits
    return [code - wrap if core.out_signed and code >= wrap // 2 else code for code in codes]


def _hang(said: str, taken: int, words: int, left: int, images: int) -> str:
    states = {name: f"valid {valid}, ready {ready}" for name, valid, ready in STATE.findall(said)}
    if not states:
        return said.splitlines()[0]
    return f"hangs with in: {taken} of {words} words, {states['in']}, out: {left} of {images}, {states['out']}"

"""Compile the twin of an operator with Verilator and run it against the operator's numpy semantics."""

from __future__ import annotations

import atexit
import functools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hls_projects.operators import HardwareOperator
from hls_projects.simulation import compiler
from hls_projects.templates import environment
from hls_projects.verilog.twin import LIBRARY, Twin

TESTBENCH = Path(__file__).parent / "testbench"
# Cycles without a word on any stream after which a run ends; no stage works that long on one word.
PATIENCE = 20_000
TIMEOUT_S = 120
OPTIMISATION = "-O1"
STATE = re.compile(r"^state (\w+) ([01]) ([01])$", re.MULTILINE)


class TwinError(Exception):
    """A twin that does not compile, differs from its operator or hangs."""


@dataclass(frozen=True)
class Stream:
    """A stream of a twin.

    Args:
        name: prefix of its ports.
        width: bits of a word.
        words: bit patterns as non-negative integers, all images one after the other.
    """

    name: str
    width: int
    words: Sequence[int] = ()


@dataclass(frozen=True)
class Cycles:
    """The cycle in which every word moved, counted from the start of the simulation.

    Args:
        inputs: for every input stream (images, words).
        output: (images, words).
    """

    inputs: tuple[np.ndarray, ...]
    output: np.ndarray

    def from_first(self) -> np.ndarray:
        """Cycles of the output's words, counted from the first word that any input took."""
        return self.output - min(moved[0, 0] for moved in self.inputs)

    def interval(self) -> int:
        """Cycles between the last two images, last word to last word."""
        return int(self.output[-1, -1] - self.output[-2, -1])

    def latency(self) -> int:
        """Cycles from the first word in to the first word out."""
        return int(self.from_first()[0, 0])


def check_twin(operator: HardwareOperator, *cases: np.ndarray, stalls: int = 0, patience: int = PATIENCE) -> Cycles:
    """Run the operator's twin on images back to back and compare every word of its output with ``execute``.

    Args:
        cases: the codes of every input, each with the images on its first axis.
        stalls: seed of random gaps before the inputs and of random stalls of the output; 0 for none.
        patience: cycles without a word on any stream after which the run ends.

    Raises:
        TwinError: what Verilator says, warnings included; the first different word; a hang, with the
            streams that wait; a surplus word, or one that changes while it waits.
    """
    n_images = len(cases[0])
    several = len(cases) > 1
    inputs = [
        Stream(
            f"in{index}" if several else "in",
            operator.in_dtype(index).bitwidth() * operator.in_word(index),
            pack(codes, operator.in_dtype(index).bitwidth(), operator.in_word(index)),
        )
        for index, codes in enumerate(cases)
    ]
    bits, elements = operator.out_dtype.bitwidth(), operator.out_word()
    output = Stream("out", bits * elements, pack(operator.execute(*cases), bits, elements))
    folder = operator.verilog_folder()
    moved = run_twin(operator.twin(), inputs, output, folder=folder, stalls=stalls, patience=patience)
    *taken, sent = (np.array(cycles, dtype=np.int64).reshape(n_images, -1) for cycles in moved)
    return Cycles(tuple(taken), sent)


def pack(codes: np.ndarray, bits: int, elements: int = 1) -> list[int]:
    """Stream words of ``codes`` in C order: ``elements`` codes of ``bits`` bits a word, the first one lowest."""
    mask = (1 << bits) - 1
    rows = codes.reshape(-1, elements).tolist()
    return [sum((code & mask) << bits * index for index, code in enumerate(row)) for row in rows]


def run_twin(
    twin: Twin, inputs: Sequence[Stream], output: Stream, *, folder: Path, stalls: int = 0, patience: int = PATIENCE
) -> list[list[int]]:
    """Run a module on the words of ``inputs`` and compare what it writes with those of ``output``.

    Args:
        folder: of the module's file, unless the library has it.

    Returns:
        The cycles of all words: a list for every input, then one for the output.

    Raises:
        TwinError: as :func:`check_twin`.
    """
    program = _compiled(_render(twin, inputs, output), folder, _source(twin, folder).read_text())
    with tempfile.TemporaryDirectory(dir=_scratch()) as work:
        twin.write_memories(Path(work))
        for stream in inputs:
            (Path(work) / f"{stream.name}.hex").write_text("".join(f"{word:x}\n" for word in stream.words))
        options = [f"+seed={stalls}", f"+patience={patience}", f"+expected={len(output.words)}"]
        said = run_tool([str(program), *options], cwd=Path(work))
        moved = [list(map(int, (Path(work) / f"{stream.name}.log").read_text().split())) for stream in inputs]
        log = [line.split() for line in (Path(work) / "out.log").read_text().splitlines()]
    counts = [(stream.name, len(taken), len(stream.words)) for stream, taken in zip(inputs, moved, strict=True)]
    counts.append((output.name, len(log), len(output.words)))
    wrong = [*_first_difference([int(word, 16) for _, word in log], output.words), *_complaint(said, counts)]
    if wrong:
        raise TwinError("; ".join(wrong))
    return [*moved, [int(cycle) for cycle, _ in log]]


def _first_difference(got: Sequence[int], expected: Sequence[int]) -> Iterator[str]:
    """Name the first word that differs, if any."""
    for index, (word, right) in enumerate(zip(got, expected, strict=False)):
        if word != right:
            yield f"word {index} of {len(expected)} is {word:#x}, not {right:#x}"
            return


def _complaint(said: str, counts: Sequence[tuple[str, int, int]]) -> Iterator[str]:
    """Say what the bench complains about, or which streams wait at the end of a run with words missing."""
    states = {name: f"valid {valid}, ready {ready}" for name, valid, ready in STATE.findall(said)}
    if not states:
        yield said.splitlines()[0]
    elif any(moved < total for _, moved, total in counts):
        yield "hangs with " + ", ".join(
            f"{name}: {moved} of {total} words, {states[name]}" for name, moved, total in counts
        )


def _render(twin: Twin, inputs: Sequence[Stream], output: Stream) -> str:
    """The text of the bench around the twin; the files of its memories are in the folder in which it runs."""
    parameters = {**twin.parameters, **{name: f'"{path}"' for name, path in twin.files().items()}}
    streams = [{"name": stream.name, "width": stream.width} for stream in (*inputs, output)]
    return (
        environment(TESTBENCH)
        .get_template("twin_bench.sv.j2")
        .render(module=twin.module, parameters=parameters, inputs=streams[:-1], output=streams[-1])
    )


def _source(twin: Twin, folder: Path) -> Path:
    """The file of the twin's module."""
    path = folder / f"{twin.module}.sv"
    return path if path.exists() else LIBRARY / path.name


@functools.cache
def _compiled(bench: str, folder: Path, source: str) -> Path:
    """Compile a bench, once for each text of the bench and of the twin's module.

    Contents of memories and streams are read at run time.
    """
    work = Path(tempfile.mkdtemp(dir=_scratch()))
    (work / "twin_bench.sv").write_text(bench)
    libraries = [option for path in (folder, LIBRARY, TESTBENCH) for option in ("-y", str(path))]
    command = ["--cc", "-Wall", "--top-module", "twin_bench", "--Mdir", ".", "-O3", "--x-assign", "unique"]
    run_tool([verilator(), *command, *libraries, "twin_bench.sv"], cwd=work)
    sources = sorted(path.name for path in work.glob("V*.cpp"))
    (work / "all.cpp").write_text("".join(f'#include "{name}"\n' for name in (*sources, TESTBENCH / "main.cpp")))
    flags, runtime = _runtime()
    run_tool([*_cpp(), *flags, "-I.", "all.cpp", *map(str, runtime), "-o", "bench"], cwd=work)
    return work / "bench"


@functools.cache
def _runtime() -> tuple[tuple[str, ...], tuple[Path, ...]]:
    """Compile Verilator's own library, once: flags for its precompiled header, and its objects."""
    include = Path(run_tool([verilator(), "--getenv", "VERILATOR_ROOT"]).strip()) / "include"
    header = _scratch() / "runtime.h"
    header.write_text('#include "verilated.h"\n')
    flags = (f"-isystem{include}", f"-isystem{include / 'vltstd'}")
    run_tool([*_cpp(), *flags, "-x", "c++-header", str(header), "-o", f"{header}.gch"])
    objects = tuple(_scratch() / f"{name}.o" for name in ("verilated", "verilated_threads"))
    for path in objects:
        # The last -O counts: the library compiles without optimisation, which would take longer than it saves.
        run_tool([*_cpp(), "-O0", *flags, "-c", str(include / f"{path.stem}.cpp"), "-o", str(path)])
    return ("-include", str(header), *flags), objects


def _cpp() -> list[str]:
    return [compiler(), "-std=c++17", OPTIMISATION, "-w", "-pthread"]


def verilator() -> str:
    """Find Verilator on the path.

    Raises:
        TwinError: there is none.
    """
    found = shutil.which("verilator")
    if found is None:
        raise TwinError("no verilator on the path; install it (Debian and Ubuntu: apt-get install verilator)")
    return found


def run_tool(command: Iterable[str], cwd: Path | None = None, *, timeout_s: float = TIMEOUT_S) -> str:
    """Run a command and return its output.

    Raises:
        TwinError: it fails, or takes too long.
    """
    command = list(command)
    try:
        run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise TwinError(f"{Path(command[0]).name} is not done after {timeout_s:g} s") from error
    if run.returncode:
        name = Path(command[0]).name
        raise TwinError(f"{name} ended with {run.returncode}: {(run.stderr or run.stdout)[:4000].strip()}")
    return run.stdout


@functools.cache
def _scratch() -> Path:
    """A temporary folder that is deleted when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="twin_bench_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder

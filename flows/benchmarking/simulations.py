"""The simulations that the benchmark compares, each of them timed from outside."""

from __future__ import annotations

import contextlib
import io
import resource
import shutil
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import hls4ml
import numpy as np
from hls4ml.model.graph import ModelGraph

from flows.benchmarking.mlp import PRECISIONS, Mlp, vectors
from hls_projects.errors import InputError
from hls_projects.project.conversion import BACKEND, convert
from hls_projects.signals import signals_held
from hls_projects.simulation import NATIVE, REFERENCE, Program, compile_programs
from hls_projects.simulation.native import native_worker, read_codes
from hls_projects.simulation.processes import Worker
from hls_projects.simulation.reference import read_log, reference_worker
from hls_projects.targets import Target

DISTINCT_VECTORS = 1024


@dataclass(frozen=True)
class Took:
    """Seconds by the clock on the wall, and of processor time, which other programs disturb less."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Took:
        """Clocks of this process and of its children that have ended."""
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(time.perf_counter(), time.process_time() + children.ru_utime + children.ru_stime)

    def __sub__(self, other: Took) -> Took:
        return Took(self.wall - other.wall, self.cpu - other.cpu)

    def __mul__(self, factor: float) -> Took:
        return Took(self.wall * factor, self.cpu * factor)


@dataclass
class Inputs:
    """Vectors of any number, which repeat, and what the network makes of them."""

    distinct: np.ndarray
    expected: np.ndarray

    @classmethod
    def of(cls, mlp: Mlp) -> Inputs:
        x = vectors(len(mlp.weights[0]), DISTINCT_VECTORS)
        return cls(x, mlp.execute(x))

    def first(self, count: int) -> np.ndarray:
        return self.distinct[np.arange(count) % len(self.distinct)]

    def mismatches(self, outputs: np.ndarray) -> int:
        return int((outputs != self.expected[np.arange(len(outputs)) % len(self.distinct)]).sum())


class Simulation(ABC):
    """A simulator of the network."""

    title: str

    @abstractmethod
    def compile(self) -> None:
        """Make it ready to run."""

    @abstractmethod
    def run(self, inputs: Inputs, count: int, copies: int = 1) -> tuple[Took, list[np.ndarray]]:
        """Simulate the first ``count`` vectors, ``copies`` times side by side; outputs of each."""


class Stock(Simulation):
    """hls4ml as it is released, in the process of this command."""

    title = f"stock hls4ml {hls4ml.__version__}"

    def __init__(self, mlp: Mlp, target: Target, folder: Path) -> None:
        self.outputs = mlp.weights[-1].shape[1]
        with _quiet():
            self.graph = convert_stock(mlp, target, folder)
            self.graph.write()

    def compile(self) -> None:
        try:
            with _quiet():
                self.graph.compile()
        except Exception as error:  # hls4ml raises nothing narrower
            raise InputError(f"stock hls4ml cannot compile the network: {error}") from error

    def run(self, inputs: Inputs, count: int, copies: int = 1) -> tuple[Took, list[np.ndarray]]:
        if copies != 1:
            raise ValueError("stock hls4ml simulates in one process")
        x = inputs.first(count).astype(np.float64)
        started = Took.now()
        outputs = self.graph.predict(x)
        took = Took.now() - started
        return took, [outputs.reshape(count, self.outputs)]


class Ours(Simulation):
    """A program of the project that the flow of this repository made."""

    program: Program

    def __init__(self, mlp: Mlp, project: Path, work: Path) -> None:
        self.outputs, self.project, self.work = mlp.weights[-1].shape[1], project, work

    def compile(self) -> None:
        compile_programs(self.project, [self.program])

    def run(self, inputs: Inputs, count: int, copies: int = 1) -> tuple[Took, list[np.ndarray]]:
        workers = [self.worker(self._folder(copy), inputs.first(count)) for copy in range(copies)]
        took = timed(workers)
        return took, [self.read(worker.logs) for worker in workers]

    @abstractmethod
    def worker(self, folder: Path, x: np.ndarray) -> Worker:
        """A process that simulates ``x`` and leaves the results in ``folder``."""

    @abstractmethod
    def read(self, folder: Path) -> np.ndarray:
        """Results of a worker, (N, n_out)."""

    def _folder(self, copy: int) -> Path:
        folder = self.work / f"{self.program.name}{copy}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


class Reference(Ours):
    title = "potstream, reference (ap_types)"
    program = REFERENCE

    def worker(self, folder: Path, x: np.ndarray) -> Worker:
        return reference_worker(self.project, folder, x, np.zeros((len(x), self.outputs)), 0)

    def read(self, folder: Path) -> np.ndarray:
        return read_log(folder)


class Native(Ours):
    title = "potstream, fast (native integers)"
    program = NATIVE

    def worker(self, folder: Path, x: np.ndarray) -> Worker:
        x.tofile(folder / "vectors.bin")
        part = np.arange(len(x))
        return native_worker(self.project, folder, "native", folder / "vectors.bin", x[0].nbytes, part, self.outputs)

    def read(self, folder: Path) -> np.ndarray:
        return read_codes(folder, "native", self.outputs)


def make_simulations(mlp: Mlp, target: Target, work: Path) -> list[Simulation]:
    """Stock hls4ml first; the others share a project."""
    stock = Stock(mlp, target, work / "stock")
    mlp.lowered().save(str(work / "lowered.onnx"))
    convert(work / "lowered.onnx", target, work / "hls")
    return [stock, *(ours(mlp, work / "hls", work) for ours in (Reference, Native))]


def convert_stock(mlp: Mlp, target: Target, folder: Path) -> ModelGraph:
    """The network as a project of stock hls4ml, with the precisions that it infers for itself but for three."""
    model = mlp.qonnx()
    config = hls4ml.utils.config_from_onnx_model(model, granularity="name", backend=BACKEND)
    for name, layer in config["LayerName"].items():
        layer["Precision"] |= PRECISIONS.get(name.rstrip("0123456789"), {})
    return hls4ml.converters.convert_from_onnx_model(
        model,
        hls_config=config,
        output_dir=str(folder),
        project_name="stock",
        backend=BACKEND,
        io_type="io_stream",
        part=target.part,
        clock_period=target.clock_period_ns,
        writer_config={"WriteTar": False},
    )


def timed(workers: Sequence[Worker]) -> Took:
    """Time until all of ``workers``, started at once, have ended.

    Raises:
        InputError: one that crashed or left vectors out.
    """
    running = []
    try:
        started = Took.now()
        for worker in workers:
            with signals_held():
                running.append(worker.start())
        states = [process.wait() for process in running]
        took = Took.now() - started
    finally:
        for process in running:
            process.kill()
            process.wait()
    for worker, state in zip(workers, states, strict=True):
        worker.check(state)
    return took


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """hls4ml prints its progress; errors still raise."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

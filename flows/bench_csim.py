"""Measure what a multiply-accumulate costs in C-simulation: stock hls4ml and the two simulations of this project.

    python flows/bench_csim.py

One network, a multilayer perceptron of power-of-two weights that stock hls4ml can compile too, is
simulated by stock hls4ml (its kernels, its compile() and predict(), in io_stream on the Vitis
backend), by the reference and by the fast simulation, each in one process of one thread. Time to
start and to read weights is taken off: the time of one vector is subtracted from that of many.
Every output is compared with the network's definition.

Exit status: 0; 1 when an output differs; 2 when something that it was given cannot be used.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from flows.benchmarking.mlp import Mlp
from flows.benchmarking.simulations import Inputs, Ours, Simulation, Took, make_simulations
from flows.building.provenance import commit, versions
from flows.command_line import INTERRUPTED, CommandParser
from flows.reporting.formatting import count, fixed, plain, plural
from flows.reporting.text_table import text_table
from hls_projects.simulation import SimulationError, compiler
from hls_projects.targets import load_target

TARGET = "pynq-z2"
MOST_WEIGHTS = 1 << 18  # of a layer; stock hls4ml has that many products on the stack
MOST_VECTORS = 1 << 18
# Of the file that --json writes.
SCHEMA_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options; see ``--help``."""

    sizes: tuple[int, ...]
    runs: int
    seconds: float
    json: Path | None


@dataclass
class Row:
    """A line of the table.

    Args:
        vectors: of each run.
        ns, cpu_ns: a multiply-accumulate in each run, by both clocks of :class:`Took`.
        all_cores_ns: the same with one process a core; None where it was not measured.
        mismatched: outputs that differ from the network's definition, of all runs together.
    """

    title: str
    compile_seconds: float
    vectors: int = 0
    ns: list[float] = field(default_factory=list)
    cpu_ns: list[float] = field(default_factory=list)
    all_cores_ns: float | None = None
    mismatched: int = 0

    def facts(self, stock: Row) -> dict[str, Any]:
        """The row in the JSON file; a ratio says how many times cheaper than ``stock`` at least and at most."""
        more = {"ns_min": min(self.ns), "ns_max": max(self.ns)}
        if self is not stock:
            more |= {"ratio": _ratio(stock.ns, self.ns), "cpu_ratio": _ratio(stock.cpu_ns, self.cpu_ns)}
        return vars(self) | more


def _ratio(stock: Sequence[float], ours: Sequence[float]) -> list[float]:
    return [min(stock) / max(ours), max(stock) / min(ours)]


class Bench:
    """Costs of the simulations of one network."""

    def __init__(self, mlp: Mlp) -> None:
        self.macs, self.inputs = mlp.macs, Inputs.of(mlp)

    def calibrate(self, simulation: Simulation, row: Row, seconds: float) -> None:
        """Choose the number of vectors whose simulation takes about ``seconds``.

        Every count is tried twice, since one slow start would end the search too early.
        """
        count = 4
        while (took := self._quickest(simulation, row, count)) < seconds / 4 and count < MOST_VECTORS:
            count *= 4
        row.vectors = min(max(math.ceil(count * seconds / max(took, 1e-6)), 1), MOST_VECTORS)

    def measure(self, simulation: Simulation, row: Row, copies: int = 1) -> Took:
        """Nanoseconds a multiply-accumulate, all copies together."""
        return self._time(simulation, row, row.vectors, copies) * (1e9 / (row.vectors * copies * self.macs))

    def _quickest(self, simulation: Simulation, row: Row, count: int) -> float:
        return min(self._time(simulation, row, count).wall for _ in range(2))

    def _time(self, simulation: Simulation, row: Row, count: int, copies: int = 1) -> Took:
        """Time of ``count`` vectors, without the start and the reading of weights."""
        start = self._run(simulation, row, 1, copies)
        return self._run(simulation, row, 1 + count, copies) - start

    def _run(self, simulation: Simulation, row: Row, count: int, copies: int) -> Took:
        took, outputs = simulation.run(self.inputs, count, copies)
        row.mismatched += sum(map(self.inputs.mismatches, outputs))
        return took


def run(settings: Settings) -> int:
    compiler()
    with tempfile.TemporaryDirectory(prefix="bench_csim.") as work:
        facts = bench(settings, Path(work).resolve())
    print(as_text(facts))
    if settings.json:
        settings.json.write_text(json.dumps(facts, indent=2) + "\n")
    return 0 if facts["matches"] else 1


def bench(settings: Settings, work: Path) -> dict[str, Any]:
    """Compile and measure every simulation; returns the facts of the table."""
    mlp, load = Mlp.random(settings.sizes), os.getloadavg()[0]
    simulations = make_simulations(mlp, load_target(TARGET), work)
    print("[compile]", flush=True)
    rows = [compiled(simulation, work / "cache") for simulation in simulations]
    runner = Bench(mlp)
    print("[calibrate]", flush=True)
    for simulation, row in zip(simulations, rows, strict=True):
        runner.calibrate(simulation, row, settings.seconds)
    for number in range(settings.runs):
        print(f"[run {number + 1} of {settings.runs}]", flush=True)
        for simulation, row in zip(simulations, rows, strict=True):
            cost = runner.measure(simulation, row)
            row.ns.append(cost.wall)
            row.cpu_ns.append(cost.cpu)
    print("[all cores]", flush=True)
    cores = os.cpu_count() or 1
    for simulation, row in zip(simulations, rows, strict=True):
        if isinstance(simulation, Ours):
            row.all_cores_ns = runner.measure(simulation, row, cores).wall
    return {
        "schema_version": SCHEMA_VERSION,
        "sizes": list(settings.sizes),
        "macs": mlp.macs,
        "runs": settings.runs,
        "cores": cores,
        "load": [round(load, 2), round(os.getloadavg()[0], 2)],
        "matches": not any(row.mismatched for row in rows),
        "simulations": [row.facts(rows[0]) for row in rows],
        "commit": commit(),
        "versions": versions(),
    }


def compiled(simulation: Simulation, cache: Path) -> Row:
    with _cache_in(cache):
        started = time.perf_counter()
        simulation.compile()
        return Row(simulation.title, time.perf_counter() - started)


def as_text(facts: dict[str, Any]) -> str:
    """The table, the cost with all cores, and whether outputs match."""
    load = " to ".join(f"{value:.1f}" for value in facts["load"])
    header = ("simulation", "vectors", "ns/MAC, min", "ns/MAC, max", "ratio to stock", "compile, s")
    lines = [
        f"network {'-'.join(map(str, facts['sizes']))}, {count(facts['macs'])} multiply-accumulates per vector; "
        f"{plural(facts['runs'], 'run')} of one process each; load {load}",
        "",
        text_table(header, map(_cells, facts["simulations"])),
        "",
    ]
    for row in facts["simulations"][1:]:
        lines.append(
            f"{row['title']}: {row['all_cores_ns']:.3f} ns with a process on each of {facts['cores']} cores; "
            "ratio by processor time {:.1f} .. {:.1f}".format(*row["cpu_ratio"])
        )
    found = "every one matches" if facts["matches"] else ", ".join(
        f"{row['mismatched']} differ in {row['title']}" for row in facts["simulations"] if row["mismatched"]
    )  # fmt: skip
    return plain("\n".join([*lines, f"outputs of all simulations: {found}"]))


def _cells(row: dict[str, Any]) -> tuple[str | None, ...]:
    ratio = "{:.1f} .. {:.1f}".format(*row["ratio"]) if "ratio" in row else "1"
    costs = fixed(row["ns_min"], 3), fixed(row["ns_max"], 3)
    return row["title"], count(row["vectors"]), *costs, ratio, fixed(row["compile_seconds"], 1)


@contextlib.contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    """Compile anew, so that there is a compile time to report."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before


def parse_settings(argv: list[str] | None) -> Settings:
    parser = CommandParser("bench_csim", __doc__)
    parser.add_argument(
        "--sizes", type=_sizes, default=(256, 256, 256, 10), help="of the layers (default: 256,256,256,10)"
    )
    parser.add_argument("--runs", type=_runs, default=3, help="runs of each simulation, interleaved (default: 3)")
    parser.add_argument("--seconds", type=_seconds, default=3.0, help="that a run takes, about (default: 3)")
    parser.add_argument("--json", type=_file, help="write the figures to this file too")
    return Settings(**vars(parser.parse_args(argv)))


def _sizes(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) < 2 or not all(part.isdecimal() and int(part) >= 2 for part in parts):
        raise argparse.ArgumentTypeError(f"must be two or more whole numbers of at least 2, as in 8,8,4, not {text!r}")
    sizes = tuple(map(int, parts))
    if max(a * b for a, b in pairwise(sizes)) > MOST_WEIGHTS:
        raise argparse.ArgumentTypeError(f"a layer may have {MOST_WEIGHTS:,} weights at most, which {text!r} exceeds")
    return sizes


def _runs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number, not {text!r}")
    return seconds


def _file(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"no folder {path.parent} to write in")
    return path


def main(argv: list[str] | None = None) -> int:
    settings = parse_settings(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(settings)
    except (SimulationError, OSError) as error:
        print(f"bench_csim: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench_csim: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())

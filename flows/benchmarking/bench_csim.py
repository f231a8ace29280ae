"""What a multiply-accumulate costs in each simulation, measured in turns."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.benchmarking.mlp import Mlp
from flows.benchmarking.simulations import Inputs, Ours, Simulation, Took, make_simulations
from flows.building.provenance import commit, versions
from flows.command_line import Status
from flows.reporting.formatting import count, fixed, plain, plural
from flows.reporting.text_table import text_table
from hls_projects.files import write_whole
from hls_projects.simulation import compiler
from hls_projects.targets import load_target

TARGET = "pynq-z2"
MOST_VECTORS = 1 << 18
# Of the file that --json writes.
SCHEMA_VERSION = 2


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
        """What ``count`` vectors take, without start and weights."""
        start = self._run(simulation, row, 1, copies)
        return self._run(simulation, row, 1 + count, copies) - start

    def _run(self, simulation: Simulation, row: Row, count: int, copies: int) -> Took:
        took, outputs = simulation.run(self.inputs, count, copies)
        row.mismatched += sum(map(self.inputs.mismatches, outputs))
        return took


def bench_csim(args: argparse.Namespace) -> Status:
    """Compile and measure every simulation, and print and write the table."""
    compiler()  # without one, it is reported before the work
    with tempfile.TemporaryDirectory(prefix="bench_csim.") as work:
        facts = bench(args, Path(work).resolve())
    print(as_text(facts))
    if args.json:
        write_whole(args.json, json.dumps(facts, indent=2) + "\n")
    return Status.OK if facts["matches"] else Status.DIFFERS


def bench(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """The facts of the table."""
    mlp, load = Mlp.random(args.sizes), os.getloadavg()[0]
    simulations = make_simulations(mlp, load_target(TARGET), work)
    print("[compile]", flush=True)
    rows = [compiled(simulation, work / "cache") for simulation in simulations]
    runner = Bench(mlp)
    print("[calibrate]", flush=True)
    for simulation, row in zip(simulations, rows, strict=True):
        runner.calibrate(simulation, row, args.seconds)
    for number in range(args.runs):
        print(f"[run {number + 1} of {args.runs}]", flush=True)
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
        "sizes": list(args.sizes),
        "macs": mlp.macs,
        "runs": args.runs,
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
    """Have no cached program, so that there is a time to measure."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before

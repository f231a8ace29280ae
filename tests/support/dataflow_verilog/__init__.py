"""Networks of processes and FIFOs in Verilog, run by Verilator: the model that the simulation in Python must match."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hls_projects.dataflow.simulation import Trace
from hls_projects.templates import environment
from tests.support.instructions import instructions

RTL = Path(__file__).parent
MARGIN = 50
MAX_PORTS = 32
MAX_LATENCY = 8
Events = dict[str, np.ndarray]


class VerilatorError(Exception):
    """Verilator is missing or rejects the networks."""


def run_verilog(traces: Sequence[Trace], work: Path) -> list[tuple[Events, Events]]:
    """Simulate the networks of ``traces`` once more, all in one program.

    Args:
        traces: networks with bounded FIFOs; of their cycles only the last ones count, which bound the run.
        work: folder for sources and program.

    Returns:
        For every network the cycles of the writes and of the reads, by FIFO.

    Raises:
        VerilatorError: no verilator on the path, or what it says.
    """
    verilator = shutil.which("verilator")
    if verilator is None:
        raise VerilatorError("no verilator on the path; install it (Debian and Ubuntu: apt-get install verilator)")
    work.mkdir(parents=True, exist_ok=True)
    numbers = {
        (index, fifo.name): number
        for number, (index, fifo) in enumerate((i, f) for i, trace in enumerate(traces) for f in trace.network.fifos)
    }
    code: list[int] = []
    networks = [_network(index, trace, numbers, code) for index, trace in enumerate(traces)]
    (work / "networks.v").write_text(_render(traces, networks, len(code)))
    (work / "programs.hex").write_text("".join(f"{word:x}\n" for word in code))
    options = ["--binary", "--timescale", "1ns/1ns", "-Wno-WIDTH", "-CFLAGS", "-O0", "--top-module", "networks"]
    _run([verilator, *options, str(RTL / "fifo.v"), str(RTL / "process.v"), "networks.v"], work)
    events: dict[tuple[int, str], list[int]] = {}
    for line in _run([str(work.resolve() / "obj_dir" / "Vnetworks")], work).splitlines():
        if line.count(" ") == 2:
            number, kind, cycle = line.split()
            events.setdefault((int(number), kind), []).append(int(cycle))

    def cycles(index: int, kind: str) -> Events:
        names = (fifo.name for fifo in traces[index].network.fifos)
        return {name: np.array(events.get((numbers[index, name], kind), []), dtype=np.int64) for name in names}

    return [(cycles(index, "w"), cycles(index, "r")) for index in range(len(traces))]


def _run(command: list[str], work: Path) -> str:
    run = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if run.returncode:
        raise VerilatorError(f"{Path(command[0]).name} ended with {run.returncode}: {run.stderr[-2000:].strip()}")
    return run.stdout


def _render(traces: Sequence[Trace], networks: list[dict[str, Any]], code_words: int) -> str:
    horizon = max(0, *(trace.last for trace in traces)) + max(map(_longest_wait, traces)) + MARGIN
    template = environment(RTL).get_template("networks.v.j2")
    return template.render(networks=networks, horizon=horizon, code_words=code_words)


def _longest_wait(trace: Trace) -> int:
    waits = (
        (*(i.delay for i in found), rest) for found, rest in (instructions(p.program) for p in trace.network.processes)
    )
    return max(max(cycles) for cycles in waits)


def _network(index: int, trace: Trace, numbers: dict[tuple[int, str], int], code: list[int]) -> dict[str, Any]:
    """Values for the template of one network, whose programs are appended to ``code``."""
    wires = {fifo.name: f"fifo{numbers[index, fifo.name]}" for fifo in trace.network.fifos}
    slow = next((fifo.name for fifo in trace.network.fifos if fifo.latency > MAX_LATENCY), None)
    if slow:
        raise VerilatorError(f"FIFO {slow} has a latency above {MAX_LATENCY}, the most in Verilog")
    fifos = [
        {
            "wire": wires[f.name],
            "id": numbers[index, f.name],
            "depth": depth,
            "latency": f.latency_at(depth),
            "together": 1 - f.reuse_delay(depth),
        }
        for f, depth in ((f, f.depth(trace.depths)) for f in trace.network.fifos)
    ]
    processes = []
    for number, process in enumerate(trace.network.processes):
        found, rest = instructions(process.program)
        ports = list(process.words)
        if len(ports) > MAX_PORTS:
            raise VerilatorError(f"process {process.name} has {len(ports)} ports; in Verilog it may have {MAX_PORTS}")
        processes.append(
            {
                "name": f"process{index}_{number}",
                "ports": [{"wire": wires[name], "is_write": writes} for name, writes in ports],
                "offset": len(code),
                "length": len(found),
                "rest": rest,
            }
        )
        code += [(i.delay << MAX_PORTS) | sum(1 << ports.index(end) for end in i.ends) for i in found]
    return {"fifos": fifos, "processes": processes, "images": trace.images}

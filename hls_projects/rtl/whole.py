"""Resources of a complete model in Verilog: those of its parts, each synthesised once, beside the cost model's."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict

from hls_projects import cost
from hls_projects.calibration.grid import Design
from hls_projects.calibration.table import digest
from hls_projects.errors import InputError
from hls_projects.files import cache_folder, parse_json, read_text, write_whole
from hls_projects.rtl.assembly import Assembly
from hls_projects.rtl.synthesis import Resources, synthesise
from hls_projects.verilog.sources import sources
from hls_projects.verilog.twin import LIBRARY, Twin


def designs(assembly: Assembly) -> dict[str, Design]:
    """Every operator, fork, and FIFO that is more than wires, by its name in the top module."""
    found = {instance.name: Design.of(instance.operator) for instance in assembly.instances}
    for fork in assembly.forks:
        sizes = {"WIDTH": fork.width, "COPIES": len(fork.copies)}
        demand = cost.clone_demand(len(fork.copies), fork.width)
        found[fork.name] = Design(demand, Twin("stream_fork", sizes), LIBRARY)
    for fifo in (fifo for fifo in assembly.fifos if fifo.depth > 1):
        sizes = {"WIDTH": fifo.width, "DEPTH": fifo.depth}
        found[fifo.name] = Design(cost.fifo_demand(fifo.width, fifo.depth), Twin("fifo", sizes), LIBRARY)
    return found


def synthesised(
    parts: Mapping[str, Design], jobs: int = 1, progress: Callable[[int, int], None] = lambda done, all: None
) -> dict[str, Resources]:
    """What Yosys makes of every part, by name; of equal ones once, and from a cache what was asked for before.

    Args:
        jobs: syntheses at a time.
        progress: is told how many of how many different parts are done.

    Raises:
        InputError: Yosys is missing or refuses a part.
    """
    keys = {name: digest(design) for name, design in parts.items()}
    different = {keys[name]: design for name, design in parts.items()}
    found = {}
    with ThreadPoolExecutor(max(jobs, 1)) as pool:
        running = {pool.submit(_cached, key, design): key for key, design in different.items()}
        try:
            for count, done in enumerate(as_completed(running), 1):
                found[running[done]] = done.result()
                progress(count, len(different))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return {name: found[key] for name, key in keys.items()}


def estimated(design: Design) -> cost.Resources:
    """What the cost model says.

    Raises:
        InputError: the part was not calibrated.
    """
    return cost.resources(design.demand)


def as_cost(measured: Resources) -> cost.Resources:
    """In the cost model's terms."""
    return cost.Resources(measured.lut, measured.ff, measured.bram36, measured.dsp)


def _cached(key: str, design: Design) -> Resources:
    digest_with_tool = hashlib.sha256(f"{key} {_version()}".encode()).hexdigest()[:32]
    cached = cache_folder("synthesis", f"{digest_with_tool}.json")
    # One that is missing or damaged is made again.
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Resources(**parse_json(read_text(cached)))
    twin = design.twin
    measured = synthesise(twin.module, twin.parameters, sources(twin.module, design.folder), twin.memories)
    write_whole(cached, json.dumps(asdict(measured)))
    return measured


@functools.cache
def _version() -> str:
    yosys = shutil.which("yosys")
    if yosys is None:
        raise InputError("no yosys on the path; install it (Debian and Ubuntu: apt-get install yosys)")
    return subprocess.run([yosys, "-V"], capture_output=True, text=True, check=False).stdout.strip()

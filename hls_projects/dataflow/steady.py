"""Simulations at a steady pace: of as many images as show it, and with sources that keep it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hls_projects.dataflow.network import Fifo, Network, Process
from hls_projects.dataflow.program import Program, Read, Repeat, Wait, Write, accompanied, cycles_with_words
from hls_projects.dataflow.simulation import Trace, simulate

FEWEST_IMAGES = 4
LAST_IMAGES = 5
MOST_IMAGES = 64
NO_BOUND = 1 << 40


def settled(network: Network, depths: Mapping[str, int | None], *, record: bool = False) -> Trace:
    """A simulation of as many images as it takes until the interval stays the same, or of one that stands still.

    That is not before the pipeline is full and no process is slower than images leave, and after at
    most :data:`MOST_IMAGES`.
    """
    images = FEWEST_IMAGES
    while True:
        trace = simulate(network, depths, images, record=False)
        if trace.deadlock or images >= MOST_IMAGES:
            break
        ends, full = trace.completions(), in_flight(trace) + LAST_IMAGES
        same = images >= full and abs((ends[-1] - ends[-3]) - (ends[-3] - ends[-5])) <= 1
        if same and trace.interval() + 1 >= trace.slowest():
            break
        images = min(MOST_IMAGES, full if images < full else 2 * images)
    return simulate(network, depths, images) if record else trace


def in_flight(trace: Trace) -> int:
    """How many images are in the pipeline at a time, as a whole number."""
    return trace.latency() // trace.interval()


def paced(network: Network, interval: int) -> Network:
    """``network`` with sources whose words come evenly, an image in ``interval`` cycles.

    What is late for a full FIFO may catch up: a source waits for the tokens of a process that waits for nobody.
    """
    processes, fifos = [], list(network.fifos)
    for process in network.processes:
        if process.is_source:
            pace = Fifo(f"{process.name}.pace", 0, NO_BOUND)
            count = cycles_with_words(process.program)
            each, rest = divmod(max(interval - count, 0), count)
            processes.append(Process(f"{process.name}.pacer", "pacer", _pace(pace.name, count, each, rest)))
            process = replace(process, program=accompanied(process.program, Read(pace.name)))
            fifos.append(pace)
        processes.append(process)
    return Network(tuple(processes), tuple(fifos))


def _pace(fifo: str, count: int, each: int, rest: int) -> Program:
    return (Repeat(count, (Write(fifo), Wait(each))), Wait(rest))

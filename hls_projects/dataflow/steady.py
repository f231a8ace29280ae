"""Steady state: simulations of as many images as it takes to reach it, and sources that send at its pace."""

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
    """A simulation of as many images as it takes until the interval stays the same, or of a deadlock.

    The interval can stay the same only after the pipeline is full and no process is slower than images leave; after
    :data:`MOST_IMAGES` the simulation ends in any case.
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
    """Number of images in the pipeline at a time, rounded down."""
    return trace.latency() // trace.interval()


def paced(network: Network, interval: int) -> Network:
    """``network`` with sources that spread their words evenly, an image every ``interval`` cycles.

    A source that was late because of a full FIFO catches up: it waits for tokens of a pacer, which never waits.
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
    """``count`` tokens to ``fifo`` with ``each`` cycles after each, and ``rest`` cycles after the last."""
    return (Repeat(count, (Write(fifo), Wait(each))), Wait(rest))

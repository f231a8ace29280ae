"""The smallest FIFOs: those without which the pipeline stands, and those that cost no throughput.

Whether a network with bounded FIFOs stands still does not depend on when its source sends (Kahn 1974;
Parks, "Bounded scheduling of process networks", 1995), so one picture decides; and more depth never
does harm, so a bisection finds what a FIFO needs.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from hls_projects.dataflow.deadlock import circle
from hls_projects.dataflow.network import Network, NetworkError
from hls_projects.dataflow.simulation import simulate

PICTURES = 4
CURVE_POINTS = 9
Depths = dict[str, int]


@dataclass(frozen=True)
class Point:
    """A choice of depths and what it gives: cycles, and bits of all FIFOs."""

    depths: Depths
    storage_bits: int
    interval_cycles: int
    latency_cycles: int


@dataclass(frozen=True)
class Sizing:
    """The smallest depths without deadlock, those without loss of throughput, and points between them."""

    smallest: Point
    lossless: Point
    curve: tuple[Point, ...]


def size_fifos(network: Network) -> Sizing:
    """Size the FIFOs of ``network``.

    No single FIFO of ``smallest`` can be made smaller, and none of ``lossless`` that is above its
    depth in ``smallest``.
    """
    smallest = without_deadlock(network)
    lossless = without_loss(network, smallest)
    steps = CURVE_POINTS - 1
    between = [
        {name: low + round((lossless[name] - low) * step / steps) for name, low in smallest.items()}
        for step in range(CURVE_POINTS)
    ]
    curve = tuple(measure(network, depths) for depths in between)
    return Sizing(curve[0], curve[-1], curve)


def measure(network: Network, depths: Depths) -> Point:
    trace = simulate(network, depths, PICTURES)
    return Point(depths, network.storage_bits(depths), trace.interval(), trace.latency())


def without_deadlock(network: Network) -> Depths:
    """Smallest depths that let a picture through."""
    depths = {fifo.name: 1 for fifo in network.sizable}
    while (trace := simulate(network, depths, 1)).deadlock:
        waits = circle(trace)
        growing = [
            wait.fifo
            for wait in waits
            if wait.cause == "full" and depths.get(wait.fifo, math.inf) < network.words[wait.fifo]
        ]
        if not growing:
            raise NetworkError(f"no depth frees the circle of {', '.join(wait.process for wait in waits)}")
        # A whole picture is as good as no bound; what is too much goes again.
        depths |= {name: network.words[name] for name in growing}
    return shrink(network, depths, {}, lambda chosen: not simulate(network, chosen, 1).deadlock)


def without_loss(network: Network, smallest: Depths) -> Depths:
    """Smallest depths with the interval that whole pictures in every FIFO give."""
    generous = {fifo.name: 2 * network.words[fifo.name] for fifo in network.sizable}
    used = simulate(network, generous, PICTURES)
    best = used.interval()
    start = {name: max(used.slots(name), smallest[name]) for name in generous}
    return shrink(network, start, smallest, lambda chosen: measure(network, chosen).interval_cycles <= best)


def shrink(network: Network, depths: Depths, floor: Depths, fine: Callable[[Depths], bool]) -> Depths:
    """Make FIFOs smaller, not below ``floor``, as long as the result is ``fine``.

    FIFOs between processes of the same kinds, which tend to need the same, shrink together first; then
    each alone, those that take most bits first.
    """
    chosen = dict(depths)
    alike: dict[tuple, list[str]] = {}
    for fifo in network.sizable:
        kinds = network.writer(fifo.name).kind, network.reader(fifo.name).kind
        alike.setdefault((*kinds, fifo.word_bits, network.words[fifo.name]), []).append(fifo.name)
    bits = {fifo.name: fifo.word_bits * depths[fifo.name] for fifo in network.sizable}
    single = sorted(bits, key=bits.__getitem__, reverse=True)
    for names in [*alike.values(), *([name] for name in single)]:
        chosen = _lowered(chosen, names, floor, fine)
    return chosen


def _lowered(depths: Depths, names: list[str], floor: Depths, fine: Callable[[Depths], bool]) -> Depths:
    """``depths`` with the smallest ceiling over ``names`` that is ``fine``."""

    def under(ceiling: int) -> Depths:
        return {**depths, **{name: max(min(depths[name], ceiling), floor.get(name, 1)) for name in names}}

    low, high = min(floor.get(name, 1) for name in names), max(depths[name] for name in names)
    if low == high:
        return depths
    if fine(under(low)):
        return under(low)
    if not fine(under(high - 1)):
        return depths
    between = range(low + 1, high - 1)
    return under(low + 1 + bisect_left(between, True, key=lambda ceiling: fine(under(ceiling))))

"""Smallest depths of FIFOs: those that prevent a deadlock, and those that cost no throughput.

Timing is monotone: with a deeper FIFO nothing moves later. So a bisection finds the depth that a FIFO needs. Whether
a network with bounded FIFOs deadlocks does not depend on when its sources send (Kahn 1974; Parks, "Bounded scheduling
of process networks", 1995), so one image decides.

Depths without loss of throughput are searched with sources slowed down to one image every interval, their words
spread evenly. Depths that let a slow source keep its interval let a fast one keep it too, since words that come
earlier delay nothing, and at that pace a loss shows after a few images instead of after as many as it takes to fill
the pipeline. The search starts from the words that unbounded FIFOs hold at that pace, which are depths without loss,
shrinks them, and confirms the result with more images.
"""

from __future__ import annotations

import functools
import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hls_projects.dataflow.deadlock import circular_wait
from hls_projects.dataflow.network import Network, NetworkError
from hls_projects.dataflow.simulation import Trace, completes, image_ends, simulate
from hls_projects.dataflow.steady import in_flight, paced, settled

CHECKED_IMAGES = 8
CURVE_POINTS = 9
# A depth may exceed the smallest one by this fraction of itself: 1 / TOLERANCE, or roughly 1 / ROUGH.
TOLERANCE, ROUGH = 64, 8
# Groups of FIFOs with at least this fraction of all bits are shrunk first, one after another.
COSTLY = 1 / 32
# Two slots are enough to write a word in every cycle while the one before is read.
SHALLOW = 2
# FIFOs deeper than this are also shrunk singly. Up to this depth a shift register takes the same LUTs.
SINGLE_ABOVE = 32
Depths = dict[str, int]
Group = tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """Depths with the timing and the storage that they give; bits are those of all FIFOs."""

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

    No single FIFO of ``smallest`` can be smaller. In ``lossless`` no group of :func:`groups` can have a lower
    ceiling, and no single FIFO deeper than :data:`SINGLE_ABOVE` can be smaller by more than a
    :data:`TOLERANCE`-th of its depth.

    Raises:
        NetworkError: a network that deadlocks whatever the depths are.
    """
    lossless = lossless_depths(network)
    smallest = without_deadlock(network, lossless)
    steps = CURVE_POINTS - 1
    between = [
        {name: low + round((lossless[name] - low) * step / steps) for name, low in smallest.items()}
        for step in range(CURVE_POINTS)
    ]
    curve = tuple(measure(network, depths) for depths in between)
    return Sizing(curve[0], curve[-1], curve)


def measure(network: Network, depths: Depths) -> Point:
    """Timing and storage of ``network`` with ``depths``."""
    trace = settled(network, depths)
    return Point(depths, network.storage_bits(depths), trace.interval(), trace.latency())


def without_deadlock(network: Network, depths: Depths) -> Depths:
    """Smallest depths without deadlock, none above ``depths``, which must not deadlock."""
    suffices = MonotoneTest(functools.partial(completes, network))
    single = sorted(((name,) for name in depths), key=lambda group: _bits(network, depths, group), reverse=True)
    return shrink(single, shrink(groups(network, depths), depths, suffices), suffices)


def depths_in_use(network: Network) -> Depths:
    """Words that unbounded FIFOs hold at the steady pace: depths without loss, found fast but not the smallest.

    Raises:
        NetworkError: a network that deadlocks whatever the depths are.
    """
    return _peak_words(_unbounded(network))


def _unbounded(network: Network) -> Trace:
    """``network`` in its steady state with unbounded FIFOs, its sources as slow as its slowest process."""
    free = settled(network, _no_bounds(network))
    if free.deadlock:
        waits = ", ".join(wait.process for wait in circular_wait(free))
        raise NetworkError(f"no depth of FIFOs frees the circular wait of {waits}")
    slow = paced(network, free.slowest())
    return simulate(slow, _no_bounds(slow), in_flight(free) + CHECKED_IMAGES)


def _no_bounds(network: Network) -> dict[str, None]:
    return dict.fromkeys((fifo.name for fifo in network.sizable), None)


def _peak_words(trace: Trace) -> Depths:
    return {fifo.name: trace.peak_words(fifo.name) for fifo in trace.network.sizable}


def lossless_depths(network: Network, *, rough: bool = False) -> Depths:
    """:meth:`LosslessSearch.depths` of ``network``, with its errors."""
    return LosslessSearch(network).depths(rough=rough)


class LosslessSearch:
    """Search for the smallest depths with which a network has the interval that unbounded FIFOs give.

    Raises:
        NetworkError: a network that deadlocks whatever the depths are.
    """

    def __init__(self, network: Network) -> None:
        free = _unbounded(network)
        self.network, self.start = free.network, _peak_words(free)
        # Few images show most losses in little time; depths that pass with few are confirmed with all.
        self.tests = [
            MonotoneTest(_without_loss(free, images, select))
            for images, select in ((2, _sinks), (3, _sinks), (5, _all_processes), (free.images, _all_processes))
        ]
        self.completes = MonotoneTest(functools.partial(completes, self.network))

    def depths(self, *, rough: bool = False) -> Depths:
        """Shrink the FIFOs group by group.

        Args:
            rough: allow depths that are a :data:`ROUGH`-th too large, and shrink no single FIFO: in half the time.
        """
        network, start = self.network, self.start
        grouped = groups(network, start)
        costly = sum(_bits(network, start, group) >= COSTLY * network.storage_bits(start) for group in grouped)
        tolerance, single_above = (ROUGH, sys.maxsize) if rough else (TOLERANCE, SINGLE_ABOVE)
        for lossless in self.tests:

            def suffices(depths: Depths, lossless: MonotoneTest = lossless) -> bool:
                return self.completes(depths) and lossless(depths)

            chosen = shrink(grouped, start, suffices, tolerance, costly, single_above=single_above)
            if self.tests[-1](chosen):
                break
        return chosen


class MonotoneTest:
    """A test of depths that deeper FIFOs never fail. It is not run where its answer follows from earlier ones."""

    def __init__(self, test: Callable[[Depths], bool]) -> None:
        self.test = test
        self.answers: dict[bool, list[np.ndarray]] = {True: [], False: []}

    def __call__(self, depths: Depths) -> bool:
        asked = np.array(list(depths.values()))
        if any((asked >= passed).all() for passed in self.answers[True]):
            return True
        if any((asked <= failed).all() for failed in self.answers[False]):
            return False
        answer = self.test(depths)
        self.answers[answer].append(asked)
        return answer


def _all_processes(network: Network, ends: np.ndarray) -> np.ndarray:
    """The ends of images in every process."""
    return ends


def _sinks(network: Network, ends: np.ndarray) -> np.ndarray:
    """The cycles in which images leave the network."""
    return ends[[process.is_sink for process in network.processes]].max(axis=0)


def _without_loss(
    free: Trace, images: int, select: Callable[[Network, np.ndarray], np.ndarray]
) -> Callable[[Depths], bool]:
    """A test whether the second half of ``images`` images takes no longer than in ``free``, with unbounded FIFOs.

    Args:
        select: picks from the ends of images, (processes, images), those that are compared.
    """
    network = free.network

    def cycles(ends: np.ndarray) -> np.ndarray:
        selected = select(network, ends)
        return selected[..., -1] - selected[..., (images - 1) // 2]

    # Later images delay no earlier one, so the first images of the longer simulation serve.
    best = cycles(free.ends[:, :images])

    def lossless(depths: Depths) -> bool:
        ends = image_ends(network, depths, images)
        return bool((ends >= 0).all() and (cycles(ends) <= best).all())

    return lossless


def groups(network: Network, depths: Depths) -> list[Group]:
    """Groups of FIFOs between the same ports of processes of the same kinds, which tend to need the same depth.

    Branches of different lengths are separated by their ``depths``, rounded to a power of two. Groups with most bits
    come first.
    """
    found: dict[tuple, list[str]] = {}
    for fifo in network.sizable:
        writer, reader = network.ends[fifo.name]
        ports = list(writer.words).index((fifo.name, True)), list(reader.words).index((fifo.name, False))
        size = depths[fifo.name].bit_length(), fifo.word_bits, network.words[fifo.name]
        key = (writer.kind, reader.kind, *ports, *size)
        found.setdefault(key, []).append(fifo.name)
    return sorted(map(tuple, found.values()), key=lambda group: _bits(network, depths, group), reverse=True)


def _bits(network: Network, depths: Depths, group: Group) -> int:
    bits = {fifo.name: fifo.word_bits for fifo in network.sizable}
    return sum(bits[name] * depths[name] for name in group)


def shrink(
    groups: Sequence[Group],
    depths: Depths,
    suffices: Callable[[Depths], bool],
    tolerance: int = sys.maxsize,
    first: int = 0,
    single_above: int = SINGLE_ABOVE,
) -> Depths:
    """Lower the ceiling of each group as far as the depths still pass ``suffices``.

    Args:
        tolerance: FIFOs deeper than :data:`SHALLOW` may exceed their smallest depth by this fraction, 1 / tolerance.
        first: number of groups that are lowered one after another before all others. Most of the others need no
            more than :data:`SHALLOW`; those that do are found by bisection over the groups.
        single_above: FIFOs deeper than this are also lowered singly after their group.
    """
    chosen = depths
    for group in groups[:first]:
        chosen = _lower(chosen, group, SHALLOW, suffices, tolerance)
    chosen, deep = _lower_all(chosen, groups, SHALLOW, suffices)
    for group in deep:
        chosen = _lower(chosen, group, SHALLOW, suffices, tolerance)
    for name in [name for group in deep if len(group) > 1 for name in group if chosen[name] > single_above]:
        chosen = _lower(chosen, (name,), 0, suffices, tolerance)
    for ceiling in range(SHALLOW - 1, 0, -1):
        shallow = [group for group in groups if _deepest(chosen, group) == ceiling + 1]
        chosen, _ = _lower_all(chosen, shallow, ceiling, suffices)
    return chosen


def _lower_all(
    depths: Depths, groups: Sequence[Group], ceiling: int, suffices: Callable[[Depths], bool], tried: bool = False
) -> tuple[Depths, list[Group]]:
    """``depths`` with as many groups as possible under ``ceiling``, and the groups that stay above it.

    Args:
        tried: whether all groups together are known not to pass.
    """
    groups = [group for group in groups if _deepest(depths, group) > ceiling]
    if not tried:
        lowered = _under(depths, [name for group in groups for name in group], ceiling)
        if not groups or suffices(lowered):
            return lowered, []
    if len(groups) == 1:
        return depths, groups
    half = len(groups) // 2
    depths, first = _lower_all(depths, groups[:half], ceiling, suffices)
    depths, second = _lower_all(depths, groups[half:], ceiling, suffices, tried=not first)
    return depths, first + second


def _lower(depths: Depths, group: Group, floor: int, suffices: Callable[[Depths], bool], tolerance: int) -> Depths:
    """``depths`` with the lowest ceiling above ``floor`` over ``group``."""
    deepest = _deepest(depths, group)
    step = max(deepest // tolerance, 1)
    ceilings = range(deepest - step, floor, -step)[::-1]
    if not ceilings or not suffices(_under(depths, group, ceilings[-1])):
        return depths
    found = bisect_left(ceilings, True, key=lambda ceiling: suffices(_under(depths, group, ceiling)))
    return _under(depths, group, ceilings[found])


def _under(depths: Depths, names: Sequence[str], ceiling: int) -> Depths:
    return depths | {name: min(depths[name], ceiling) for name in names}


def _deepest(depths: Depths, group: Group) -> int:
    return max(depths[name] for name in group)

"""The smallest FIFOs: those without which the pipeline stands, and those that cost no throughput.

More depth never does harm: nothing moves later for it. So a bisection finds what a FIFO needs. Whether a
network with bounded FIFOs stands still does not depend on when its source sends (Kahn 1974; Parks,
"Bounded scheduling of process networks", 1995), so one image decides.

What costs no throughput is looked for with sources slowed down to one image every interval, their words
spread evenly. Depths that let a slow source keep its interval let a fast one keep it, since words that
come earlier let nothing move later, and at that pace a loss shows after a few images instead of after
as many as it takes to fill the pipeline. The most slots that FIFOs without bounds use at that pace are
depths without loss; from these they shrink, and the result is held against more images.
"""

from __future__ import annotations

import functools
import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hls_projects.dataflow.deadlock import circle
from hls_projects.dataflow.network import Network, NetworkError
from hls_projects.dataflow.simulation import Trace, goes_on, image_ends, simulate
from hls_projects.dataflow.steady import in_flight, paced, settled

CHECKED_IMAGES = 8
CURVE_POINTS = 9
FINENESS, ROUGH = 64, 8
# Groups of FIFOs with this part of all bits or more.
COSTLY = 1 / 32
# With two slots a word can go in in every cycle while the one before goes out.
SHALLOW = 2
# A shift register of so many words takes the same lookup tables as a shorter one.
ALONE = 32
Depths = dict[str, int]
Group = tuple[str, ...]


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

    No single FIFO of ``smallest`` can be made smaller. In ``lossless`` none of the :func:`groups` can be
    given a lower ceiling, and no single FIFO deeper than :data:`ALONE` can be made smaller, but for a
    :data:`FINENESS`-th of the depth.

    Raises:
        NetworkError: a network that stands still whatever the depths are.
    """
    lossless = without_loss(network)
    smallest = without_deadlock(network, lossless)
    steps = CURVE_POINTS - 1
    between = [
        {name: low + round((lossless[name] - low) * step / steps) for name, low in smallest.items()}
        for step in range(CURVE_POINTS)
    ]
    curve = tuple(measure(network, depths) for depths in between)
    return Sizing(curve[0], curve[-1], curve)


def measure(network: Network, depths: Depths) -> Point:
    trace = settled(network, depths)
    return Point(depths, network.storage_bits(depths), trace.interval(), trace.latency())


def without_deadlock(network: Network, depths: Depths) -> Depths:
    """Smallest depths that let an image through, none above ``depths``, which do."""

    fine = Monotone(functools.partial(goes_on, network))
    single = sorted(((name,) for name in depths), key=lambda group: _bits(network, depths, group), reverse=True)
    return shrink(single, shrink(groups(network, depths), depths, fine), fine)


def in_use(network: Network) -> Depths:
    """Words held at the steady pace with FIFOs without bounds: depths that cost no throughput, soon told.

    Raises:
        NetworkError: a network that stands still whatever the depths are.
    """
    return _held(_unbounded(network))


def _unbounded(network: Network) -> Trace:
    """``network`` with sources as slow as its slowest process, FIFOs without bounds, until some images are steady."""
    free = settled(network, _no_bounds(network))
    if free.deadlock:
        waits = ", ".join(wait.process for wait in circle(free))
        raise NetworkError(f"no depth frees the circle of {waits}")
    slow = paced(network, free.slowest())
    return simulate(slow, _no_bounds(slow), in_flight(free) + CHECKED_IMAGES)


def _no_bounds(network: Network) -> dict[str, None]:
    return dict.fromkeys((fifo.name for fifo in network.sizable), None)


def _held(trace: Trace) -> Depths:
    return {fifo.name: trace.held(fifo.name) for fifo in trace.network.sizable}


def without_loss(network: Network, *, rough: bool = False) -> Depths:
    """:meth:`WithoutLoss.depths` of ``network``, with its errors."""
    return WithoutLoss(network).depths(rough=rough)


class WithoutLoss:
    """Smallest depths with which a network has the interval that FIFOs without bounds give.

    Raises:
        NetworkError: a network that stands still whatever the depths are.
    """

    def __init__(self, network: Network) -> None:
        free = _unbounded(network)
        self.network, self.start = free.network, _held(free)
        # A few images that leave tell most of it; what escapes them is looked for with more.
        self.tests = [
            Monotone(_keeps(free, images, what))
            for images, what in ((2, _last_words), (3, _last_words), (5, _all_ends), (free.images, _all_ends))
        ]
        self.goes_on = Monotone(functools.partial(goes_on, self.network))

    def depths(self, *, rough: bool = False) -> Depths:
        """Group by group.

        Args:
            rough: with up to a :data:`ROUGH`-th of a depth too much, and no FIFO tried on its own: in half the time.
        """
        network, start = self.network, self.start
        alike = groups(network, start)
        costly = sum(_bits(network, start, group) >= COSTLY * network.storage_bits(start) for group in alike)
        fineness, alone = (ROUGH, sys.maxsize) if rough else (FINENESS, ALONE)
        for keeps in self.tests:

            def fine(depths: Depths, keeps: Monotone = keeps) -> bool:
                return self.goes_on(depths) and keeps(depths)

            chosen = shrink(alike, start, fine, fineness, costly, alone=alone)
            if self.tests[-1](chosen):
                break
        return chosen


class Monotone:
    """A test of depths that more depth never fails, and the answers that follow from earlier ones."""

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


def _all_ends(network: Network, ends: np.ndarray) -> np.ndarray:
    return ends


def _last_words(network: Network, ends: np.ndarray) -> np.ndarray:
    """When images leave the network."""
    return ends[[process.is_sink for process in network.processes]].max(axis=0)


def _keeps(free: Trace, images: int, what: Callable[[Network, np.ndarray], np.ndarray]) -> Callable[[Depths], bool]:
    """Whether with some depths the second half of so many images is as fast as in ``free``, without bounds.

    Args:
        what: of the cycles in which processes come to the ends of images, (processes, images), those to look at.
    """
    network = free.network

    def cycles(ends: np.ndarray) -> np.ndarray:
        shown = what(network, ends)
        return shown[..., -1] - shown[..., (images - 1) // 2]

    # Images that come later let no earlier one wait.
    best = cycles(free.ends[:, :images])

    def fine(depths: Depths) -> bool:
        ends = image_ends(network, depths, images)
        return bool((ends >= 0).all() and (cycles(ends) <= best).all())

    return fine


def groups(network: Network, depths: Depths) -> list[Group]:
    """FIFOs between the same ports of processes of the same kinds, which tend to need the same.

    Arms of long and of short branches are told apart by their ``depths``, to a power of two. Groups that
    take most bits come first.
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
    fine: Callable[[Depths], bool],
    fineness: int = sys.maxsize,
    first: int = 0,
    alone: int = ALONE,
) -> Depths:
    """Give each group the lowest ceiling with which the depths are ``fine``.

    Args:
        first: so many groups are lowered one after another, before all others. Of those most need no more
            than :data:`SHALLOW`, and are told from the rest by halving all of them.
        fineness: FIFOs deeper than :data:`SHALLOW` may keep up to that part of their depth too much.
        alone: those deeper than this are tried one by one after the group.
    """
    chosen = depths
    for group in groups[:first]:
        chosen = _lower(chosen, group, SHALLOW, fine, fineness)
    chosen, deep = _lower_all(chosen, groups, SHALLOW, fine)
    for group in deep:
        chosen = _lower(chosen, group, SHALLOW, fine, fineness)
    for name in [name for group in deep if len(group) > 1 for name in group if chosen[name] > alone]:
        chosen = _lower(chosen, (name,), 0, fine, fineness)
    for ceiling in range(SHALLOW - 1, 0, -1):
        shallow = [group for group in groups if _deepest(chosen, group) == ceiling + 1]
        chosen, _ = _lower_all(chosen, shallow, ceiling, fine)
    return chosen


def _lower_all(
    depths: Depths, groups: Sequence[Group], ceiling: int, fine: Callable[[Depths], bool], tried: bool = False
) -> tuple[Depths, list[Group]]:
    """``depths`` with as many groups as possible under ``ceiling``, and the groups that stay above it.

    ``tried`` tells that all of them together are known not to be fine.
    """
    groups = [group for group in groups if _deepest(depths, group) > ceiling]
    if not tried:
        lowered = _under(depths, [name for group in groups for name in group], ceiling)
        if not groups or fine(lowered):
            return lowered, []
    if len(groups) == 1:
        return depths, groups
    half = len(groups) // 2
    depths, first = _lower_all(depths, groups[:half], ceiling, fine)
    depths, second = _lower_all(depths, groups[half:], ceiling, fine, tried=not first)
    return depths, first + second


def _lower(depths: Depths, group: Group, floor: int, fine: Callable[[Depths], bool], fineness: int) -> Depths:
    """``depths`` with the lowest ceiling above ``floor`` over ``group``."""
    deepest = _deepest(depths, group)
    step = max(deepest // fineness, 1)
    ceilings = range(deepest - step, floor, -step)[::-1]
    if not ceilings or not fine(_under(depths, group, ceilings[-1])):
        return depths
    found = bisect_left(ceilings, True, key=lambda ceiling: fine(_under(depths, group, ceiling)))
    return _under(depths, group, ceilings[found])


def _under(depths: Depths, names: Sequence[str], ceiling: int) -> Depths:
    return depths | {name: min(depths[name], ceiling) for name in names}


def _deepest(depths: Depths, group: Group) -> int:
    return max(depths[name] for name in group)

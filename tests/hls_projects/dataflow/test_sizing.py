"""Depths are the smallest, deadlocks are explained, and their remedies work."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hls_projects.dataflow import (
    Fifo,
    Network,
    NetworkError,
    Process,
    Read,
    Repeat,
    Together,
    Wait,
    Write,
    explain,
    settled,
    simulate,
)
from hls_projects.dataflow.sizing import MonotoneTest, groups, measure, shrink, size_fifos
from hls_projects.dataflow.steady import paced
from tests.support.random_networks import random_depths, random_network

MANY_IMAGES = 60


def residual(words: int = 8, *, together: bool = False) -> Network:
    """A branch that stores all words before it gives one, beside one that does not."""
    fork = Read("in"), Write("a"), Write("b")
    return Network(
        (
            Process("source", "source", (Repeat(words, (Write("in"),)),)),
            Process("fork", "fork", (Repeat(words, (Together(fork),) if together else fork),)),
            Process("store", "store", (Repeat(words, (Read("a"),)), Repeat(words, (Wait(20), Write("c"))))),
            Process("add", "add", (Repeat(words, (Read("c"), Read("b"), Wait(5), Write("out"))),)),
            Process("sink", "sink", (Repeat(words, (Read("out"),)),)),
        ),
        (Fifo("in", 8, 2), Fifo("a", 8), Fifo("b", 8), Fifo("c", 8), Fifo("out", 8, 2)),
    )


def test_a_residual_branch_by_hand():
    found = explain(simulate(residual(), {"a": 1, "b": 1, "c": 1}, 1))
    assert [(wait.process, wait.fifo, wait.stall) for wait in found.waits] == [
        ("fork", "b", "backpressured"),
        ("add", "c", "starved"),
        ("store", "a", "starved"),
    ]
    assert found.remedies == {"b": 7}  # the fork holds the eighth word
    assert str(found) == (
        "deadlock after cycle 6: fork is backpressured at b, add is starved at c, store is starved at a; "
        "b of depth 7 would resolve it"
    )
    sizing = size_fifos(residual())
    assert sizing.smallest.depths == {"a": 1, "b": 7, "c": 1}
    assert sizing.smallest.storage_bits == 8 * 9


def test_words_that_are_written_together_by_hand():
    found = explain(simulate(residual(together=True), {"a": 1, "b": 1, "c": 1}, 1))
    assert found.remedies == {"b": 8}  # the fork holds no word back
    assert str(found) == (
        "deadlock after cycle 2: fork is backpressured at b, add is starved at c, store is starved at a; "
        "b of depth 8 would resolve it"
    )


def test_no_deadlock_no_explanation():
    assert explain(simulate(residual(), {"a": 1, "b": 7, "c": 1}, 2)) is None


def test_points_between():
    curve = size_fifos(residual()).curve
    assert [point.interval_cycles for point in curve] == sorted((p.interval_cycles for p in curve), reverse=True)
    assert curve[0].storage_bits < curve[-1].storage_bits and curve[0].interval_cycles > curve[-1].interval_cycles
    assert curve[-1].interval_cycles == measure(residual(), {"a": 99, "b": 99, "c": 99}).interval_cycles


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_remedies_free_deadlocks(seed: int):
    network = random_network(seed, 16)
    depths = random_depths(network, seed, most=2)
    found = explain(simulate(network, depths, 1))
    assume(found is not None)
    ends = {wait.fifo: wait for wait in found.waits}
    for wait, after in itertools.pairwise((*found.waits, found.waits[0])):
        other = (network.reader if wait.stall == "backpressured" else network.writer)(wait.fifo)
        assert other.name == after.process
    for name, depth in found.remedies.items():
        assert ends[name].stall == "backpressured" and depth > depths[name]
        assert not simulate(network, {**depths, name: depth}, 3).deadlock
        assert simulate(network, {**depths, name: depth - 1}, 1).deadlock


def settled_interval(network: Network, depths: dict[str, int]) -> float:
    """Mean interval of many images after as many; infinite where the network deadlocks."""
    trace = simulate(network, depths, 2 * MANY_IMAGES, record=False)
    return np.inf if trace.deadlock else np.diff(trace.completions())[MANY_IMAGES - 1 :].mean()


@pytest.mark.parametrize("seed", range(30))
def test_no_depth_can_be_smaller(seed: int):
    network = random_network(seed, 6 + seed % 12)
    sizing = size_fifos(network)
    smallest, lossless = sizing.smallest.depths, sizing.lossless.depths
    best = settled_interval(network, dict.fromkeys(smallest))
    assert settled_interval(network, lossless) == best
    assert sizing.lossless.interval_cycles == np.ceil(best)
    for name, depth in smallest.items():
        assert lossless[name] >= depth
        assert depth == 1 or simulate(network, {**smallest, name: depth - 1}, 1).deadlock
    for group in groups(network, lossless):
        ceiling = max(lossless[name] for name in group) - 1
        lower = {name: min(lossless[name], ceiling) if name in group else lossless[name] for name in lossless}
        assert ceiling == 0 or settled_interval(network, lower) > best


def two_forks() -> Network:
    """Two forks, each of whose arms meet in a join, one after the other."""
    processes, fifos = [Process("source", "source", (Repeat(9, (Write("in0"),)),))], [Fifo("in0", 8)]
    for index in range(2):
        a, b, out = f"a{index}", f"b{index}", f"in{index + 1}"
        fork = Together((Read(f"in{index}"), Write(a), Write(b)))
        processes.append(Process(f"fork{index}", "fork", (Repeat(9, (fork,)),)))
        processes.append(Process(f"join{index}", "join", (Repeat(9, (Read(a), Read(b), Write(out))),)))
        fifos += [Fifo(a, 8), Fifo(b, 8), Fifo(out, 8)]
    return Network((*processes, Process("sink", "sink", (Repeat(9, (Read("in2"),)),))), tuple(fifos))


def test_groups_are_fifos_between_the_same_ports():
    depths = {"in0": 1, "a0": 2, "b0": 3, "in1": 1, "a1": 3, "b1": 3, "in2": 1}
    assert groups(two_forks(), depths) == [("b0", "b1"), ("a0", "a1"), ("in0",), ("in1",), ("in2",)]


def test_a_deep_fifo_is_found_in_few_steps_to_a_part_of_its_depth():
    tried = []

    def fine(depths: dict[str, int]) -> bool:
        tried.append(depths)
        return depths["a"] >= 5744 and depths["b"] >= 3

    start = {"a": 6400, "b": 9, "c": 7}
    assert shrink([("a",), ("b",), ("c",)], start, fine) == {"a": 5744, "b": 3, "c": 1}
    tried.clear()
    assert shrink([("a",), ("b",), ("c",)], start, fine, 64) == {"a": 5800, "b": 3, "c": 1}
    assert len(tried) < 20


def test_a_paced_source_sends_evenly_and_catches_up():
    network = Network(
        (
            Process("source", "source", (Repeat(4, (Write("a"),)),)),
            Process("work", "work", (Read("a"), Wait(40), Repeat(3, (Read("a"),)))),
        ),
        (Fifo("a", 8),),
    )
    free, tight = (simulate(paced(network, 62), {"a": depth}, 2) for depth in (None, 1))
    assert free.writes["a"].tolist() == [1, 16, 31, 46, 63, 78, 93, 108]
    assert tight.writes["a"].tolist() == [1, 16, 44, 46, 63, 78, 106, 108]
    assert simulate(paced(network, 4), {"a": None}, 1).writes["a"].tolist() == [1, 2, 3, 4]


def test_a_slow_process_behind_slack_is_waited_for():
    """The slow arm of a fork starts ahead of the other by more than it loses in the first images."""
    network = Network(
        (
            Process("source", "source", (Write("in"),)),
            Process("fork", "fork", (Together((Read("in"), Write("a"), Write("b"))), Wait(88))),
            Process("slow", "map", (Read("a"), Wait(98), Write("c"))),
            Process("far", "map", (Read("b"), Wait(80), Write("d"))),
            Process("farther", "map", (Read("d"), Wait(80), Write("e"))),
            Process("join", "join", (Together((Read("c"), Read("e"), Write("out"))),)),
            Process("sink", "sink", (Read("out"),)),
        ),
        tuple(Fifo(name, 8) for name in ("in", "a", "b", "c", "d", "e", "out")),
    )
    unbounded = dict.fromkeys((fifo.name for fifo in network.fifos), None)
    assert simulate(network, unbounded, 4).interval() == 89
    assert settled(network, unbounded).interval() == 100


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_one_image_decides_about_a_deadlock(seed: int, images: int):
    network = random_network(seed)
    depths = random_depths(network, seed + 1)
    assert simulate(network, depths, 1).deadlock == simulate(network, depths, images).deadlock


def test_a_circular_wait_that_no_depth_frees():
    network = Network(
        (
            Process("x", "x", (Read("b"), Write("a"))),
            Process("y", "y", (Read("a"), Write("b"), Write("c"))),
            Process("z", "z", (Read("c"),)),
        ),
        (Fifo("a", 8), Fifo("b", 8), Fifo("c", 8)),
    )
    with pytest.raises(NetworkError, match="no depth of FIFOs frees the circular wait of x, y"):
        size_fifos(network)
    found = explain(simulate(network, {"a": 1, "b": 1, "c": 1}, 1))
    assert found.remedies == {} and found.cycle == -1
    assert str(found).endswith("; no depth would resolve it")


def test_a_monotone_test_does_not_run_where_its_answer_follows():
    asked = []

    def enough(depths: dict[str, int]) -> bool:
        asked.append(tuple(depths.values()))
        return depths["a"] + depths["b"] >= 5

    known = MonotoneTest(enough)
    answers = [known({"a": a, "b": b}) for a, b in ((3, 2), (4, 2), (3, 3), (2, 2), (2, 1), (1, 4), (1, 2))]
    assert answers == [True, True, True, False, False, True, False]
    assert asked == [(3, 2), (2, 2), (1, 4)]

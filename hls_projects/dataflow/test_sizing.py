"""Depths are the smallest, deadlocks are named, and what is said to free them does."""

from __future__ import annotations

import itertools

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
    simulate,
)
from hls_projects.dataflow.random_networks import random_depths, random_network
from hls_projects.dataflow.sizing import measure, size_fifos, without_deadlock


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
    assert [(wait.process, wait.fifo, wait.cause) for wait in found.waits] == [
        ("fork", "b", "full"),
        ("add", "c", "empty"),
        ("store", "a", "empty"),
    ]
    assert found.remedies == {"b": 7}  # the fork holds the eighth word
    assert str(found) == (
        "deadlock after cycle 6: fork waits at b (full), add waits at c (empty), store waits at a (empty); "
        "b of depth 7 would free it"
    )
    sizing = size_fifos(residual())
    assert sizing.smallest.depths == {"a": 1, "b": 7, "c": 1}
    assert sizing.smallest.storage_bits == 8 * 9


def test_words_that_are_written_together_by_hand():
    found = explain(simulate(residual(together=True), {"a": 1, "b": 1, "c": 1}, 1))
    assert found.remedies == {"b": 8}  # the fork holds no word back
    assert str(found) == (
        "deadlock after cycle 2: fork waits at b (full), add waits at c (empty), store waits at a (empty); "
        "b of depth 8 would free it"
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
def test_what_is_said_to_free_a_deadlock_does(seed: int):
    network = random_network(seed, 16)
    depths = random_depths(network, seed, most=2)
    found = explain(simulate(network, depths, 1))
    assume(found is not None)
    ends = {wait.fifo: wait for wait in found.waits}
    for wait, after in itertools.pairwise((*found.waits, found.waits[0])):
        other = (network.reader if wait.cause == "full" else network.writer)(wait.fifo)
        assert other.name == after.process
    for name, depth in found.remedies.items():
        assert ends[name].cause == "full" and depth > depths[name]
        assert not simulate(network, {**depths, name: depth}, 3).deadlock
        assert simulate(network, {**depths, name: depth - 1}, 1).deadlock


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_no_fifo_can_be_smaller(seed: int):
    network = random_network(seed, 8)
    sizing = size_fifos(network)
    smallest, lossless = sizing.smallest.depths, sizing.lossless.depths
    best = measure(network, dict.fromkeys(smallest, 100)).interval_cycles
    assert sizing.lossless.interval_cycles == best
    for name in smallest:
        assert lossless[name] >= smallest[name]
        if smallest[name] > 1:
            assert simulate(network, {**smallest, name: smallest[name] - 1}, 1).deadlock
        if lossless[name] > smallest[name]:
            assert measure(network, {**lossless, name: lossless[name] - 1}).interval_cycles > best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_one_picture_decides_about_a_deadlock(seed: int, pictures: int):
    network = random_network(seed)
    depths = random_depths(network, seed + 1)
    assert simulate(network, depths, 1).deadlock == simulate(network, depths, pictures).deadlock


def test_a_circle_that_no_depth_frees():
    network = Network(
        (
            Process("x", "x", (Read("b"), Write("a"))),
            Process("y", "y", (Read("a"), Write("b"), Write("c"))),
            Process("z", "z", (Read("c"),)),
        ),
        (Fifo("a", 8), Fifo("b", 8), Fifo("c", 8)),
    )
    with pytest.raises(NetworkError, match="no depth frees the circle of x, y"):
        without_deadlock(network)
    found = explain(simulate(network, {"a": 1, "b": 1, "c": 1}, 1))
    assert found.remedies == {} and found.cycle == -1
    assert str(found).endswith("; no depth would free it")

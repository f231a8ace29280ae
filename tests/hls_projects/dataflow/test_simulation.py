"""The simulation against a clock that ticks, against figures worked out by hand, and against Verilog."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
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
    claim,
    engine,
    explain,
    fill,
    free,
    simulate,
    take,
)
from hls_projects.dataflow.activity import bin_edges, occupancy
from hls_projects.dataflow.engine import compiling_in_background, load_library
from hls_projects.dataflow.program import busy_cycles, words
from hls_projects.dataflow.simulation import completes, image_ends, time_by_state
from hls_projects.errors import InputError
from tests.support import dataflow_verilog as verilog
from tests.support.dataflow_verilog import VerilatorError, run_verilog
from tests.support.instructions import instructions
from tests.support.random_networks import block_fifos, random_depths, random_network

QUIET_CYCLES = 200
TOPOLOGIES = 30


def chain(depth: int | None = None, *, wait: int = 3) -> Network:
    """A source, a process that takes ``wait`` cycles between reading and writing, a sink."""
    return Network(
        (
            Process("source", "source", (Repeat(4, (Write("a"),)),)),
            Process("work", "map", (Repeat(4, (Read("a"), Wait(wait), Write("b"))),)),
            Process("sink", "sink", (Repeat(4, (Read("b"),)),)),
        ),
        (Fifo("a", 8), Fifo("b", 8, depth)),
    )


def copying(wait: int) -> Network:
    """A process that reads and writes in the same cycle, before a sink that rests ``wait`` cycles."""
    return Network(
        (
            Process("source", "source", (Repeat(4, (Write("a"),)),)),
            Process("copy", "copy", (Repeat(4, (Together((Read("a"), Write("b"))),)),)),
            Process("sink", "sink", (Repeat(4, (Read("b"), Wait(wait))),)),
        ),
        (Fifo("a", 8), Fifo("b", 8)),
    )


def staged(depth: int) -> Network:
    """Two stages with a block of four words between them, of which ``depth`` buffers exist; three an image."""
    load = (Together((claim("block"), Read("a"))), Repeat(2, (Read("a"),)), Together((Read("a"), fill("block"))))
    unload = (Together((take("block"), Write("b"))), Repeat(2, (Write("b"),)), Together((Write("b"), free("block"))))
    return Network(
        (
            Process("source", "source", (Repeat(12, (Write("a"),)),)),
            Process("load", "load", (Repeat(3, load),)),
            Process("unload", "unload", (Repeat(3, unload),)),
            Process("sink", "sink", (Repeat(12, (Read("b"),)),)),
        ),
        (Fifo("a", 8), Fifo("b", 8), *block_fifos("block", depth)),
    )


def ticking(network: Network, depths: dict[str, int], images: int) -> tuple[dict, dict, set[str]]:
    """Writes and reads by FIFO and the processes that did not complete, computed cycle by cycle."""
    used = {fifo.name: 0 for fifo in network.fifos}
    slots = {fifo.name: fifo.fixed_depth or depths[fifo.name] for fifo in network.fifos}
    latency = {fifo.name: fifo.latency_at(slots[fifo.name]) for fifo in network.fifos}
    depth = {name: slots[name] + latency[name] - 1 for name in slots}
    together = {fifo.name for fifo in network.fifos if not fifo.reuse_delay(slots[fifo.name])}
    writes, reads = ({name: [] for name in used} for _ in range(2))
    left = {}
    for process in network.processes:
        found, rest = instructions(process.program)
        steps = [(step.delay + (rest if index == 0 else 0), step) for index, step in enumerate(found)] * images
        left[process.name] = [(found[0].delay, found[0]), *steps[1:]]
    waited = dict.fromkeys(left, 0)
    clock = quiet = 0
    while any(left.values()) and quiet < QUIET_CYCLES:
        before, moved = dict(used), False
        there = {name: sum(clock - w >= latency[name] for w in writes[name]) - len(reads[name]) for name in used}
        # Readers before writers, who may need what those free.
        for name, steps in reversed(left.items()):
            if not steps:
                continue
            delay, step = steps[0]
            if waited[name] < delay:
                waited[name] += 1
            elif all(before[port] < depth[port] if is_write else there[port] for port, is_write in step.ends):
                for port, is_write in step.ends:
                    used[port] += 1 if is_write else -1
                    before[port] -= not is_write and port in together
                    (writes if is_write else reads)[port].append(clock)
                steps.pop(0)
                waited[name], moved = 0, True
        quiet = 0 if moved else quiet + 1
        clock += 1
    return writes, reads, {name for name, steps in left.items() if steps}


def test_a_chain_by_hand():
    trace = simulate(chain(), {"a": 1, "b": 1}, 1)
    assert trace.writes["a"].tolist() == [0, 2, 7, 12]
    assert trace.reads["a"].tolist() == [1, 6, 11, 16]
    assert trace.writes["b"].tolist() == [5, 10, 15, 20]
    assert trace.reads["b"].tolist() == [6, 11, 16, 21]
    assert trace.latency() == 22 and not trace.deadlock
    assert trace.stalls["source"] == {("a", True): 9}
    assert trace.stalls["work"] == {("a", False): 1}
    assert trace.peak_slots("a") == 1 and busy_cycles(trace.network.processes[1].program) == 20


def test_words_that_move_together_by_hand():
    trace = simulate(copying(2), {"a": 2, "b": 1}, 1)
    assert trace.writes["a"].tolist() == [0, 1, 2, 4]
    assert trace.reads["a"].tolist() == trace.writes["b"].tolist() == [1, 3, 6, 9]
    assert trace.reads["b"].tolist() == [2, 5, 8, 11]
    assert trace.stalls["copy"] == {("a", False): 1, ("b", True): 5}


def test_a_word_a_cycle():
    trace = simulate(copying(0), {"a": 2, "b": 2}, 3)
    assert trace.reads["a"].tolist() == list(range(1, 13)) and trace.interval() == 4
    assert trace.stalls["copy"] == {("a", False): 1}


def test_registers_hold_words_on_their_way():
    ends = Process("source", "source", (Repeat(4, (Write("a"),)),)), Process("sink", "sink", (Repeat(4, (Read("a"),)),))
    trace = simulate(Network(ends, (Fifo("a", 8, latency=3),)), {"a": 1}, 1)
    assert trace.writes["a"].tolist() == [0, 1, 2, 4]
    assert trace.reads["a"].tolist() == [3, 4, 5, 7]
    assert trace.peak_slots("a") == 1


def test_the_writers_register_takes_a_word_as_another_goes():
    ends = Process("source", "source", (Repeat(4, (Write("a"),)),)), Process("sink", "sink", (Repeat(4, (Read("a"),)),))
    network = Network(ends, (Fifo("a", 8, latency=4, direct=2),))
    direct, stored = (simulate(network, {"a": depth}, 1) for depth in (1, 2))
    assert direct.writes["a"].tolist() == [0, 1, 2, 3] and direct.reads["a"].tolist() == [2, 3, 4, 5]
    assert direct.peak_slots("a") == 1 and direct.occupancy("a").max() == 1
    assert stored.reads["a"].tolist() == [4, 5, 6, 7]


def test_registers_do_not_save_a_network_from_a_deadlock():
    """A branch that stores four words, beside one of a FIFO with two slots and two registers."""
    fork = Together((Read("in"), Write("a"), Write("b")))
    processes = (
        Process("source", "source", (Repeat(4, (Write("in"),)),)),
        Process("fork", "fork", (Repeat(4, (fork,)),)),
        Process("store", "store", (Repeat(4, (Read("a"),)), Repeat(4, (Write("c"),)))),
        Process("sink", "sink", (Repeat(4, (Together((Read("b"), Read("c"))),)),)),
    )
    network = Network(processes, (Fifo("in", 8), Fifo("a", 8), Fifo("b", 8, latency=3), Fifo("c", 8)))
    traces = [simulate(network, {"in": 1, "a": 1, "b": depth, "c": 1}, 2) for depth in (2, 4)]
    assert [trace.deadlock for trace in traces] == [True, False]
    assert explain(traces[0]).remedies == {"b": 4}


def test_two_buffers_let_stages_overlap_and_one_does_not():
    two, one = (simulate(staged(depth), {"a": 2, "b": 2}, 3) for depth in (2, 1))
    assert two.reads["a"].tolist() == list(range(1, 37))
    assert two.writes["b"].tolist() == list(range(5, 41))
    assert two.writes["block.filled"].tolist()[:3] == [4, 8, 12] and two.interval() == 12
    assert one.reads["a"][:8].tolist() == [1, 2, 3, 4, 9, 10, 11, 12] and one.interval() == 24
    assert one.stalls["load"] == {("a", False): 1, ("block.claimed", True): 8 * 4}


def test_a_cycle_moves_one_word_a_port():
    for steps in ((), (Read("a"), Read("a"))):
        with pytest.raises(ValueError, match="one word at each of its ports"):
            Together(steps)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_loops_count_as_if_they_were_unrolled(seed: int):
    for process in random_network(seed).processes:
        found, rest = instructions(process.program)
        assert words(process.program) == Counter(end for instruction in found for end in instruction.ends)
        assert busy_cycles(process.program) == sum(instruction.delay + 1 for instruction in found) + rest


def test_the_interval_is_that_of_the_slowest_process():
    trace = simulate(chain(), {"a": 4, "b": 4}, 5)
    assert trace.interval() == busy_cycles(trace.network.processes[1].program) == 20
    assert len(trace.completions()) == 5


def test_no_bound():
    trace = simulate(chain(), {"a": None, "b": None}, 3)
    assert trace.writes["a"].tolist() == list(range(12))
    assert trace.peak_slots("a") == 10  # twelve written while two are read


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2**32), st.integers(1, 3), st.integers(4, 14))
def test_equal_to_a_clock_that_ticks(seed: int, other: int, images: int, processes: int):
    network = random_network(seed, processes)
    depths = random_depths(network, other)
    trace = simulate(network, depths, images)
    writes, reads, blocked = ticking(trace.network, depths, images)
    assert {name: cycles.tolist() for name, cycles in trace.writes.items()} == writes
    assert {name: cycles.tolist() for name, cycles in trace.reads.items()} == reads
    assert set(trace.blocked) == blocked
    assert all(trace.peak_slots(name) <= depth for name, depth in depths.items())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_completion_without_cycles_is_that_of_the_simulation(seed: int, most: int):
    network = random_network(seed)
    depths = random_depths(network, seed, most=most)
    trace = simulate(network, depths, 2)
    assert completes(network, depths) is not trace.deadlock
    assert trace.deadlock or np.array_equal(image_ends(network, depths, 2), trace.ends)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_what_is_not_recorded_changes_nothing_else(seed: int, images: int):
    network = random_network(seed)
    depths = random_depths(network, seed, most=8)
    recorded, other = (simulate(network, depths, images, record=record) for record in (True, False))
    assert not other.writes and not other.reads
    assert (recorded.stalls, recorded.blocked, recorded.last) == (other.stalls, other.blocked, other.last)
    assert recorded.completions().tolist() == other.completions().tolist()
    sinks = [process for process in network.processes if process.is_sink]
    for image, end in enumerate(recorded.completions()):
        lasts = [recorded.reads[p][(image + 1) * count - 1] for sink in sinks for (p, _), count in sink.words.items()]
        assert end == max(lasts)
    for name in recorded.writes:
        assert recorded.peak_slots(name) == recorded.occupancy(name).max(initial=0)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_time_by_state_is_the_work_and_the_stalls(seed: int, bins: int):
    network = random_network(seed)
    trace = simulate(network, random_depths(network, seed, most=8), 2)
    edges = np.linspace(0, trace.last + 1, bins + 1).round().astype(np.int64)
    found = time_by_state(trace, edges)
    for process, parts in zip(network.processes, found, strict=True):
        moved = [(trace.writes if writes else trace.reads)[port] for port, writes in process.words]
        if not any(map(len, moved)):
            assert not parts.any()
            continue
        first, last = min(int(c[0]) for c in moved if len(c)), max(int(c[-1]) for c in moved if len(c))
        assert parts.sum(axis=1).tolist() == np.diff(np.clip(edges, first, last + 1)).tolist()
        _, starved, blocked = parts.sum(axis=0)
        unseen = first - instructions(process.program)[0][0].delay
        assert starved + blocked == sum(trace.stalls[process.name].values()) - unseen
        assert not (starved if process.kind == "source" else blocked if process.is_sink else 0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_occupancy_over_time(seed: int, bins: int):
    """Counted cycle by cycle: a word is there from the cycle of its write to that of its read."""
    network = random_network(seed)
    network = Network(network.processes, tuple(replace(fifo, latency=1, direct=None) for fifo in network.fifos))
    trace = simulate(network, random_depths(network, seed, 5), 2)
    edges = np.unique(np.linspace(0, trace.last + 1, bins + 1).round().astype(np.int64))
    for name, most in occupancy(trace, edges).items():
        held = np.zeros(trace.last + 2, dtype=np.int64)
        np.add.at(held, trace.writes[name], 1)
        np.subtract.at(held, trace.reads[name] + 1, 1)
        held = held.cumsum()[:-1]
        assert most.tolist() == [max(held[first:last], default=0) for first, last in pairwise(edges)]
        assert max(most) == trace.peak_slots(name)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_the_most_over_time_is_the_peak(seed: int):
    """With registers on the way, too."""
    network = random_network(seed)
    trace = simulate(network, random_depths(network, seed, 4), 2)
    for name, most in occupancy(trace, bin_edges(trace)).items():
        assert max(most) == trace.peak_slots(name)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_depths_of_the_peak_words_change_nothing(seed: int):
    network = random_network(seed)
    free = simulate(network, {fifo.name: None for fifo in network.sizable}, 2)
    # In a FIFO of one slot words are quicker.
    bound = simulate(network, {fifo.name: max(free.peak_words(fifo.name), 2) for fifo in network.sizable}, 2)
    assert all(np.array_equal(free.writes[name], bound.writes[name]) for name in free.writes)
    assert all(np.array_equal(free.reads[name], bound.reads[name]) for name in free.reads)


def test_stalls_and_work_fill_the_time():
    network = random_network(3)
    trace = simulate(network, random_depths(network, 3, most=8), 2)
    assert not trace.deadlock
    for process in network.processes:
        _, rest = instructions(process.program)
        last = max(int((trace.writes if writes else trace.reads)[port][-1]) for port, writes in process.words)
        assert last + 1 == 2 * busy_cycles(process.program) - rest + sum(trace.stalls[process.name].values())


@pytest.mark.parametrize(
    "parts, message",
    [
        (([("x", (Write("a"),))], ["a"]), "FIFO a has 1 writers and 0 readers"),
        (([("x", (Write("a"), Write("a"))), ("y", (Read("a"),))], ["a"]), "a has 2 words an image written and 1 read"),
        (([("x", (Write("a"),)), ("x", (Read("a"),))], ["a"]), "x is the name of two parts"),
        (([("x", (Write("b"),)), ("y", (Read("a"),))], ["a"]), "process x uses b, which is no FIFO"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(parts: tuple, message: str):
    processes, fifos = parts
    with pytest.raises(NetworkError, match=message):
        Network(tuple(Process(name, "p", program) for name, program in processes), tuple(Fifo(f, 8) for f in fifos))


@pytest.mark.parametrize(
    "depths, message",
    [
        ({"a": 1}, "FIFO b has no depth"),
        ({"a": 1, "b": 1, "c": 1}, "there is no FIFO c"),
        ({"a": 0, "b": 1}, "depth of FIFO a must be a whole number of at least 1, not 0"),
        ({"a": -2, "b": 1}, "not -2"),
        ({"a": 1.5, "b": 1}, "not 1.5"),
        ({"a": True, "b": 1}, "not True"),
    ],
)
def test_depths_that_do_not_fit_are_refused(depths: dict, message: str):
    with pytest.raises(NetworkError, match=message):
        chain().check_depths(depths)


def test_ports_have_no_depth_to_choose():
    with pytest.raises(NetworkError, match="there is no FIFO b"):
        chain(2).check_depths({"a": 1, "b": 1})


@pytest.mark.verilator
def test_equal_to_verilog_cycle_for_cycle(tmp_path: Path):
    networks = [random_network(seed, 6 + seed % 12) for seed in range(TOPOLOGIES)]
    traces = [simulate(n, random_depths(n, seed, 2 + seed % 4), 1 + seed % 3) for seed, n in enumerate(networks)]
    assert 5 < sum(trace.deadlock for trace in traces) < TOPOLOGIES - 5  # both endings occur
    kinds = [{process.kind for process in network.processes} for network in networks]
    assert sum({"fork", "join"} <= found for found in kinds) >= 20
    assert sum("load" in found for found in kinds) >= 10
    groups = [len(i.ends) for network in networks for p in network.processes for i in instructions(p.program)[0]]
    assert groups.count(2) > 100 and max(groups) > 2
    events = 0
    for trace, (writes, reads) in zip(traces, run_verilog(traces, tmp_path), strict=True):
        for name in trace.writes:
            assert np.array_equal(trace.writes[name], writes[name]), explain(trace)
            assert np.array_equal(trace.reads[name], reads[name])
            events += len(writes[name]) + len(reads[name])
    assert events > 2000


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"no g\+\+ on the path; install one"):
        load_library.__wrapped__()


def test_the_library_is_compiled_in_the_background(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Where it cannot be, the work goes on."""
    monkeypatch.setattr(engine, "load_library", functools.cache(load_library.__wrapped__))
    with compiling_in_background():
        pass
    assert engine.load_library.cache_info().currsize == 1
    monkeypatch.setattr(engine, "load_library", functools.cache(load_library.__wrapped__))
    monkeypatch.setenv("PATH", str(tmp_path))
    with compiling_in_background():
        pass
    assert engine.load_library.cache_info().currsize == 0


def test_no_verilator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(verilog.shutil, "which", lambda name: None)
    with pytest.raises(VerilatorError, match="no verilator on the path"):
        run_verilog([simulate(chain(), {"a": 1, "b": 1}, 1)], tmp_path)

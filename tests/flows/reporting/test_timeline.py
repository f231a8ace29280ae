"""The timeline of a report: blocks, operators and processes, and what their strips show."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.reporting.timeline import AFTER, BEFORE, MOST_TICKS, STATES, WHOLE, WIDTH, Bar, blocks_of, merged, timeline

END = 24
states = st.sampled_from(STATES)


@st.composite
def rows_of_bars(draw: st.DrawFn) -> list[list[Bar]]:
    """Rows whose bars do not overlap, with gaps between some of them."""
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        edges = sorted(draw(st.sets(st.integers(0, END), max_size=8)))
        pairs = [pair for pair in itertools.pairwise(edges) if draw(st.booleans())]
        rows.append([Bar(start, end, draw(states)) for start, end in pairs])
    return rows


def naive_states(bars: list[Bar], cycle: int) -> set[str]:
    return {bar.state for bar in bars if bar.start <= cycle < bar.end}


@settings(max_examples=200, deadline=None)
@given(rows_of_bars())
def test_an_operator_is_in_the_first_state_of_any_process(rows: list[list[Bar]]):
    found = merged(rows)
    for cycle in range(END + 1):
        present = set().union(*(naive_states(bars, cycle) for bars in rows))
        expected = [state for state in STATES if state in present][:1]
        assert sorted(naive_states(found, cycle)) == expected
    for before, after in itertools.pairwise(found):
        assert before.end < after.start or (before.end == after.start and before.state != after.state)


def stretches(rows: dict[str, list[Bar]]) -> list[dict]:
    return [
        {"process": name, "start": bar.start, "end": bar.end, "state": bar.state}
        for name, bars in rows.items()
        for bar in bars
    ]


def boxes(path: str, pattern: str) -> list[tuple[float, ...]]:
    found = [tuple(map(float, box)) for box in re.findall(pattern, path)]
    assert len(found) == path.count("Z")
    return found


NUMBER = r"([\d.]+)"
BOX = rf"M{NUMBER} 0H{NUMBER}V1H{NUMBER}Z"
AREA = rf"M{NUMBER} 1V{NUMBER}H{NUMBER}V1Z"


@settings(max_examples=100, deadline=None)
@given(rows_of_bars().filter(lambda rows: any(rows)))
def test_a_block_shows_how_many_operators_are_in_each_state(rows: list[list[Bar]]):
    named = {f"blocks_0_op{index}": bars for index, bars in enumerate(rows) if bars}
    found = timeline(stretches(named))
    [block] = found.blocks
    assert block.strip.name == "block 0" and [one.strip.name for one in block.operators] == list(named)
    scale = WIDTH / found.end
    for cycle in range(int(found.end)):
        x = scale * (cycle + 0.5)
        height = 0.0
        for state in STATES:
            height += sum(state in naive_states(bars, cycle) for bars in named.values()) / len(named)
            drawn = [1 - top for left, top, right in boxes(block.strip.paths[state], AREA) if left < x < right]
            assert drawn == pytest.approx([height] if height else [], abs=1e-3)


@settings(max_examples=100, deadline=None)
@given(rows_of_bars().filter(lambda rows: any(rows)))
def test_processes_are_drawn_as_they_are(rows: list[list[Bar]]):
    named = {f"head.stage{index}": bars for index, bars in enumerate(rows) if bars}
    found = timeline(stretches(named))
    [block] = found.blocks
    [operator] = block.operators
    assert operator.strip.name == "head" and block.count == len(named)
    strips = operator.processes or [operator.strip]
    assert [strip.name for strip in strips] == ([name[5:] for name in named] if len(named) > 1 else ["head"])
    for strip, bars in zip(strips, named.values(), strict=True):
        for state in STATES:
            drawn = boxes(strip.paths[state], BOX)
            # Bars of a lone process that touch are one.
            expected = merged([bars]) if len(named) == 1 else bars
            ends = [(bar.start, bar.end, bar.start) for bar in expected if bar.state == state]
            assert drawn == [pytest.approx([WIDTH * edge / found.end for edge in box], abs=0.06) for box in ends]
        total = sum(bar.end - bar.start for bar in bars)
        for state in STATES:
            cycles = sum(bar.end - bar.start for bar in bars if bar.state == state)
            assert strip.shares[state] == pytest.approx(cycles / total)


def test_blocks_are_those_of_the_names():
    names = [
        "source",
        "patch_embed",
        "clone_patch_embed",
        "blocks_0_norm1",
        "clone_blocks_0_attn_qkv",
        "blocks_11_mlp_fc1",
    ]
    assert blocks_of([*names, "norm", "head", "sink"]) == [
        *[BEFORE] * 3, "block 0", "block 0", "block 11", *[AFTER] * 3,
    ]  # fmt: skip
    assert blocks_of(["stages_1_conv", "blocks_1_norm1"]) == ["stage 1", "block 1"]
    assert blocks_of(["patch_embed", "head"]) == [WHOLE] * 2


@pytest.mark.parametrize("end", [0.5, 1, 7, 99, 100, 160267, 5_000_000, 5_000_001])
def test_ticks_are_few_round_and_in_place(end: float):
    found = timeline([{"process": "a", "start": 0, "end": end, "state": "busy"}])
    cycles = [cycle for cycle, _ in found.ticks]
    assert cycles[0] == 0 and 1 <= len(cycles) <= MOST_TICKS and cycles[-1] <= max(end, 1)
    assert all(place == pytest.approx(100 * cycle / found.end, abs=0.01) for cycle, place in found.ticks)
    steps = {after - before for before, after in itertools.pairwise(cycles)}
    assert len(steps) <= 1 and all(str(step).strip("0") in "125" for step in steps)
    assert end < 5 or len(cycles) >= 2

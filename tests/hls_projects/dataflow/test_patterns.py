"""Programs from patterns, against what moves in which cycle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.dataflow import Read, Wait, Write
from hls_projects.dataflow.patterns import Ports, around, block_of, elementwise, stretch, timetable
from hls_projects.dataflow.program import Program, ends
from tests.support.instructions import flatten

IN, OUT, FIRST, LAST = Read("in0"), Write("out"), Read("first"), Write("last")
ports = st.sets(st.sampled_from([IN, OUT, FIRST, LAST]), max_size=3).map(tuple)


def cycles(program: Program) -> list[set[tuple[str, bool]]]:
    """What moves by cycle."""
    found: list[set[tuple[str, bool]]] = []
    for step in flatten(program):
        found += [set()] * step.cycles if isinstance(step, Wait) else [set(ends(step))]
    return found


def moved(*steps: Read | Write) -> set[tuple[str, bool]]:
    return {(step.port, isinstance(step, Write)) for step in steps}


@given(count=st.integers(1, 9), every=st.sampled_from([(), (IN,), (IN, OUT)]))
def test_stretch(count: int, every: Ports):
    expected = [moved(*every) for _ in range(count)]
    expected[0] |= moved(FIRST)
    expected[-1] |= moved(LAST)
    assert cycles(stretch(count, every, first=(FIRST,), last=(LAST,))) == expected


@given(least=st.integers(1, 12), one=st.dictionaries(st.integers(0, 9), ports), two=st.integers(0, 9))
def test_timetable(least: int, one: dict[int, Ports], two: int):
    """Moves of several tables in one cycle come together, and nothing moves in the others."""
    other = Read("other")
    found = cycles(timetable(least, one, {two: (other,)}))
    busy = [cycle for cycle, moves in one.items() if moves]
    assert len(found) == max(least, two + 1, *(cycle + 1 for cycle in busy), 0)
    for cycle, moves in enumerate(found):
        assert moves == moved(*one.get(cycle, ()), *((other,) if cycle == two else ()))


@given(count=st.integers(1, 6), length=st.integers(1, 4))
def test_around(count: int, length: int):
    def part(first: Ports, last: Ports) -> Program:
        return stretch(length, (IN,), first=first, last=last)

    expected = [moved(IN) for _ in range(count * length)]
    expected[0] |= moved(FIRST)
    expected[-1] |= moved(LAST)
    assert cycles(around(count, part, (FIRST,), (LAST,))) == expected


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_block_is_claimed_with_its_first_word_and_filled_with_its_last(count: int):
    found = cycles(block_of(count, (IN,), "rows"))
    assert [("rows.claimed", True) in moves for moves in found] == [True] + [False] * (count - 1)
    assert [("rows.filled", True) in moves for moves in found] == [False] * (count - 1) + [True]
    assert all(("in0", False) in moves for moves in found)


def test_elementwise():
    (stage,) = elementwise(3, inputs=2)
    assert cycles(stage.program) == [moved(IN, Read("in1"), OUT)] * 3

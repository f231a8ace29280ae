"""The geometry of a product against its loops, written out one sum after another."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import AttentionScores, AttentionValues
from hls_projects.operators.attention.geometry import Geometry
from hls_projects.operators.attention.product import AttentionProduct
from tests.support.operators import make_operator

LANES = {AttentionScores: "parallel_keys", AttentionValues: "parallel_channels"}


def make(
    cls: type[AttentionProduct], load: int, loads: int, heads: int, channels: int, parallel_heads: int, lanes: int
) -> AttentionProduct:
    sizes = {"n_tokens": 2 * loads * load, "tile_size": load, "load_size": load, "n_window": loads * load}
    folding = {"parallel_heads": parallel_heads, LANES[cls]: lanes}
    return make_operator(
        cls, ["INT8", "INT8"], "INT8", **sizes, n_heads=heads, head_dim=channels, out_shift=8, **folding
    )


def naive_groups(geometry: Geometry, results: list[tuple[int, int, int]]) -> list[list[tuple[int, int, int]]]:
    """Results (head, load, sum) that are computed together, in order: as many heads and lanes as fit, the rest last."""
    groups: dict[tuple[int, int, int], list[tuple[int, int, int]]] = {}
    for head, load, index in results:
        group = head // geometry.parallel_heads, load, index // geometry.lanes
        groups.setdefault(group, []).append((head, load, index))
    return [groups[group] for group in sorted(groups)]


@given(
    cls=st.sampled_from(list(LANES)),
    load=st.integers(1, 5),
    loads=st.integers(1, 3),
    heads=st.integers(1, 5),
    channels=st.integers(1, 6),
    data=st.data(),
)
def test_loops_cover_every_sum_once(cls, load, loads, heads, channels, data):
    parallel_heads = data.draw(st.integers(1, heads))
    lanes = data.draw(st.integers(1, load if cls is AttentionScores else channels))
    operator = make(cls, load, loads, heads, channels, parallel_heads, lanes)
    geometry = operator.geometry

    # Scores: a sum of `channels` products for every head and key. Values: one of all keys for every head and channel.
    sums, own_loads = (load, loads) if cls is AttentionScores else (channels, 1)
    groups = naive_groups(geometry, list(itertools.product(range(heads), range(own_loads), range(sums))))
    assert geometry.query_groups == len(groups)
    assert geometry.group_steps == (channels if cls is AttentionScores else loads * load) == operator.n_products
    assert geometry.group_sums == max(map(len, groups)) == parallel_heads * lanes
    # The last group has the last pass's heads and the last lanes.
    assert len(groups[-1]) == geometry.last_heads * geometry.last_lanes
    assert geometry.query_cycles == len(groups) * max(geometry.group_steps, parallel_heads * lanes)
    assert geometry.queries_per_load * geometry.loads_per_image == operator.size("n_tokens")


def addresses(*counts: int) -> int:
    """Addresses of a memory whose indices of ``counts`` values each take whole bits."""
    total = 1
    for count in counts:
        while count > 1:
            total *= 2
            count = -(-count // 2)
    return total


@given(
    cls=st.sampled_from(list(LANES)),
    load=st.integers(1, 9),
    loads=st.integers(1, 3),
    heads=st.integers(1, 5),
    channels=st.integers(1, 20),
    data=st.data(),
)
def test_memories_hold_what_the_loops_index(cls, load, loads, heads, channels, data):
    parallel_heads = data.draw(st.integers(1, heads))
    lanes = data.draw(st.integers(1, load if cls is AttentionScores else channels))
    geometry = make(cls, load, loads, heads, channels, parallel_heads, lanes).geometry
    passes, groups = geometry.passes, geometry.groups

    assert 1 << geometry.stored_address == addresses(passes, loads + 1, groups, geometry.steps)
    query = addresses(passes, geometry.sum_loads, geometry.steps)
    assert geometry.queries_in_luts == (2 * query <= 64)
    assert 1 << geometry.shared_address == query * (2 if geometry.queries_in_luts else 4)
    result = addresses(passes, parallel_heads, geometry.result_loads, groups, lanes)
    assert geometry.results_in_luts == (2 * result <= 256 and geometry.query_cycles >= 2 * result)
    assert 1 << geometry.result_address == result * (2 if geometry.results_in_luts else 4)


@pytest.mark.parametrize("cls", LANES)
def test_geometry_follows_the_node(cls):
    operator = make(cls, 4, 2, 2, 4, 1, 1)
    before = operator.geometry
    assert operator.geometry is before
    operator.fold({LANES[cls]: 2})
    assert (operator.geometry.lanes, operator.geometry.groups) == (2, before.groups // 2)
    operator.fold({LANES[cls]: 1})
    assert operator.geometry is before
    operator.set_nodeattr("n_heads", 3)
    assert (operator.geometry.heads, operator.geometry.passes) == (3, 3)

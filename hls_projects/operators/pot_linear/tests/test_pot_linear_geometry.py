"""A geometry's numbers agree with each other, with the memories, and with what the Verilog checks of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hls_projects.errors import InputError
from hls_projects.operators import PotLinear
from hls_projects.operators.pot_linear.geometry import BUCKET_WORDS, FAN_IN, KINDS, Geometry
from hls_projects.operators.pot_linear.tests.test_pot_linear_twin import layer
from hls_projects.rtl.synthesis import sources, synthesise

LAYERS = {
    (n_in, n_out, sparse, bits): layer(
        np.random.default_rng(0), n_in, n_out, sparse=sparse, formats=(*bits, "INT8", "INT8"), n_tokens=4
    )
    for n_in, n_out in ((16, 9), (48, 45), (96, 70))
    for sparse in (0, 1)
    for bits in ((3, 0), (3, 2))
}


@st.composite
def folded(draw: st.DrawFn) -> PotLinear:
    """A layer with any folding that the Verilog has."""
    sizes = draw(st.sampled_from(sorted(LAYERS)))
    kinds = [kind for kind in KINDS if sizes[2] or not kind[1]]
    element, sparse = draw(st.sampled_from(kinds))
    operator = LAYERS[sizes]
    operator.fold(
        {
            "pe": draw(st.integers(1, sizes[1])),
            "parallel_tokens": draw(st.sampled_from([1, 2])),
            "result_buffers": draw(st.sampled_from([1, 2])),
            "element": element,
            "sparse": sparse,
        }
    )
    return operator


@settings(deadline=None)
@given(operator=folded())
def test_groups_passes_and_order(operator):
    """Every group works on every block once, and is drained once, after its last block and before the next token."""
    geometry = operator.geometry
    assert sum(geometry.passes) == geometry.groups
    assert geometry.pe * (geometry.groups - 1) < geometry.layer.n_out <= geometry.pe * geometry.groups
    assert max(geometry.passes) - min(geometry.passes) <= 1
    assert max(geometry.passes) <= 1 << geometry.bucket_set_bits
    if geometry.sparse:
        assert (geometry.layer.powers.bit_length() + geometry.bucket_set_bits) <= BUCKET_WORDS.bit_length() - 1
    works = [step for step in geometry.order if step[1] is not None]
    assert sorted(works) == [(g, b) for g in range(geometry.groups) for b in range(geometry.blocks)]
    drains = [group for group, block in geometry.order if block is None]
    assert drains == list(range(geometry.groups))
    for group in drains:
        assert geometry.order.index((group, geometry.blocks - 1)) < geometry.order.index((group, None))


@settings(deadline=None, max_examples=30)
@given(operator=folded())
def test_memories_have_the_words_that_the_module_reads(operator):
    geometry, twin = operator.geometry, operator.twin()
    assert len(twin.memories["weights"].words) == geometry.weight_words
    assert len(twin.memories["constants"].words) == geometry.groups * geometry.pe
    if geometry.element == "bucket":
        assert len(twin.memories["drained"].words) == geometry.groups * geometry.drain_cycles + 1
    else:
        assert "drained" not in twin.memories


@pytest.mark.parametrize("pe, levels", [(1, 1), (6, 1), (7, 2), (36, 2), (37, 3), (216, 3), (217, 4)])
def test_read_out_levels(pe, levels):
    geometry = dataclasses.replace(LAYERS[96, 70, 0, (3, 0)].geometry, pe=pe, tokens=1)
    assert geometry.read_out_levels == levels and FAN_IN**levels >= pe


def test_a_geometry_cannot_be_changed_and_is_worked_out_once():
    operator = LAYERS[48, 45, 0, (3, 0)]
    operator.fold({"pe": 9, "parallel_tokens": 1, "result_buffers": 1, "element": "dsp", "sparse": 0})
    geometry = operator.geometry
    with pytest.raises(dataclasses.FrozenInstanceError):
        geometry.pe = 5
    operator.fold({"pe": 5})
    assert operator.geometry.pe == 5
    operator.fold({"pe": 9})
    assert operator.geometry is geometry


def test_an_element_has_buckets_for_one_group_at_least():
    """A format of more powers than its RAM has words."""
    wide = dataclasses.replace(LAYERS[48, 45, 1, (3, 0)].layer, powers=40)
    geometry: Geometry = dataclasses.replace(LAYERS[48, 45, 1, (3, 0)].geometry, layer=wide, sparse=True)
    assert set(geometry.passes) == {1}


@pytest.mark.yosys
@pytest.mark.parametrize(
    "changes, message",
    [
        ({"GROUPS": 5}, "GROUPS must be N_OUT / PE, rounded up"),
        ({"LARGE_PASSES": 1}, "the groups of all passes must be GROUPS"),
        ({"REPLAY": 0}, "REPLAY must be 1"),
        ({"STEPS": 7}, "WEIGHT_WORDS must be a word a step"),
        ({"ADDITION_DELAY": 3}, "ADDITION_DELAY must be that of the elements"),
        ({"READ_OUT_LEVELS": 3}, "READ_OUT_LEVELS must be as many"),
        ({"X_WIDTH": 9}, "X_WIDTH must be that of a signed input"),
        ({"RESULT_WIDTH": 30}, "RESULT_WIDTH is not that of the element"),
        ({"RESULT_BUFFERS": 3}, "RESULT_BUFFERS must be 1 or 2"),
        ({"SUM_WIDTH": 8, "RESULT_WIDTH": 14}, "SUM_WIDTH is too small"),
        ({"FIRST_SLOTS": 33}, "FIRST_SLOTS must be a multiple of RESERVED_SLOTS"),
        ({"BUCKET_SET_WIDTH": 0}, "OVERLAP needs|BUCKET_SET_WIDTH is too small"),
    ],
)
def test_verilog_rejects_a_geometry_that_does_not_agree(changes, message):
    operator = LAYERS[48, 45, 1, (3, 0)]
    operator.fold({"pe": 9, "parallel_tokens": 2, "result_buffers": 1, "element": "bucket", "sparse": 1})
    twin = operator.twin()
    assert twin.parameters["OVERLAP"] == twin.parameters["REPLAY"] == 1
    with pytest.raises(InputError, match=message):
        synthesise(twin.module, dict(twin.parameters) | changes, sources(operator.verilog_folder()), twin.memories)

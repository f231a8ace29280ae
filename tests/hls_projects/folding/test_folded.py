"""A graph with given foldings, and a folded graph made again from what was found before."""

from __future__ import annotations

import pytest
from qonnx.core.modelwrapper import ModelWrapper

from hls_projects.dataflow.sizing import depths_in_use
from hls_projects.folding.choices import operators_of
from hls_projects.folding.folded import interconnect_resources, restore, with_foldings
from hls_projects.folding.options import FoldingError, FoldOptions
from hls_projects.folding.search import fold
from hls_projects.lowering.merging import merged
from hls_projects.targets import load_target

PYNQ = load_target("pynq-z2")


def test_foldings_of_both_forms_are_refused(lowered: ModelWrapper):
    foldings = {
        name: operator.folding_now()
        for model in (lowered, merged(lowered))
        for name, operator in operators_of(model).items()
        if operator.fold_attributes()
    }
    with pytest.raises(FoldingError, match=r"^there is no operator blocks_0_attn_k that can be folded$"):
        with_foldings(lowered, foldings)


def test_restored_from_its_foldings_and_depths_a_folded_graph_is_the_same(lowered: ModelWrapper):
    found = fold(lowered, PYNQ, FoldOptions(fps=500), lambda network, _: depths_in_use(network))
    again = restore(lowered, PYNQ, found.plan.foldings, found.depths)
    assert (again.plan, again.network, again.kernels, again.depths) == (
        found.plan, found.network, found.kernels, found.depths,
    )  # fmt: skip


def test_deeper_fifos_need_more_resources(lowered: ModelWrapper):
    found = fold(lowered, PYNQ, FoldOptions(fps=500), lambda network, _: depths_in_use(network))
    deeper = found.with_depths({name: 4 * depth for name, depth in found.depths.items()})
    assert deeper.plan.choices == found.plan.choices
    assert deeper.plan.fixed == interconnect_resources(found.network, deeper.depths)
    assert deeper.plan.resources.LUT > found.plan.resources.LUT

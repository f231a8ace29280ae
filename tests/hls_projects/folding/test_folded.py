"""Which form of a graph is folded: layers that read the same stream as one, or apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.export import export
from hls_projects.cost import Cost, Resources
from hls_projects.dataflow import NetworkError
from hls_projects.dataflow.sizing import in_use
from hls_projects.folding import folded
from hls_projects.folding.choices import (
    Choice,
    FoldingError,
    Plan,
    TooSmallError,
    choices,
    folding_file,
    operators_of,
)
from hls_projects.folding.folded import FoldOptions, fold, with_foldings
from hls_projects.lowering import lower
from hls_projects.lowering.merging import merged, separated
from hls_projects.operators import DOMAIN
from hls_projects.targets import load_target
from tests.support.models import random_model, tiny_config

PYNQ = load_target("pynq-z2")
# Of the tiny model's merged layer: 16 tokens of three times 16 codes.
STREAM = 16 * 3 * 16
NEAR = int(folded.NEAR * STREAM)
CLOCKS_A_SECOND = PYNQ.clock_mhz * 1e6
WHOLE, PARTS = "blocks_0_attn_qkv", {"blocks_0_attn_q", "blocks_0_attn_k", "blocks_0_attn_v"}
TOGETHER, APART = "together", "apart"
Outcome = Plan | Exception


def plan(interval: int, lut: int = 1000) -> Plan:
    return Plan({"operator": Choice({}, Cost(interval, Resources(LUT=lut)))}, Resources())


def form(model: ModelWrapper) -> str:
    return TOGETHER if WHOLE in operators_of(model) else APART


@pytest.fixture
def folds(lowered: ModelWrapper, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Plan, list[str]]]:
    """Fold the tiny model where each form has the outcome that is given; returns the plan, and which were tried."""
    monkeypatch.setattr(folded._Form, "merged_cycles", STREAM)

    def run(options: FoldOptions, together: Outcome, apart: Outcome) -> tuple[Plan, list[str]]:
        tried = []

        def outcome(of, *rest):
            tried.append(form(of.model))
            found = {TOGETHER: together, APART: apart}[tried[-1]]
            if isinstance(found, Exception):
                raise found
            return folded.Folded(of.model, found, None, None, {})

        monkeypatch.setattr(folded, "_fold", outcome)
        return fold(lowered, PYNQ, options, lambda *networks: {}).plan, tried

    return run


SMALL, SLOW = TooSmallError("small"), FoldingError("slow")
FAST, MERGED_IS_BEST = plan(STREAM // 2), plan(NEAR + 1)


@pytest.mark.parametrize(
    "cycles, together, apart, chosen, tried",
    [
        (None, MERGED_IS_BEST, FAST, TOGETHER, [TOGETHER]),
        (None, plan(NEAR), FAST, APART, [TOGETHER, APART]),
        (None, plan(NEAR), plan(NEAR), TOGETHER, [TOGETHER, APART]),
        (None, plan(STREAM), plan(STREAM + 1), TOGETHER, [TOGETHER, APART]),
        (None, plan(STREAM), SMALL, TOGETHER, [TOGETHER, APART]),
        (STREAM - 1, plan(STREAM), FAST, APART, [APART]),
        (STREAM, plan(STREAM, 800), plan(STREAM, 900), TOGETHER, [TOGETHER, APART]),
        (STREAM, plan(STREAM, 900), plan(STREAM, 800), APART, [TOGETHER, APART]),
        (STREAM, SMALL, FAST, APART, [TOGETHER, APART]),
        (STREAM, SLOW, FAST, APART, [TOGETHER, APART]),
        (STREAM, plan(STREAM), NetworkError("depths of the other form"), TOGETHER, [TOGETHER, APART]),
        (NEAR + 1, plan(NEAR + 1, 900), plan(NEAR + 1, 800), TOGETHER, [TOGETHER]),
    ],
)
def test_the_form_that_is_chosen(folds, cycles, together, apart, chosen, tried):
    fps = None if cycles is None else CLOCKS_A_SECOND / cycles
    assert folds(FoldOptions(fps=fps), together, apart) == ({TOGETHER: together, APART: apart}[chosen], tried)


def test_a_board_that_is_too_small_is_told_from_the_smaller_form(folds):
    with pytest.raises(FoldingError, match=r"^small, however slow$"):
        folds(FoldOptions(), SMALL, plan(STREAM))


def test_the_most_that_would_fit_is_that_of_the_better_form(lowered: ModelWrapper, monkeypatch: pytest.MonkeyPatch):
    """Asked for more than the merged stream carries, which only the other form could do, and on a larger board."""

    def outcome(of, target, options, sized):
        if options.fps or form(of.model) == APART:
            raise SMALL
        return folded.Folded(of.model, plan(1000), None, None, {})

    monkeypatch.setattr(folded._Form, "merged_cycles", STREAM)
    monkeypatch.setattr(folded, "_fold", outcome)
    with pytest.raises(FoldingError, match=r"^small; 100,000 images/s would fit$"):
        fold(lowered, PYNQ, FoldOptions(fps=CLOCKS_A_SECOND / (STREAM - 1)), lambda *networks: {})


@pytest.mark.parametrize("dense", [False, True])
def test_what_a_merged_layer_needs_at_least(lowered: ModelWrapper, dense: bool):
    made = merged(lowered)
    quickest = min(choice.cost.cycles for choice in choices(operators_of(made)[WHOLE], use_zeros=not dense))
    assert folded._Form(made, dense).merged_cycles == quickest >= STREAM


def test_the_graph_that_was_given_stays_as_it_is(lowered: ModelWrapper):
    before = lowered.model.SerializeToString(deterministic=True)
    found = fold(lowered, PYNQ, FoldOptions(), lambda network, _: in_use(network))
    assert lowered.model.SerializeToString(deterministic=True) == before
    operators = operators_of(found.model)
    assert WHOLE in operators and set(operators) >= PARTS
    assert set(found.plan.choices) == set(operators)
    assert {name: operators[name].folding_now() for name in found.plan.foldings} == found.plan.foldings


@pytest.mark.parametrize("name", [TOGETHER, APART])
def test_a_file_says_which_form_is_meant_whatever_form_is_given(lowered: ModelWrapper, tmp_path: Path, name: str):
    wanted = {TOGETHER: merged, APART: separated}[name](lowered)
    foldings = {name: o.folding_now() for name, o in operators_of(wanted).items() if o.fold_attributes()}
    foldings["patch_embed"] |= {"pe": 4}
    (tmp_path / "folding.json").write_text(folding_file(foldings))
    for given in (lowered, merged(lowered)):
        found = fold(given, PYNQ, FoldOptions(file=tmp_path / "folding.json"), lambda network, _: in_use(network))
        assert form(found.model) == name and found.plan.foldings == foldings
        assert [node.name for node in found.model.graph.node] == [node.name for node in wanted.graph.node]


def test_foldings_of_both_forms_are_refused(lowered: ModelWrapper):
    foldings = {
        name: operator.folding_now()
        for model in (lowered, merged(lowered))
        for name, operator in operators_of(model).items()
        if operator.fold_attributes()
    }
    with pytest.raises(FoldingError, match=r"^there is no operator blocks_0_attn_k that can be folded$"):
        with_foldings(lowered, foldings)


def test_folding_again_gives_the_same_bytes(lowered: ModelWrapper):
    """A build from its folding on reads the graph that it left."""
    first = fold(lowered, PYNQ, FoldOptions(fps=500), lambda network, _: in_use(network)).model
    again = fold(first, PYNQ, FoldOptions(fps=500), lambda network, _: in_use(network)).model
    assert again.model.SerializeToString(deterministic=True) == first.model.SerializeToString(deterministic=True)
    assert any(node.domain == DOMAIN and node.name == WHOLE for node in again.graph.node)


def test_layers_stay_apart_where_their_stream_would_be_the_slowest(tmp_path: Path):
    model = lower(export(random_model(tiny_config(embed_dim=32, num_heads=1, patch_size=4)), tmp_path / "model.onnx"))
    target = load_target("kv260")
    stream = 64 * 3 * 32
    found = fold(model, target, FoldOptions(), lambda network, _: in_use(network))
    assert form(found.model) == APART and found.plan.interval_cycles < stream
    fps = target.clock_mhz * 1e6 / (2 * stream)
    slower = fold(model, target, FoldOptions(fps=fps), lambda network, _: in_use(network))
    assert form(slower.model) == TOGETHER and stream <= slower.plan.interval_cycles <= 2 * stream

"""The form of a graph that is folded: its layers merged or separate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.export import export
from hls_projects.cost import Cost, Resources
from hls_projects.dataflow import NetworkError
from hls_projects.dataflow.sizing import depths_in_use
from hls_projects.folding import search
from hls_projects.folding.choices import Choice, choices, operators_of
from hls_projects.folding.folded import Folded
from hls_projects.folding.json_file import foldings_text
from hls_projects.folding.options import FoldingError, FoldOptions, TooSmallError
from hls_projects.folding.plan import Plan
from hls_projects.folding.search import fold
from hls_projects.lowering import lower
from hls_projects.lowering.merging import merged, separated
from hls_projects.operators import DOMAIN
from hls_projects.targets import load_target
from tests.support.models import random_model, tiny_config

PYNQ = load_target("pynq-z2")
# Cycles of the tiny model's merged layer: 16 tokens of three times 16 codes, one code a cycle.
STREAM = 16 * 3 * 16
NEAR = int(search.NEAR * STREAM)
CYCLES_A_SECOND = PYNQ.clock_mhz * 1e6
WHOLE, PARTS = "blocks_0_attn_qkv", {"blocks_0_attn_q", "blocks_0_attn_k", "blocks_0_attn_v"}
MERGED_FORM, SEPARATE = "merged", "separate"
Outcome = Plan | Exception


def plan(interval: int, lut: int = 1000) -> Plan:
    return Plan({"operator": Choice({}, Cost(interval, Resources(LUT=lut)))}, Resources())


def form(model: ModelWrapper) -> str:
    return MERGED_FORM if WHOLE in operators_of(model) else SEPARATE


@pytest.fixture
def folds(lowered: ModelWrapper, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Plan, list[str]]]:
    """Fold the tiny model with a given outcome for each form; returns the plan and the forms that were tried."""
    monkeypatch.setattr(search._Form, "merged_cycles", STREAM)

    def run(options: FoldOptions, merged_form: Outcome, separate: Outcome) -> tuple[Plan, list[str]]:
        tried = []

        def outcome(of, *rest):
            tried.append(form(of.model))
            found = {MERGED_FORM: merged_form, SEPARATE: separate}[tried[-1]]
            if isinstance(found, Exception):
                raise found
            return Folded(of.model, found, None, None, {})

        monkeypatch.setattr(search, "_fold_form", outcome)
        return fold(lowered, PYNQ, options, lambda *networks: {}).plan, tried

    return run


SMALL, SLOW = TooSmallError("small"), FoldingError("slow")
FAST, MERGED_IS_BEST = plan(STREAM // 2), plan(NEAR + 1)


@pytest.mark.parametrize(
    "cycles, merged_form, separate, chosen, tried",
    [
        (None, MERGED_IS_BEST, FAST, MERGED_FORM, [MERGED_FORM]),
        (None, plan(NEAR), FAST, SEPARATE, [MERGED_FORM, SEPARATE]),
        (None, plan(NEAR), plan(NEAR), MERGED_FORM, [MERGED_FORM, SEPARATE]),
        (None, plan(STREAM), plan(STREAM + 1), MERGED_FORM, [MERGED_FORM, SEPARATE]),
        (None, plan(STREAM), SMALL, MERGED_FORM, [MERGED_FORM, SEPARATE]),
        (STREAM - 1, plan(STREAM), FAST, SEPARATE, [SEPARATE]),
        (STREAM, plan(STREAM, 800), plan(STREAM, 900), MERGED_FORM, [MERGED_FORM, SEPARATE]),
        (STREAM, plan(STREAM, 900), plan(STREAM, 800), SEPARATE, [MERGED_FORM, SEPARATE]),
        (STREAM, SMALL, FAST, SEPARATE, [MERGED_FORM, SEPARATE]),
        (STREAM, SLOW, FAST, SEPARATE, [MERGED_FORM, SEPARATE]),
        (STREAM, plan(STREAM), NetworkError("depths of the other form"), MERGED_FORM, [MERGED_FORM, SEPARATE]),
        (NEAR + 1, plan(NEAR + 1, 900), plan(NEAR + 1, 800), MERGED_FORM, [MERGED_FORM]),
    ],
)
def test_the_form_that_is_chosen(folds, cycles, merged_form, separate, chosen, tried):
    fps = None if cycles is None else CYCLES_A_SECOND / cycles
    assert folds(FoldOptions(fps=fps), merged_form, separate) == (
        {MERGED_FORM: merged_form, SEPARATE: separate}[chosen],
        tried,
    )


def test_the_smaller_form_says_what_is_short(folds):
    with pytest.raises(FoldingError, match=r"^small, even at the lowest throughput$"):
        folds(FoldOptions(), SMALL, plan(STREAM))


def test_the_most_that_would_fit_is_that_of_the_better_form(lowered: ModelWrapper, monkeypatch: pytest.MonkeyPatch):
    """More is asked for than the merged stream carries: only the separate form could do it, on a larger board."""

    def outcome(of, target, options, size_fifos):
        if options.fps or form(of.model) == SEPARATE:
            raise SMALL
        return Folded(of.model, plan(1000), None, None, {})

    monkeypatch.setattr(search._Form, "merged_cycles", STREAM)
    monkeypatch.setattr(search, "_fold_form", outcome)
    with pytest.raises(FoldingError, match=r"^small; 100,000 images/s would fit$"):
        fold(lowered, PYNQ, FoldOptions(fps=CYCLES_A_SECOND / (STREAM - 1)), lambda *networks: {})


@pytest.mark.parametrize("dense", [False, True])
def test_merged_cycles_are_those_of_the_fastest_choice(lowered: ModelWrapper, dense: bool):
    made = merged(lowered)
    quickest = min(choice.cost.cycles for choice in choices(operators_of(made)[WHOLE], use_zeros=not dense))
    assert search._Form(made, dense).merged_cycles == quickest >= STREAM


def test_the_graph_that_was_given_stays_as_it_is(lowered: ModelWrapper):
    before = lowered.model.SerializeToString(deterministic=True)
    found = fold(lowered, PYNQ, FoldOptions(), lambda network, _: depths_in_use(network))
    assert lowered.model.SerializeToString(deterministic=True) == before
    operators = operators_of(found.model)
    assert WHOLE in operators and set(operators) >= PARTS
    assert set(found.plan.choices) == set(operators)
    assert {name: operators[name].folding_now() for name in found.plan.foldings} == found.plan.foldings


@pytest.mark.parametrize("name", [MERGED_FORM, SEPARATE])
def test_a_file_says_which_form_is_meant_whatever_form_is_given(lowered: ModelWrapper, tmp_path: Path, name: str):
    wanted = {MERGED_FORM: merged, SEPARATE: separated}[name](lowered)
    foldings = {name: o.folding_now() for name, o in operators_of(wanted).items() if o.fold_attributes()}
    foldings["patch_embed"] |= {"pe": 4}
    (tmp_path / "folding.json").write_text(foldings_text(foldings))
    for given in (lowered, merged(lowered)):
        found = fold(
            given, PYNQ, FoldOptions(file=tmp_path / "folding.json"), lambda network, _: depths_in_use(network)
        )
        assert form(found.model) == name and found.plan.foldings == foldings
        assert [node.name for node in found.model.graph.node] == [node.name for node in wanted.graph.node]


def test_folding_again_gives_the_same_bytes(lowered: ModelWrapper):
    """A build from its folding on reads the graph that it left."""
    first = fold(lowered, PYNQ, FoldOptions(fps=500), lambda network, _: depths_in_use(network)).model
    again = fold(first, PYNQ, FoldOptions(fps=500), lambda network, _: depths_in_use(network)).model
    assert again.model.SerializeToString(deterministic=True) == first.model.SerializeToString(deterministic=True)
    assert any(node.domain == DOMAIN and node.name == WHOLE for node in again.graph.node)


def test_layers_are_separate_where_their_stream_would_be_the_slowest(tmp_path: Path):
    model = lower(export(random_model(tiny_config(embed_dim=32, num_heads=1, patch_size=4)), tmp_path / "model.onnx"))
    target = load_target("kv260")
    stream = 64 * 3 * 32
    found = fold(model, target, FoldOptions(), lambda network, _: depths_in_use(network))
    assert form(found.model) == SEPARATE and found.plan.interval_cycles < stream
    fps = target.clock_mhz * 1e6 / (2 * stream)
    slower = fold(model, target, FoldOptions(fps=fps), lambda network, _: depths_in_use(network))
    assert form(slower.model) == MERGED_FORM and stream <= slower.plan.interval_cycles <= 2 * stream

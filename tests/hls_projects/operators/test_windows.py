"""Windowed attention from the recipe to C++, and lowering's refusal of masks that are no windows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from brevitas_model.checkpoint import save_checkpoint
from brevitas_model.config import ConfigError
from brevitas_model.training.recipe import load_recipe
from flows import build
from hls_projects.graphs.qonnx_file import run_images
from hls_projects.lowering import LoweringError, lower
from hls_projects.operators import AttentionScores, AttentionValues, HardwareOperator, IntegerSoftmax
from hls_projects.operators.attention.window import Window
from tests.support.models import patterns, random_model, tiny_config

WINDOWED = tiny_config(attention="windowed", tile_size=4, context_tiles=1, token_order="blocks")
IMAGES = 4


@pytest.fixture(scope="module")
def windowed_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("windowed")
    save_checkpoint(folder / "windowed.safetensors", random_model(WINDOWED), {})
    np.save(folder / "patterns.npy", patterns(IMAGES))
    given = ["--checkpoint", str(folder / "windowed.safetensors"), "--inputs", str(folder / "patterns.npy")]
    assert build.main([*given, "--trace", "--out", str(folder / "out")]) == 0
    return folder / "out"


@pytest.fixture
def windowed(windowed_build: Path) -> ModelWrapper:
    """The QONNX graph, to be changed at will."""
    return ModelWrapper(str(windowed_build / "model.qonnx.onnx"))


def attention(lowered: ModelWrapper) -> list[HardwareOperator]:
    found = [getCustomOp(node) for node in lowered.graph.node]
    return [op for op in found if isinstance(op, AttentionScores | IntegerSoftmax | AttentionValues)]


def test_every_stage_agrees_on_every_logit(windowed_build: Path):
    report = json.loads((windowed_build / "report.json").read_text())
    assert set(report["mismatched_logits"].values()) == {0} and report["max_bits"] <= 24
    assert report["trace"]["first_difference"] is None and report["trace"]["operators"] == 21
    assert report["model"]["config"]["attention"] == "windowed"
    # Four tiles of four tokens, of which the first sees one tile and the others two; q·k and p·v.
    assert report["macs"]["attention"] == 2 * (4 * 4 + 3 * 4 * 8) * 16
    logits = np.load(windowed_build / "logits_csim.npy")
    assert len(np.unique(logits, axis=0)) > IMAGES // 2


def test_operators_hold_the_window(windowed_build: Path):
    found = attention(ModelWrapper(str(windowed_build / "lowered.onnx")))
    assert [op.window for op in found] == [Window.of_tiles(16, tile_size=4, context_tiles=1)] * 3
    assert found[0].output_shape() == found[1].output_shape() == (16, 2 * 8)


@pytest.mark.parametrize("operator", [AttentionScores, IntegerSoftmax])
def test_trace_names_slot_and_token(
    windowed_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operator: type[HardwareOperator]
):
    out = shutil.copytree(windowed_build, tmp_path / "out")
    execute = operator.execute

    def one_wrong(self: HardwareOperator, *inputs: np.ndarray) -> np.ndarray:
        codes = execute(self, *inputs)
        codes[-1, 5, 11] += 1
        return codes

    monkeypatch.setattr(operator, "execute", one_wrong)
    assert build.main(["--from", "compare", "--trace", "--out", str(out)]) == 1
    first = json.loads((out / "report.json").read_text())["trace"]["first_difference"]
    assert (
        first["operator"]
        == {AttentionScores: "blocks_0_attn_scores", IntegerSoftmax: "blocks_0_attn_softmax"}[operator]
    )
    assert (first["image"], first["index"], first["got"]) == (IMAGES - 1, [5, 11], first["expected"] + 1)


# Masks


def product_of(model: ModelWrapper, tensor: str) -> NodeProto:
    """The first ``Mul`` of a tensor of the softmax, by a part of its name."""
    return next(node for node in model.graph.node if node.op_type == "Mul" and tensor in "".join(node.input))


def mask_scores(model: ModelWrapper) -> NodeProto:
    return product_of(model, "score_quant")


def mask_exponentials(model: ModelWrapper) -> NodeProto:
    return product_of(model, "exp_quant")


def change_mask(model: ModelWrapper, node: NodeProto, place: tuple[int, int], value: float) -> None:
    index = next(i for i, name in enumerate(node.input) if model.get_initializer(name) is not None)
    mask = model.get_initializer(node.input[index]).copy()
    mask[..., place[0], place[1]] = value
    node.input[index] = f"{node.name}_changed"
    model.set_initializer(node.input[index], mask)


def a_key_more(model: ModelWrapper) -> None:
    change_mask(model, mask_scores(model), (0, 9), 1.0)


def a_key_less(model: ModelWrapper) -> None:
    change_mask(model, mask_scores(model), (9, 9), 0.0)


def half_a_key(model: ModelWrapper) -> None:
    change_mask(model, mask_scores(model), (9, 9), 0.5)


def other_sum(model: ModelWrapper) -> None:
    change_mask(model, mask_exponentials(model), (0, 9), 1.0)


def other_filling(model: ModelWrapper) -> None:
    change_mask(model, product_of(model, "ReduceMin"), (0, 9), 0.0)


def no_mask_of_the_sum(model: ModelWrapper) -> None:
    mask = mask_exponentials(model)
    exp = next(name for name in mask.input if "exp_quant" in name)
    for node in model.graph.node:
        node.input[:] = [exp if name == mask.output[0] else name for name in node.input]
    model.graph.node.remove(mask)


def no_mask_of_the_maximum(model: ModelWrapper) -> None:
    mask = mask_scores(model)
    scores = next(name for name in mask.input if "score_quant" in name)
    hidden = model.find_consumer(mask.output[0]).output[0]
    for node in model.graph.node:
        node.input[:] = [scores if name == hidden else name for name in node.input]


@pytest.mark.parametrize(
    "change, message",
    [
        (a_key_more, r"Mul node blocks_0_attn_softmax_Mul: its constant is the mask of no tile_size and context_tiles"),
        (a_key_less, r"Mul node blocks_0_attn_softmax_Mul: its constant is the mask of no tile_size"),
        (half_a_key, r"Mul node blocks_0_attn_softmax_Mul: its constant is the mask of no tile_size"),
        (other_sum, r"Mul node blocks_0_attn_softmax_Mul_3: its constant does not fit the mask of \w+softmax_Mul"),
        (other_filling, r"Mul node blocks_0_attn_softmax_Mul_1: its constant does not fit the mask of \w+softmax_Mul"),
        (no_mask_of_the_sum, r"Mul node blocks_0_attn_softmax_Mul: the keys that it masks still count in the sum"),
        (no_mask_of_the_maximum, r"Mul node blocks_0_attn_softmax_Mul_3: a key that it masks may be the row's maximum"),
    ],
)
def test_a_mask_of_no_window_is_refused(windowed: ModelWrapper, change: Callable[[ModelWrapper], None], message: str):
    change(windowed)
    with pytest.raises(LoweringError, match=message):
        lower(windowed)


# Tiles of global attention


@pytest.mark.parametrize("stored, tile_size", [(None, 8), ("1", 1), ("5", 5), ("64", 16)])
def test_tiles_of_global_attention_order_the_work_only(qonnx: ModelWrapper, stored: str | None, tile_size: int):
    """The file says the tile; without it there is a default, and never more than the tokens."""
    expected = run_images(lower(qonnx), patterns(2))
    del qonnx.model.metadata_props[:]
    if stored:
        qonnx.set_metadata_prop("tile_size", stored)
    lowered = lower(qonnx)
    assert [op.window for op in attention(lowered)] == [Window.whole(16, tile_size)] * 3
    assert np.array_equal(run_images(lowered, patterns(2)), expected)


@pytest.mark.parametrize("stored", ["0", "-4", "eight", "4.0"])
def test_a_tile_size_that_is_no_size_is_refused(qonnx: ModelWrapper, stored: str):
    qonnx.set_metadata_prop("tile_size", stored)
    with pytest.raises(LoweringError, match=f"metadata tile_size is '{stored}', not a positive integer"):
        lower(qonnx)


def test_exported_file_says_the_tile_size(qonnx: ModelWrapper):
    assert qonnx.get_metadata_prop("tile_size") == "8"


# Recipes


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["model.tile_size=24"], "tile_size 24 does not divide the 64 tokens of windowed attention"),
        (["model.global_pool=token"], 'attention "windowed" needs global_pool "mean": the class token is the first'),
        (["model.context_tiles=-1"], "context_tiles must be 0 or a positive integer, not -1"),
    ],
)
def test_a_recipe_of_no_windows_is_refused_in_a_line(overrides: list[str], message: str):
    with pytest.raises(ConfigError, match=message) as refused:
        load_recipe(Path("vit-pot4"), ["model.attention=windowed", *overrides])
    assert str(refused.value).startswith("recipe vit-pot4: ") and "\n" not in str(refused.value)


def test_a_recipe_of_windows_is_read():
    model = load_recipe(Path("vit-pot4"), ["model.attention=windowed", "model.token_order=blocks"]).model
    assert (model.attention, model.tile_size, model.context_tiles, model.token_order) == ("windowed", 8, 1, "blocks")

"""Graphs are put in order as by qonnx's own transformations, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.general import RemoveStaticGraphInputs, RemoveUnusedTensors, SortGraph
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.basic import qonnx_make_model

from brevitas_model import export
from brevitas_model.tidying import QUANTIZERS, NameByModule, tidy_up
from tests.support.models import random_model, tiny_config


def tidied_by_qonnx(model: ModelWrapper) -> ModelWrapper:
    """With all that qonnx cleans up after each step."""
    for transformation in (
        InferShapes(),
        FoldConstants(exclude_op_types=QUANTIZERS),
        RemoveUnusedTensors(),
        RemoveStaticGraphInputs(),
        SortGraph(),
        InferShapes(),
        NameByModule(),
    ):
        model = model.transform(transformation)
    return model


@pytest.mark.parametrize("changes", [{}, {"global_pool": "token"}, {"attention": "windowed", "tile_size": 4}])
def test_an_exported_model(changes: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = []
    monkeypatch.setattr(export, "tidy_up", lambda model: found.append(model.model.SerializeToString()) or model)
    export.export(random_model(tiny_config(**changes)), tmp_path / "model.onnx")
    tidy = tidy_up(ModelWrapper(found[0], fix_missing_initializer_valueinfo=False))
    assert len({tensor.name for tensor in tidy.graph.initializer}) == len(tidy.graph.initializer) > 0
    assert tidy.model == tidied_by_qonnx(ModelWrapper(found[0])).model


def test_a_graph_by_hand():
    """Nodes out of order, a constant that two of them read and one that is worked out, a tensor that nobody reads."""
    nodes = [
        helper.make_node("Add", ["scale", "product"], ["out"], name="last"),
        helper.make_node("Mul", ["in", "scale"], ["product"], name="first/Mul"),
        helper.make_node("Add", ["scale", "one"], ["two"], name="folded"),
        helper.make_node("Mul", ["in", "two"], ["lost"], name="lost"),
    ]
    stored = [numpy_helper.from_array(np.ones(1, np.float32), name) for name in ("scale", "one", "unused")]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("in", "out")]
    graph = helper.make_graph(nodes, "hand", ports[:1], ports[1:], stored)
    content = qonnx_make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString()
    tidy = tidy_up(ModelWrapper(content))
    assert [node.name for node in tidy.graph.node] == ["first_Mul", "lost", "last"]
    assert sorted(tensor.name for tensor in tidy.graph.initializer) == [
        "first_Mul_param1",
        "last_param1",
        "lost_param1",
    ]
    assert tidy.model == tidied_by_qonnx(ModelWrapper(content)).model
    assert ModelWrapper(content).model.SerializeToString() != tidy.model.SerializeToString()

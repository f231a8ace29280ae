"""Export: quantizers stay visible, names are unique, and QONNX gives torch's logits on every image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.export import export
from brevitas_model.vit import VisionTransformer
from hls_projects.graphs.qonnx_file import run_images
from hls_projects.lowering import lower
from hls_projects.operators import DOMAIN, OPERATORS, ChannelSlice
from tests.support.models import patterns, random_model, tiny_config

CHOICES = {
    "mean-gelu-pot4-channel": {},
    "token-relu-pot6-tensor": {
        "global_pool": "token", "activation": "relu", "weight_format": "pot6", "weight_scaling": "tensor",
    },
    "token-gelu-pot4-tensor-6bits": {"global_pool": "token", "weight_scaling": "tensor", "activation_bits": 6},
    "windows-blocks": {"attention": "windowed", "tile_size": 4, "context_tiles": 2, "token_order": "blocks"},
}  # fmt: skip


@pytest.fixture(scope="module", params=CHOICES.values(), ids=CHOICES)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[VisionTransformer, ModelWrapper]:
    model = random_model(tiny_config(**request.param))
    return model, export(model, tmp_path_factory.mktemp("export") / "model.onnx")


@torch.no_grad()
def test_torch_qonnx_and_lowered_agree_on_every_logit(exported: tuple[VisionTransformer, ModelWrapper]):
    model, graph = exported
    images = patterns(16)
    golden = model(torch.from_numpy(images).float()).numpy()
    assert len(np.unique(golden, axis=0)) > 8
    assert np.array_equal(run_images(graph, images), golden)
    lowered = lower(graph)
    codes = run_images(lowered, images)
    scale = 2.0 ** next(a.i for a in lowered.graph.node[-1].attribute if a.name == "scale_log2")
    assert np.array_equal(codes, np.rint(codes)) and np.array_equal(codes * scale, golden)


def test_every_lowered_node_is_of_our_domain(exported: tuple[VisionTransformer, ModelWrapper]):
    lowered = lower(exported[1])
    assert {node.domain for node in lowered.graph.node} == {DOMAIN}
    kinds = {node.op_type for node in lowered.graph.node}
    # Slices come with layers that are merged, see hls_projects/lowering/merging.py.
    assert kinds == {operator.__name__ for operator in OPERATORS if operator is not ChannelSlice}
    names = [node.name for node in lowered.graph.node]
    assert len(set(names)) == len(names) and all(name.isidentifier() for name in names)


def test_quantizers_stay_visible(exported: tuple[VisionTransformer, ModelWrapper]):
    model, graph = exported
    of_weights = {node.input[0] for node in graph.get_nodes_by_op_type("FloatQuant")}
    weights = [name for name in of_weights if graph.get_initializer(name) is not None]
    assert len(weights) == 8  # patches, q, k, v, proj, fc1, fc2, head
    mantissa_bits = {"pot4": 0, "pot6": 2}[model.config.weight_format]
    for node in graph.get_nodes_by_op_type("FloatQuant"):
        if node.input[0] in weights:
            assert graph.get_initializer(node.input[2]) == 3
            assert graph.get_initializer(node.input[3]) == mantissa_bits
    widths = {int(graph.get_initializer(node.input[3])) for node in graph.get_nodes_by_op_type("Quant")}
    assert {model.config.activation_bits, model.config.logit_bits} <= widths


def test_names_are_unique_identifiers(exported: tuple[VisionTransformer, ModelWrapper]):
    _, graph = exported
    names = [node.name for node in graph.graph.node]
    assert len(set(names)) == len(names) and all(name.isidentifier() for name in names)
    assert any(name.startswith("blocks_0_attn_q") for name in names)
    made = [tensor for node in graph.graph.node for tensor in node.output]
    assert len(set(made)) == len(made)


def test_shapes_are_known(exported: tuple[VisionTransformer, ModelWrapper]):
    _, graph = exported
    assert graph.get_tensor_shape("pixels") == [1, 32, 32, 3] and graph.get_tensor_shape("logits") == [1, 10]
    assert all(graph.get_tensor_shape(tensor) for node in graph.graph.node for tensor in node.output)


def test_file_is_the_returned_graph(tmp_path: Path):
    graph = export(random_model(tiny_config()), tmp_path / "m.onnx")
    assert ModelWrapper(str(tmp_path / "m.onnx")).model == graph.model


def test_float_model_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="a float model has no exact integer form"):
        export(random_model(tiny_config(weight_format="float")), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())

"""Linear layers that read the same tensor become one, which computes the same codes, and come apart again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from brevitas_model.export import export
from hls_projects.graphs.qonnx_file import run_images
from hls_projects.lowering import lower
from hls_projects.lowering.merging import joined, merged, merged_layers, separated, slices_of
from hls_projects.operators import ChannelSlice, Head, PotLinear
from tests.support.models import patterns, random_model, tiny_config
from tests.support.operators import mixed_codes

PARTS = ["blocks_0_attn_q", "blocks_0_attn_k", "blocks_0_attn_v"]
WHOLE = "blocks_0_attn_qkv"
IMAGES = 12
FORMATS = ("pot4", "pot6")


@pytest.fixture(scope="module", params=FORMATS)
def apart(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelWrapper:
    path = tmp_path_factory.mktemp("merging") / "model.onnx"
    return lower(export(random_model(tiny_config(weight_format=request.param, depth=2)), path))


def node_of(model: ModelWrapper, name: str) -> NodeProto:
    return next(node for node in model.graph.node if node.name == name)


def operator_of(model: ModelWrapper, name: str):
    return getCustomOp(node_of(model, name))


def content(model: ModelWrapper) -> bytes:
    return model.model.SerializeToString(deterministic=True)


def test_one_layer_and_a_slice_for_each_that_it_replaces(apart: ModelWrapper):
    made = merged(apart)
    names = [node.name for node in made.graph.node]
    index = names.index(WHOLE)
    assert names[index : index + 4] == [WHOLE, *PARTS]
    assert [name for name in names if "attn_qkv" not in name] == [node.name for node in apart.graph.node]
    assert {node.op_type for node in made.graph.node if node.name[9:] in ("attn_q", "attn_k", "attn_v")} == {
        ChannelSlice.__name__
    }
    whole, first = operator_of(made, WHOLE), operator_of(apart, PARTS[0])
    assert (whole.size("n_in"), whole.size("n_out")) == (16, 48)
    assert whole.macs() == sum(operator_of(apart, name).macs() for name in PARTS)
    assert whole.onnx_node.input[0] == first.onnx_node.input[0]
    assert [operator_of(made, name).size("first") for name in PARTS] == [0, 16, 32]
    assert all(node_of(made, name).output == node_of(apart, name).output for name in PARTS)


def test_the_same_logits(apart: ModelWrapper):
    images = patterns(IMAGES)
    expected = run_images(apart, images)
    assert len(np.unique(expected, axis=0)) == IMAGES
    np.testing.assert_array_equal(run_images(merged(apart), images), expected)


@pytest.mark.parametrize("codes", ["mixed", "lowest", "highest"])
def test_the_same_codes(apart: ModelWrapper, codes: str):
    made = merged(apart)
    whole = operator_of(made, WHOLE)
    dtype = whole.in_dtype()
    shape = IMAGES, *whole.input_shapes()[0]
    ends = {"lowest": dtype.min(), "highest": dtype.max()}
    x = mixed_codes(dtype.name, *shape) if codes == "mixed" else np.full(shape, int(ends[codes]))
    together = whole.execute(x)
    for name in PARTS:
        np.testing.assert_array_equal(operator_of(made, name).execute(together), operator_of(apart, name).execute(x))


def test_shapes_types_and_order_are_those_that_qonnx_infers(apart: ModelWrapper):
    made = merged(apart)
    known: set[str] = {made.graph.input[0].name}
    for node in made.graph.node:
        getCustomOp(node).verify_node()
        assert set(node.input) <= known
        known |= set(node.output)
    inferred = ModelWrapper(made.model, make_deepcopy=True)
    del inferred.graph.value_info[:]
    del inferred.graph.quantization_annotation[:]
    inferred = inferred.transform(InferShapes()).transform(InferDataTypes())
    for tensor in known - {made.graph.input[0].name}:
        assert made.get_tensor_shape(tensor) == inferred.get_tensor_shape(tensor)
        assert made.get_tensor_datatype(tensor) == inferred.get_tensor_datatype(tensor)


def test_a_merged_layer_comes_apart_to_the_same_bytes(apart: ModelWrapper):
    before = content(apart)
    made = merged(apart)
    assert content(apart) == before
    together = content(made)
    assert content(separated(made)) == before
    assert content(made) == together
    assert content(merged(separated(made))) == together


def test_nothing_to_merge_and_nothing_to_separate(apart: ModelWrapper):
    made = merged(apart)
    assert content(merged(made)) == content(made)
    assert content(separated(apart)) == content(apart)


def test_which_layers_are_merged(apart: ModelWrapper):
    assert merged_layers(apart) == set()
    assert merged_layers(merged(apart)) == {WHOLE, "blocks_1_attn_qkv"}


def layer(name: str, source: str, *, cls: type[PotLinear] = PotLinear, n_out: int = 2, bits: int = 8, **sizes: int):
    zeros = np.zeros(n_out)
    known = {"n_tokens": 1, "n_in": 4, "exponent_bits": 3, "mantissa_bits": 0} | sizes
    codes = np.arange(n_out * known["n_in"]).reshape(n_out, -1) % 16
    return cls.make(
        name, [source], f"{name}_codes", in_dtypes=[DataType["INT8"]], out_dtype=DataType[f"INT{bits}"], n_out=n_out,
        codes=codes, bias=zeros, acc_shift=zeros, out_shift=zeros, **known,
    )  # fmt: skip


def graph_of(*nodes: NodeProto) -> ModelWrapper:
    def port(name: str):
        return helper.make_tensor_value_info(name, 1, [1, 1, 4])

    outputs = [port(node.output[0]) for node in nodes]
    return ModelWrapper(helper.make_model(helper.make_graph(nodes, "graph", [port("x"), port("y")], outputs)))


@pytest.mark.parametrize(
    "other",
    [
        layer("b", "y"),
        layer("b", "x", bits=7),
        layer("b", "x", mantissa_bits=2),
        layer("b", "x", cls=Head, scale_log2=0),
    ],
    ids=["another tensor", "another type", "another format", "a head"],
)
def test_layers_that_stay_apart(other: NodeProto):
    model = graph_of(layer("a", "x"), other)
    assert content(merged(model)) == content(model)


def test_layers_of_different_sizes_merge():
    model = graph_of(layer("a", "x", n_out=3), layer("b", "x", n_out=2), layer("c", "y"))
    made = merged(model)
    assert [(node.op_type, node.name) for node in made.graph.node] == [
        ("PotLinear", "ab"), ("ChannelSlice", "a"), ("ChannelSlice", "b"), ("PotLinear", "c"),
    ]  # fmt: skip
    assert [part.size("first") for part in slices_of(made, operator_of(made, "ab"))] == [0, 3]


def test_a_layer_that_something_else_reads_too_stays_as_it_is():
    model = merged(graph_of(layer("a", "x"), layer("b", "x")))
    model.graph.node.append(layer("c", "ab"))
    assert content(separated(model)) == content(model)


def test_a_layer_of_which_channels_are_left_over_stays_as_it_is():
    model = merged(graph_of(layer("a", "x"), layer("b", "x")))
    model.graph.node.remove(node_of(model, "b"))
    assert content(separated(model)) == content(model)


def test_a_name_that_is_taken_is_not_given_again():
    assert joined(["a", "ab", "b"]) == "aabb"
    made = merged(graph_of(layer("q_", "x"), layer("q_k", "x")))
    assert [node.name for node in made.graph.node] == ["q_k_1", "q_", "q_k"]


def test_the_merged_graph_is_a_file_that_reads_back(apart: ModelWrapper, tmp_path: Path):
    made = merged(apart)
    made.save(str(tmp_path / "merged.onnx"))
    assert content(ModelWrapper(str(tmp_path / "merged.onnx"))) == content(made)

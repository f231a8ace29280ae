"""The range analysis is sound: whatever the graph computes lies within the bounds and on the grids."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.basic import qonnx_make_model

from brevitas_model.config import ViTConfig
from brevitas_model.export import export
from brevitas_model.training.run import calibrate
from brevitas_model.vit import VisionTransformer
from hls_projects.errors import InputError
from hls_projects.graphs import ranges
from hls_projects.graphs.ranges import MAX_BITS, TensorRange, analyse_ranges, annotate_ranges, max_bits

QONNX = "qonnx.custom_op.general"
QUICK = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module", params=["token", "mean"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelWrapper:
    torch.manual_seed(0)
    # The two models differ in every choice of format, so that both cover all operators together.
    choice = {"token": ("pot6", "tensor", "gelu"), "mean": ("pot4", "channel", "relu")}[request.param]
    names = ("weight_format", "weight_scaling", "activation")
    config = ViTConfig(
        embed_dim=16,
        depth=1,
        num_heads=2,
        patch_size=8,
        global_pool=request.param,
        **dict(zip(names, choice, strict=True)),
    )
    model = VisionTransformer(config)
    calibrate(model, [torch.randint(0, 256, (2, 32, 32, 3)).float()])
    return export(model, tmp_path_factory.mktemp("model") / "model.onnx")


def make_model(
    nodes: list[NodeProto],
    constants: dict[str, object] | None = None,
    shape: tuple[int | str, ...] = (3, 4),
    opset: int = 20,
) -> ModelWrapper:
    """A graph from uint8 input ``x`` of ``shape`` to the last node's output, its shapes inferred."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
    )
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))
    for name, value in (constants or {}).items():
        array = np.asarray(value)
        model.set_initializer(name, array if array.dtype.kind == "i" else array.astype(np.float32))
    return model.transform(InferShapes())


def node(op_type: str, *inputs: str, out: str = "y", **attributes: object) -> NodeProto:
    domain = QONNX if op_type in ("Quant", "FloatQuant") else ""
    return helper.make_node(op_type, list(inputs), [out], name=f"the_{op_type}", domain=domain, **attributes)


def quant(x: str = "x", out: str = "y", rounding_mode: str = "ROUND", signed: int = 1, narrow: int = 0) -> NodeProto:
    """A Quant node with the constants of :func:`quant_constants`."""
    attributes = {"rounding_mode": rounding_mode, "signed": signed, "narrow": narrow}
    return node("Quant", x, "scale", "zero", "width", out=out, **attributes)


def quant_constants(scale: object = 1.0, zero: object = 0.0, width: object = 8.0) -> dict[str, object]:
    return {"scale": scale, "zero": zero, "width": width}


def float_quant(x: str = "x", out: str = "y", **attributes: object) -> NodeProto:
    flags = {"has_inf": 0, "has_nan": 0, "has_subnormal": 1, "saturation": 1, "rounding_mode": "ROUND"}
    return node("FloatQuant", x, *FLOAT_CONSTANTS, out=out, **(flags | attributes))


# Eight significant bits: E6M7, as the model's SignificantBits.
FLOAT_CONSTANTS = {"fscale": 1.0, "exponent": 6.0, "mantissa": 7.0, "bias": 31.0, "largest": 8556380160.0}


def significant_bits(values: np.ndarray) -> int:
    """Bits of the widest element, counted by hand: the integers that frexp gives, stripped of zeros."""
    integers = [abs(int(code)) for code in np.ldexp(np.frexp(np.float64(values))[0], 53).ravel()]
    return max((len(bin(code).rstrip("0")) - 2 for code in integers if code), default=0)


def assert_sound(tensor: TensorRange, values: np.ndarray, name: str = "") -> None:
    values = np.float64(values)
    if tensor.kind == "real":
        return
    assert np.all((tensor.lo <= values) & (values <= tensor.hi)), name
    assert np.all(values[np.broadcast_to(tensor.step == ranges.FREE_STEP, values.shape)] == 0), name
    codes = np.ldexp(values, -np.minimum(tensor.step, 999))
    assert np.array_equal(codes, np.rint(codes)), name
    if tensor.kind == "floating":
        assert significant_bits(values) <= tensor.bits, name
    else:
        assert np.max(np.abs(codes)) <= 2**tensor.bits, name


def check_model(model: ModelWrapper, images: np.ndarray) -> dict[str, TensorRange]:
    """Every tensor of the graph on every image lies within its range."""
    found = analyse_ranges(model)
    for image in images:
        context = execute_onnx(model, {model.graph.input[0].name: image}, return_full_exec_context=True)
        for name, tensor in found.items():
            assert_sound(tensor, context[name], name)
    return found


def images(shape: list[int]) -> np.ndarray:
    """Random images and the extreme ones: black, white, and saturated noise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, *shape))
    saturated = 255 * rng.integers(0, 2, (2, *shape))
    return np.float32([*noise, *saturated, np.zeros(shape), np.full(shape, 255)])


def test_every_tensor_of_the_model_is_annotated_and_fits(exported: ModelWrapper) -> None:
    found = annotate_ranges(exported)
    stored = json.loads(exported.get_metadata_prop("tensor_ranges"))
    crossing = {"pixels"} | {tensor for n in exported.graph.node for tensor in n.output}
    assert set(found) == set(stored) == crossing
    assert 16 <= max_bits(found) <= MAX_BITS
    for name, entry in stored.items():
        assert set(entry) == {"kind", "bits", "step_log2", "lo", "hi"}
        assert entry["bits"] == found[name].bits
    assert stored["pixels"] == {"kind": "fixed", "bits": 8, "step_log2": 0, "lo": 0.0, "hi": 255.0}
    assert {entry["kind"] for entry in stored.values()} == {"fixed", "floating", "real"}
    distance = next(found[n.output[0]] for n in exported.graph.node if n.name.endswith("softmax_Sub"))
    assert float(distance.hi) == 0.0


def test_values_of_the_model_lie_in_their_ranges(exported: ModelWrapper) -> None:
    check_model(exported, images(exported.get_tensor_shape("pixels")))


def test_annotation_survives_saving(exported: ModelWrapper, tmp_path: Path) -> None:
    annotate_ranges(exported)
    exported.save(str(tmp_path / "model.onnx"))
    again = ModelWrapper(str(tmp_path / "model.onnx"))
    assert again.get_metadata_prop("tensor_ranges") == exported.get_metadata_prop("tensor_ranges")


@pytest.mark.parametrize(
    ("lo", "hi", "step", "bits"),
    [(-128, 127, 0, 7), (0, 255, 0, 8), (0, 2**24, 0, 24), (0, 2**24 + 1, 0, 25), (0, 0, -9, 0), (-1, 0.5, -4, 4)],
)
def test_bits(lo: float, hi: float, step: int, bits: int) -> None:
    assert TensorRange.fixed(lo, hi, step).bits == bits


def test_zero_lies_on_every_grid() -> None:
    tensor = TensorRange.constant(np.array([0.0, 3.0, -0.375]))
    assert tensor.step.tolist() == [ranges.FREE_STEP, 0, -3]
    assert tensor.bits == 2
    assert TensorRange.constant(np.zeros(3)).min_step == 0


small = st.integers(-7, 7).map(float)


@st.composite
def grids(draw: st.DrawFn, shape: tuple[int, ...], finest: int = -3) -> np.ndarray:
    """Small integers, each times its own power of two, 2^``finest`` to 4."""
    count = int(np.prod(shape))
    codes = draw(st.lists(small, min_size=count, max_size=count))
    powers = draw(st.lists(st.integers(finest, 2), min_size=count, max_size=count))
    return np.ldexp(codes, powers).reshape(shape).astype(np.float32)


codes = st.lists(st.integers(0, 255), min_size=12, max_size=12).map(lambda c: np.float32(c).reshape(1, 3, 4))


@QUICK
@given(weights=grids((4, 5), -8), bias=grids((5,), -8), x=codes)
def test_linear_is_sound(weights: np.ndarray, bias: np.ndarray, x: np.ndarray) -> None:
    nodes = [node("MatMul", "x", "w", out="m"), node("Add", "b", "m")]
    found = check_model(make_model(nodes, {"w": weights, "b": bias}), x)
    assert np.array_equal(np.broadcast_to(found["m"].hi, 5), 255.0 * np.maximum(weights, 0).sum(axis=0))
    assert np.array_equal(np.broadcast_to(found["m"].peak, 5), 255.0 * np.abs(weights).sum(axis=0))


@QUICK
@given(c=grids((3, 1)), d=grids((4,)), x=codes, op=st.sampled_from(["Add", "Sub", "Mul"]))
def test_arithmetic_is_sound(c: np.ndarray, d: np.ndarray, x: np.ndarray, op: str) -> None:
    nodes = [node("Sub", "x", "c", out="a"), node("Mul", "x", "d", out="b"), node(op, "a", "b")]
    model = make_model(nodes, {"c": c, "d": d})
    check_model(model, np.concatenate([x, [[[0.0] * 4] * 3], [[[255.0] * 4] * 3]]).astype(np.float32))


@QUICK
@given(
    scale=st.lists(st.integers(-3, 9), min_size=4, max_size=4),
    offset=grids((4,)),
    width=st.integers(2, 12),
    flags=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    x=codes,
)
def test_quant_is_sound(
    scale: list[int], offset: np.ndarray, width: int, flags: tuple[int, int], x: np.ndarray
) -> None:
    nodes = [node("Sub", "x", "c", out="a"), quant("a", signed=flags[0], narrow=flags[1])]
    constants = quant_constants(np.ldexp(1.0, scale), width=float(width)) | {"c": offset}
    found = check_model(make_model(nodes, constants), x)
    assert found["y"].bits <= width - flags[0]


@QUICK
@given(factor=grids((4,)), x=codes)
def test_float_quant_is_sound(factor: np.ndarray, x: np.ndarray) -> None:
    nodes = [node("Mul", "x", "c", out="a"), float_quant("a", out="f"), node("Mul", "f", "x")]
    found = check_model(make_model(nodes, FLOAT_CONSTANTS | {"c": factor}), x)
    if np.any(factor):
        assert (found["f"].kind, found["f"].bits, found["y"].bits) == ("floating", 8, 16)
        assert found["f"].min_step == -37  # the smallest subnormal of E6M7


@QUICK
@given(factor=grids((3, 4)), x=codes, axis=st.sampled_from([0, -1]))
def test_sum_of_elements_of_different_grids_is_sound(factor: np.ndarray, x: np.ndarray, axis: int) -> None:
    nodes = [node("Mul", "x", "c", out="a"), node("ReduceSum", "a", "axes", keepdims=0)]
    check_model(make_model(nodes, {"c": factor, "axes": np.int64([axis])}), x)


@QUICK
@given(x=codes, offset=grids((4,), -1), extreme=st.sampled_from(["ReduceMax", "ReduceMin"]))
def test_reductions_and_shape_operators_are_sound(x: np.ndarray, offset: np.ndarray, extreme: str) -> None:
    nodes = [
        node("Sub", "x", "c", out="a"),
        node("Transpose", "a", out="t", perm=[1, 0]),
        node("Pad", "t", "pads", out="p"),
        node("Slice", "p", "starts", "ends", "axes", out="s"),
        node("Concat", "s", "t", out="k", axis=0),
        node("Reshape", "k", "shape", out="r"),
        node("Squeeze", "r", "axes", out="q"),
        node("Neg", "q", out="n"),
        node("Relu", "n", out="u"),
        node("Transpose", "u", out="ut", perm=[1, 0]),
        node("MatMul", "n", "ut", out="m"),
        node("ReduceSum", "m", "axes", out="v", keepdims=0),
        node(extreme, "v", out="w", keepdims=1),
        node("Sub", "v", "w"),
    ]
    integers = {"pads": [0, 1, 0, 0], "starts": [1], "ends": [4], "axes": [1], "shape": [3, 1, -1]}
    constants = {name: np.int64(value) for name, value in integers.items()} | {"c": offset}
    check_model(make_model(nodes, constants), x)


def test_a_square_and_the_distance_to_the_maximum_have_a_sign() -> None:
    nodes = [
        node("Sub", "x", "c", out="a"),
        node("Mul", "a", "a", out="s"),
        node("ReduceMax", "s", "axes", out="m", keepdims=1),
        node("Sub", "s", "m"),
    ]
    found = analyse_ranges(make_model(nodes, {"c": 128.0, "axes": np.int64([-1])}))
    assert (float(found["s"].lo), float(found["s"].hi)) == (0.0, 16384.0)
    assert float(found["y"].hi) == 0.0


def test_inexact_factor_is_allowed_only_into_a_function() -> None:
    factor, constants = node("Mul", "x", "c", out="a"), quant_constants(0.25) | {"c": 1.0 / 3.0}
    found = analyse_ranges(make_model([factor, node("Exp", "a", out="e"), quant("e")], constants))
    assert (found["a"].kind, found["e"].kind, found["y"].bits) == ("real", "real", 7)
    with pytest.raises(InputError, match=r"Mul node 'the_Mul': its fixed result needs 32 bits"):
        analyse_ranges(make_model([factor, quant("a")], constants))


EXP = node("Exp", "x", out="e")
FLOATING = float_quant("x", out="e")
OFF_GRID = {"w": np.ones((4, 4)), "axes": np.int64([1])} | FLOAT_CONSTANTS


@pytest.mark.parametrize(
    ("nodes", "constants", "message"),
    [
        ([node("Sin", "x")], {}, "operator Sin .node the_Sin. is not supported"),
        ([quant()], quant_constants(scale=0.3), "'the_Quant'.*scale .0.3. is not a power of two"),
        ([quant()], quant_constants(scale=-0.5), "not a power of two"),
        ([quant()], quant_constants(scale=0.0), "not a power of two"),
        ([quant()], quant_constants(zero=1.0), "'the_Quant'.*zero point is .1"),
        ([quant()], quant_constants(width=2.5), "bit width is .2.5"),
        ([quant()], quant_constants(width=25.0), "bit width is .25"),
        ([quant(rounding_mode="FLOOR")], quant_constants(), "rounding mode is FLOOR"),
        ([float_quant()], FLOAT_CONSTANTS | {"fscale": 3.0}, "'the_FloatQuant'.*not a power of two"),
        ([float_quant()], FLOAT_CONSTANTS | {"mantissa": 6.5}, "mantissa parameter is .6.5"),
        ([float_quant()], FLOAT_CONSTANTS | {"largest": 511.0}, "over 8 significant bits"),
        ([float_quant(saturation=0)], FLOAT_CONSTANTS, "overflows to infinity"),
        ([node("MatMul", "x", "w")], {"w": np.full((4, 2), 2.0**15 + 1)}, "'the_MatMul'.* needs 25 bits.*fewer"),
        ([node("Mul", "x", "w")], {"w": 2.0**17 - 1}, "'the_Mul'.* needs 25 bits"),
        ([node("Mul", "x", "w")], {"w": 2.0**-127}, "beyond float32's exponents"),
        ([node("Add", "x", "w")], {"w": np.nan}, "'the_Add': constant 'w' has values that are not finite"),
        ([EXP, node("MatMul", "e", "w")], OFF_GRID, "the_MatMul.*value off every grid reaches MatMul"),
        ([EXP, node("ReduceSum", "e", "axes")], OFF_GRID, "value off every grid reaches ReduceSum"),
        ([EXP, node("ReduceMax", "e", "axes")], OFF_GRID, "value off every grid reaches ReduceMax"),
        ([EXP, node("Transpose", "e")], OFF_GRID, "value off every grid reaches Transpose"),
        ([EXP, node("Add", "e", "x")], OFF_GRID, "value off every grid reaches Add"),
        ([EXP, node("Add", "x", "e")], OFF_GRID, "value off every grid reaches Add"),
        ([EXP, node("Div", "e", "x")], OFF_GRID, "'the_Div': it is a function of 2 tensors"),
        ([node("Exp", "x")], {}, "'the_Exp'.*value off every grid reaches graph output 'y'"),
        ([FLOATING, node("MatMul", "e", "w")], OFF_GRID, "value of varying grid .FloatQuant. reaches MatMul"),
        ([FLOATING, node("Add", "x", "e")], OFF_GRID, "value of varying grid .FloatQuant. reaches Add"),
        ([node("Pad", "x", "pads", "w")], {"pads": np.int64([0, 1, 0, 0]), "w": 1.0}, "'the_Pad'.*constant 0"),
    ],
)
def test_refusals(nodes: list[NodeProto], constants: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        analyse_ranges(make_model(nodes, constants))


def test_dangling_input_is_named() -> None:
    model = make_model([node("Add", "x", "w")], {"w": 1.0})
    model.del_initializer("w")
    with pytest.raises(InputError, match="'the_Add': no earlier node produces its input 'w'"):
        analyse_ranges(model)


def test_dynamic_and_missing_shapes_are_named() -> None:
    with pytest.raises(InputError, match="'the_Relu': the shape of tensor 'x' is dynamic or missing"):
        analyse_ranges(make_model([node("Relu", "x")], shape=("batch", 4)))
    model = make_model([node("Relu", "x", out="a"), node("Neg", "a")])
    del model.graph.value_info[:]
    with pytest.raises(InputError, match="the shape of tensor 'a' is dynamic or missing"):
        analyse_ranges(model)

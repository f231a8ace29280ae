"""Lowering refuses, by name, what no hardware operator computes exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from hls_projects.integer import decode_pot
from hls_projects.lowering import LoweringError, lower
from hls_projects.lowering.graph import exact_log2, grid_log2
from hls_projects.lowering.multiplier import integer_factor
from hls_projects.operators import Head, PotLinear


def find(model: ModelWrapper, op_type: str, part: str = "") -> NodeProto:
    return next(node for node in model.graph.node if node.op_type == op_type and part in node.name)


def set_attribute(node: NodeProto, name: str, value: object) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def scale_by(model: ModelWrapper, node: NodeProto, index: int, factor: float) -> None:
    model.set_initializer(node.input[index], model.get_initializer(node.input[index]) * np.float32(factor))


def odd_scale(model: ModelWrapper) -> None:
    scale_by(model, find(model, "Quant", "blocks_0_attn_q"), 1, 1.5)


def zero_point(model: ModelWrapper) -> None:
    node = find(model, "Quant", "blocks_0_attn_q")
    node.input[2] = "shifted_zero"
    model.set_initializer("shifted_zero", np.float32(3))


def narrow(model: ModelWrapper) -> None:
    set_attribute(find(model, "Quant", "blocks_0_attn_q"), "narrow", 1)


def rounding(model: ModelWrapper) -> None:
    set_attribute(find(model, "Quant", "blocks_0_attn_q"), "rounding_mode", "FLOOR")


def channel_scale(model: ModelWrapper) -> None:
    node = find(model, "Quant", "blocks_0_attn_q")
    model.set_initializer("many_scales", np.full((1, 1, 16), 0.25, dtype=np.float32))
    node.input[1] = "many_scales"


def odd_weight_scale(model: ModelWrapper) -> None:
    node = next(n for n in model.get_nodes_by_op_type("FloatQuant") if model.get_initializer(n.input[0]) is not None)
    scale_by(model, node, 1, 1.5)


def nine_significant_bits(model: ModelWrapper) -> None:
    node = find(model, "FloatQuant", "blocks_0_attn_softmax_sum_quant")
    node.input[3] = "one_more_bit"
    model.set_initializer("one_more_bit", np.float32(8))


def no_last_reshape(model: ModelWrapper) -> None:
    last = model.find_producer(model.graph.output[0].name)
    quant = model.find_producer(last.input[0])
    model.graph.node.remove(last)
    quant.output[0] = model.graph.output[0].name
    model.set_tensor_shape(quant.output[0], [1, 1, 10])


def other_operator(model: ModelWrapper) -> None:
    node = find(model, "ReduceMax")
    node.op_type, node.name = "ReduceMin", "the_minimum"


def other_heads(model: ModelWrapper) -> None:
    split = next(
        n for n in model.get_nodes_by_op_type("Transpose") if "attn" in n.name and len(n.attribute[0].ints) == 4
    )
    set_attribute(split, "perm", [0, 1, 2, 3])


@pytest.mark.parametrize(
    "change, message",
    [
        (odd_scale, r"Quant node blocks_0_attn_q\w*: the scale is .*, not a power of two"),
        (zero_point, r"Quant node blocks_0_attn_q\w*: the zero point must be 0"),
        (narrow, r"Quant node blocks_0_attn_q\w*: only the full range and rounding half to even"),
        (rounding, r"Quant node blocks_0_attn_q\w*: only the full range and rounding half to even"),
        (channel_scale, r"Quant node blocks_0_attn_q\w*: .*constants of one element"),
        (odd_weight_scale, r"FloatQuant node \w+: "),
        (nine_significant_bits, r"blocks_0_attn_softmax\w+ is not rounded to 8 significant bits"),
        (no_last_reshape, r"node head"),
        (other_operator, r"no hardware operator implements \w+ \(node \w+\)"),
        (other_heads, r"no hardware operator implements \w+ \(node \w+\)"),
    ],
)
def test_refusal_names_the_node(qonnx: ModelWrapper, change: Callable[[ModelWrapper], None], message: str):
    lower(qonnx)
    change(qonnx)
    with pytest.raises(LoweringError, match=message):
        lower(qonnx)


def test_lowering_leaves_its_input_alone(qonnx: ModelWrapper):
    before = qonnx.model.SerializeToString()
    lower(qonnx)
    assert qonnx.model.SerializeToString() == before


def test_codes_decode_to_the_quantized_weights(qonnx: ModelWrapper, lowered: ModelWrapper):
    """Each row of codes is a power of two times the row that qonnx's FloatQuant makes."""
    from qonnx.core.onnx_exec import execute_onnx

    context = execute_onnx(qonnx, {"pixels": np.zeros((1, 32, 32, 3), np.float32)}, return_full_exec_context=True)
    layers = [getCustomOp(node) for node in lowered.graph.node if node.op_type in ("PotLinear", "Head")]
    assert len(layers) == 8
    for layer in layers:
        name = layer.onnx_node.name
        quantizer = find(qonnx, "FloatQuant", f"{name}_weight")
        values = context[quantizer.output[0]].astype(np.float64)
        integers = decode_pot(layer.array("codes"), 3, 0)
        for real, code in zip(values, integers, strict=True):
            ratio = np.unique(real[code != 0] / code[code != 0])
            assert len(ratio) == 1 and np.frexp(ratio[0])[0] == 0.5 and np.array_equal(real != 0, code != 0)
        assert isinstance(layer, Head if name == "head" else PotLinear)


def test_powers_of_two():
    assert [exact_log2(value, "x") for value in (1.0, 0.125, 64.0)] == [0, -3, 6]
    for value in (3.0, 0.0, -2.0):
        with pytest.raises(LoweringError, match=r"x is .*, not a power of two"):
            exact_log2(value, "x")
    assert grid_log2(np.array([1.0, 0.75, -6.0, 0.0])).tolist() == [0, -2, 1, 127]


def test_integer_factor():
    assert integer_factor(3 / 128, in_step=-4, out_step=-2, what="x") == (3, 9)
    assert integer_factor(4.0, in_step=0, out_step=0, what="x") == (4, 0)
    for factor in (0.0, -0.5):
        with pytest.raises(LoweringError, match=r"x: the factor .* is not positive"):
            integer_factor(factor, 0, 0, "x")

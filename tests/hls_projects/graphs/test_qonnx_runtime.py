"""Quantizers as standard operators give, bit for bit, what qonnx computes."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.util.basic import qonnx_make_model

from hls_projects.errors import InputError
from hls_projects.graphs import qonnx_runtime
from hls_projects.graphs.qonnx_file import run_images
from hls_projects.graphs.qonnx_runtime import run_standard, standard_model
from tests.support.models import noise, patterns

ROWS, CHANNELS = 8, 4
PARAMETERS = {
    "Quant": ("scale", "zero_point", "bits"),
    "FloatQuant": ("scale", "exponent_bits", "mantissa_bits", "bias", "peak"),
}
fast = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def quantizer(op_type: str, parameters: dict[str, object], dynamic: tuple[str, ...] = (), **attributes) -> ModelWrapper:
    """A graph of one quantizer; parameters in ``dynamic`` are inputs of the graph."""
    shapes = {name: list(np.shape(parameters[name])) for name in dynamic}
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in {"x": [ROWS, CHANNELS], **shapes}.items()
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [ROWS, CHANNELS])
    node = helper.make_node(
        op_type,
        ["x", *PARAMETERS[op_type]],
        ["y"],
        name="the_quantizer",
        domain="qonnx.custom_op.general",
        **attributes,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 1)]
    graph = helper.make_graph([node], "quantizer", inputs, [output])
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=opsets))
    for name in set(PARAMETERS[op_type]) - set(dynamic):
        model.set_initializer(name, np.asarray(parameters[name], dtype=np.float32))
    return model


def integer_quantizer(
    scale: object = 1.0, bits: float = 8.0, signed: int = 1, narrow: int = 0, **changes
) -> ModelWrapper:
    attributes = {"signed": signed, "narrow": narrow, "rounding_mode": "ROUND"} | changes.pop("attributes", {})
    parameters = {"scale": scale, "zero_point": 0.0, "bits": bits} | changes.pop("parameters", {})
    return quantizer("Quant", parameters, **attributes, **changes)


def float_quantizer(
    exponent_bits: float, mantissa_bits: float, bias: float, scale: object = 1.0, peak: float = np.inf, **changes
) -> ModelWrapper:
    attributes = {"has_inf": 0, "has_nan": 0, "has_subnormal": 1, "saturation": 1, "rounding_mode": "ROUND"}
    parameters = {
        "scale": scale, "exponent_bits": exponent_bits, "mantissa_bits": mantissa_bits, "bias": bias, "peak": peak,
    }  # fmt: skip
    return quantizer("FloatQuant", parameters, **(attributes | changes.pop("attributes", {})), **changes)


def assert_same_bits(model: ModelWrapper, x: np.ndarray) -> np.ndarray:
    expected = execute_onnx(model, {"x": x})["y"]
    standard = standard_model(model)
    assert {node.domain for node in standard.graph.node} <= {""}
    found = qonnx_runtime._session(standard).run(None, {"x": x})[0]
    assert found.dtype == expected.dtype == np.float32
    # All bits but the sign of a zero, which qonnx drops where an unsigned code is clipped.
    different = (found + 0).view(np.uint32) != (np.broadcast_to(expected, found.shape) + 0).view(np.uint32)
    assert not different.any(), (x[different], found[different], expected[different])
    return expected


def floats(limit: float) -> st.SearchStrategy[float]:
    return st.floats(-limit, limit, width=32, allow_subnormal=True)


def tensors(elements: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float32, (ROWS, CHANNELS), elements=elements, fill=st.nothing())


def steps_away(value: np.float32, steps: int) -> np.float32:
    for _ in range(abs(steps)):
        value = np.nextafter(value, np.float32(np.inf if steps > 0 else -np.inf), dtype=np.float32)
    return value


POWERS = st.builds(lambda exponent: 2.0**exponent, st.integers(-12, 6))
SCALES = st.one_of(
    POWERS,
    st.floats(2.0**-10, 10, width=32),
    hnp.arrays(np.float32, (1, CHANNELS), elements=POWERS | st.floats(2.0**-10, 10, width=32)),
)
# Halves and what lies beside them; zeros of both signs; what saturates; what is not a normal number.
CODES = st.one_of(
    st.builds(lambda half, steps: steps_away(np.float32(half / 2), steps), st.integers(-600, 600), st.integers(-2, 2)),
    st.sampled_from([0.0, -0.0, 1e-45, -1e-45, 1e-39, -1e-38, 3e4, -3e4]),
    floats(600),
)


@pytest.mark.parametrize("signed, narrow", [(0, 0), (1, 0), (1, 1), (0, 1)])
@fast
@given(bits=st.integers(2, 9), scale=SCALES, codes=tensors(CODES))
def test_quant(signed, narrow, bits, scale, codes):
    x = (codes * np.asarray(scale, np.float32)).astype(np.float32)
    assert_same_bits(integer_quantizer(scale, bits, signed, narrow), x)


def test_quant_rounds_half_to_even_and_saturates():
    x = np.resize(np.float32([-0.5, 0.5, 1.5, 2.5, 126.5, 127.5, 200, -128.5, -129, -0.0]), (ROWS, CHANNELS))
    found = assert_same_bits(integer_quantizer(), x).reshape(-1)[:10]
    assert found.tolist() == [0, 0, 2, 2, 126, 127, 127, -128, -128, 0]


# E6M7 as in the model, weights of both formats, and formats with few and many mantissa bits.
FORMATS = [(6, 7, 31), (3, 0, 3), (3, 2, 3), (4, 3, 7), (5, 2, 15), (5, 10, 15), (2, 1, 1)]


def near_powers(mantissa_bits: int) -> st.SearchStrategy[np.float32]:
    """Powers of two, ties of the mantissa, and the next numbers on both sides."""

    def build(exponent: int, halves: int, steps: int, sign: int) -> np.float32:
        tie = (1 + halves / 2 ** (mantissa_bits + 1)) * 2.0**exponent
        return np.float32(sign) * steps_away(np.float32(tie), steps)

    halves = st.integers(0, 2 ** (mantissa_bits + 1))
    return st.builds(build, st.integers(-40, 40), halves | st.just(0), st.integers(-3, 3), st.sampled_from([-1, 1]))


@pytest.mark.parametrize("number_format", FORMATS)
@fast
@given(data=st.data())
def test_float_quant(number_format, data):
    elements = st.one_of(
        near_powers(number_format[1]),
        floats(2.0**40),
        st.sampled_from([0.0, -0.0, 1e-45, -1e-45, 1e-38, -1.2e-38, 2.0**-126]),
    )
    peak = data.draw(st.sampled_from([np.inf, 1e30, 1.0, 0.75]))
    scale = data.draw(SCALES)
    x = data.draw(tensors(elements)) * np.asarray(data.draw(st.sampled_from([1.0, scale])), np.float32)
    assert_same_bits(float_quantizer(*number_format, scale, peak), x.astype(np.float32))


def test_float_quant_about_every_power_of_two():
    """E6M7 from below its smallest normal number to above its largest."""
    powers = np.float32(2.0) ** np.arange(-45, 45, dtype=np.float32)
    beside = [np.nextafter(powers, np.float32(towards), dtype=np.float32) for towards in (0, np.inf)]
    values = np.concatenate([sign * part for part in (powers, *beside) for sign in (np.float32(1), np.float32(-1))])
    for part in values.reshape(-1, 30):
        x = np.resize(part, (ROWS, CHANNELS)).astype(np.float32)
        assert_same_bits(float_quantizer(6, 7, 31), x)


def test_float_quant_keeps_eight_significant_bits():
    x = np.resize(np.float32([255, 256, 257, 258, 259, 511, 513, 0.1]), (ROWS, CHANNELS))
    found = assert_same_bits(float_quantizer(6, 7, 31), x).reshape(-1)[:7]
    assert found.tolist() == [255, 256, 256, 258, 260, 512, 512]


def test_constants_are_folded_by_qonnx():
    """Quantized weights leave no node; their value is qonnx's own."""
    weights = np.random.default_rng(0).normal(size=(ROWS, CHANNELS)).astype(np.float32)
    model = float_quantizer(3, 2, 3, scale=2.0**-5)
    expected = execute_onnx(model, {"x": weights})["y"]
    model.graph.input.pop()
    model.set_initializer("x", weights)
    model.graph.node.append(helper.make_node("Neg", ["y"], ["z"]))
    model.graph.output[0].name = "z"
    standard = standard_model(model)
    assert [node.op_type for node in standard.graph.node] == ["Neg"]
    assert np.array_equal(standard.get_initializer("y"), expected)
    assert [node.op_type for node in model.graph.node] == ["FloatQuant", "Neg"]


REFUSED = {
    "Quant, rounding": functools.partial(integer_quantizer, attributes={"rounding_mode": "FLOOR"}),
    "Quant, zero point": functools.partial(integer_quantizer, parameters={"zero_point": 1.0}),
    "Quant, zero points": functools.partial(integer_quantizer, parameters={"zero_point": np.float32([0, 0, 1, 0])}),
    "Quant, scale": functools.partial(integer_quantizer, dynamic=("scale",)),
    "Quant, zero point is not constant": functools.partial(integer_quantizer, dynamic=("zero_point",)),
    "Quant, width is not constant": functools.partial(integer_quantizer, dynamic=("bits",)),
    "Quant, one bit": functools.partial(integer_quantizer, bits=1.0),
    "FloatQuant, rounding": functools.partial(float_quantizer, 6, 7, 31, attributes={"rounding_mode": "CEIL"}),
    "FloatQuant, infinity": functools.partial(float_quantizer, 6, 7, 31, attributes={"saturation": 0, "has_inf": 1}),
    "FloatQuant, scale": functools.partial(float_quantizer, 6, 7, 31, dynamic=("scale",)),
    "FloatQuant, bias": functools.partial(float_quantizer, 6, 7, 31, dynamic=("bias",)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_kinds_are_refused(name):
    with pytest.raises(InputError, match=rf"^node the_quantizer \({name.split(',')[0]}\): [^\n]+$"):
        standard_model(REFUSED[name]())


@pytest.mark.parametrize("batch, parts", [(50, [7]), (3, [3, 6, 7]), (7, [7]), (1, list(range(1, 8)))])
def test_logits_are_those_of_qonnx(qonnx, monkeypatch, batch, parts):
    images = np.concatenate([noise(3), patterns(4)])
    monkeypatch.setattr(qonnx_runtime, "BATCH", batch)
    seen = []
    found = run_standard(qonnx, images, seen.append)
    expected = run_images(qonnx, images)
    assert found.dtype == np.float32 and np.array_equal(found.view(np.uint32), expected.view(np.uint32))
    assert seen == parts and len(np.unique(found, axis=0)) > 4

"""Attributes are read as the node has them, whoever changed it, and are written without qonnx's table."""

from __future__ import annotations

import numpy as np
import pytest
from qonnx.custom_op.registry import getCustomOp

from hls_projects.operators import PotLinear
from hls_projects.operators.attributes import NodeAttributes
from tests.support.operators import make_operator

ZEROS = np.zeros(2)


def operator() -> PotLinear:
    sizes = {"n_tokens": 4, "n_in": 3, "n_out": 2, "exponent_bits": 3, "mantissa_bits": 0}
    arrays = {"codes": np.ones((2, 3)), "bias": ZEROS, "acc_shift": ZEROS, "out_shift": ZEROS}
    return make_operator(PotLinear, ["INT8"], "INT8", **sizes, **arrays, pe=2, element="dsp")


def test_a_folding_is_read_as_another_object_left_it():
    first = operator()
    assert (first.size("pe"), first.word("element")) == (2, "dsp")
    getCustomOp(first.onnx_node).fold({"pe": 1, "element": "shift"})
    assert (first.size("pe"), first.word("element")) == (1, "shift")


@pytest.mark.parametrize("name, default", [("simd", 1), ("sparse", 0), ("parallel_tokens", 1)])
def test_an_attribute_that_the_node_lacks_has_its_default_until_it_is_set(name, default):
    changed = operator()
    assert changed.size(name) == default
    changed.set_nodeattr(name, 7)
    assert changed.size(name) == getCustomOp(changed.onnx_node).size(name) == 7


def test_a_size_that_changes_is_read_again():
    changed = operator()
    assert changed.size("n_tokens") == 4
    changed.set_nodeattr("n_tokens", 6)
    assert changed.size("n_tokens") == 6 == changed.get_nodeattr("n_tokens")


def test_a_type_that_changes_is_read_again():
    changed = operator()
    assert changed.out_dtype.name == "INT8"
    changed.set_nodeattr("out_dtype", "INT16")
    assert changed.out_dtype.name == "INT16"


def test_arrays_are_int64_and_read_only():
    codes = operator().array("codes")
    assert codes.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        codes[0, 0] = 5


def test_only_integers_and_strings_are_replaced_in_place():
    node = operator().onnx_node
    attributes = NodeAttributes(node, lambda name: None)
    assert attributes.replace("pe", 1) and attributes.replace("element", "shift")
    for name, value in (("pe", "shift"), ("element", 1), ("codes", 3), ("simd", 2)):
        assert not attributes.replace(name, value)
    assert (attributes.current("pe"), attributes.current("element"), attributes.current("simd")) == (1, "shift", None)

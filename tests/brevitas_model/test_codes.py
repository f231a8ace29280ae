"""Packed codes come back bit for bit, and name the values that the kernels decode."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brevitas_model import quantizers
from brevitas_model.codes import FORMATS, code_bits, codebook, pack_bits, pack_weight, unpack_bits, unpack_weight
from brevitas_model.config import ViTConfig
from hls_projects.integer import decode_pot

ROWS, COLUMNS = 3, 5
property_settings = settings(deadline=None, max_examples=50)


def quantized(weight_format: str, value: torch.Tensor, scale: torch.Tensor) -> SimpleNamespace:
    """What ``pack_weight`` reads of a Brevitas tensor."""
    exponent_bits, mantissa_bits = map(torch.tensor, FORMATS[weight_format])
    return SimpleNamespace(value=value, scale=scale, exponent_bit_width=exponent_bits, mantissa_bit_width=mantissa_bits)


@property_settings
@given(st.integers(1, 8).flatmap(lambda bits: st.tuples(st.just(bits), st.lists(st.integers(0, 2**bits - 1)))))
def test_packed_bits_come_back(drawn: tuple[int, list[int]]):
    bits, codes = drawn
    packed = pack_bits(torch.tensor(codes, dtype=torch.uint8), bits)
    assert packed.dtype == torch.uint8 and len(packed) == -(-len(codes) * bits // 8)
    assert unpack_bits(packed, bits, len(codes)).tolist() == codes
    # The same stream as one long integer, least significant code first.
    stream = sum(code << (bits * index) for index, code in enumerate(codes))
    assert int.from_bytes(bytes(packed.tolist()), "little") == stream


def test_bits_above_the_width_are_dropped():
    assert pack_bits(torch.tensor([0xF1, 0xE2], dtype=torch.uint8), 4).tolist() == [0x21]


@pytest.mark.parametrize(
    "packed, bits, count",
    [
        (torch.zeros(3, dtype=torch.uint8), 4, 4),
        (torch.zeros(3, dtype=torch.uint8), 4, 7),
        (torch.zeros(2, 2, dtype=torch.uint8), 4, 8),
        (torch.zeros(2, dtype=torch.int8), 4, 4),
        (torch.zeros(0, dtype=torch.uint8), 1, 1),
    ],
)
def test_wrong_length_is_refused(packed: torch.Tensor, bits: int, count: int):
    with pytest.raises(ValueError, match=f"do not hold {count} codes of {bits} bits"):
        unpack_bits(packed, bits, count)


@pytest.mark.parametrize("weight_format", FORMATS)
def test_codebook_is_what_the_kernels_decode(weight_format: str):
    exponent_bits, mantissa_bits = FORMATS[weight_format]
    codes = np.arange(2 ** code_bits(weight_format))
    integers = decode_pot(codes, exponent_bits, mantissa_bits)
    values = codebook(weight_format).double().numpy()
    smallest = values[values > 0].min()
    assert len(codes) == {"pot4": 16, "pot6": 64}[weight_format]
    assert smallest == {"pot4": 2.0**-2, "pot6": 2.0**-4}[weight_format]
    np.testing.assert_array_equal(values / smallest, integers)


@pytest.mark.parametrize("weight_format", FORMATS)
@property_settings
@given(data=st.data())
def test_every_code_and_scale_comes_back(weight_format: str, data: st.DataObject):
    count = 2 ** code_bits(weight_format)
    drawn = st.lists(st.integers(0, count - 1), min_size=ROWS * COLUMNS, max_size=ROWS * COLUMNS)
    codes = torch.tensor(data.draw(drawn))
    exponents = torch.tensor(data.draw(st.lists(st.integers(-30, 30), min_size=ROWS, max_size=ROWS)))
    scale = torch.pow(2.0, exponents)[:, None]
    value = codebook(weight_format)[codes].reshape(ROWS, COLUMNS) * scale
    packed, kept = pack_weight(quantized(weight_format, value, scale))
    assert kept.dtype == torch.int8 and kept.tolist() == exponents.tolist()
    # The zero with a sign becomes the one without.
    wanted = torch.where(codes == count // 2, 0, codes)
    assert unpack_bits(packed, code_bits(weight_format), len(codes)).tolist() == wanted.tolist()
    again = unpack_weight(packed, kept, value.shape, weight_format)
    assert again.dtype == torch.float32 and torch.equal(again, value)


@functools.cache
def layer(weight_format: str, scaling: str) -> torch.nn.Module:
    return quantizers.linear(ViTConfig(weight_format=weight_format, weight_scaling=scaling), COLUMNS, ROWS).eval()


# A few bits at every exponent: ties, limits, and magnitudes on both sides of a scale's rounding.
WEIGHTS = st.builds(lambda bits, exponent: bits * 2.0**exponent, st.integers(-63, 63), st.integers(-14, -2))


@pytest.mark.parametrize("scaling", ["channel", "tensor"])
@pytest.mark.parametrize("weight_format", FORMATS)
@settings(deadline=None, max_examples=25)
@given(weights=st.lists(WEIGHTS | st.floats(-4, 4, width=32), min_size=ROWS * COLUMNS, max_size=ROWS * COLUMNS))
def test_a_packed_weight_is_quantized_to_itself(weight_format: str, scaling: str, weights: list[float]):
    """A loaded layer computes with the weights that were saved, whatever scale it finds for them."""
    module = layer(weight_format, scaling)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(weights).reshape(ROWS, COLUMNS))
        before = module.quant_weight()
        stored = unpack_weight(*pack_weight(before), before.value.shape, weight_format)
        assert torch.equal(stored, before.value)
        module.weight.copy_(stored)
        after = module.quant_weight()
        assert torch.equal(after.value, before.value)
        assert torch.equal(unpack_weight(*pack_weight(after), stored.shape, weight_format), stored)


@pytest.mark.parametrize("weight_format", FORMATS)
def test_value_off_the_grid_is_refused(weight_format: str):
    value = torch.tensor([[1.0, 0.0, 2.0]])
    pack_weight(quantized(weight_format, value, torch.ones(1, 1)))
    for wrong in (1.125, -(2.0**-6), 64.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"no code of {weight_format}"):
            pack_weight(quantized(weight_format, torch.tensor([[1.0, wrong, 2.0]]), torch.ones(1, 1)))


@pytest.mark.parametrize("scale", [3.0, 0.0, -1.0, float("nan")])
def test_scale_that_is_no_power_of_two_is_refused(scale: float):
    with pytest.raises(ValueError, match="no code of pot4"):
        pack_weight(quantized("pot4", torch.full((1, 3), scale), torch.full((1, 1), scale)))


def test_wrong_number_of_scales_is_refused():
    packed = torch.zeros(3, dtype=torch.uint8)
    with pytest.raises(ValueError, match="3 scales for 2 rows"):
        unpack_weight(packed, torch.zeros(3, dtype=torch.int8), torch.Size((2, 3)), "pot4")
    with pytest.raises(ValueError, match="do not hold 9 codes"):
        unpack_weight(packed, torch.zeros(3, dtype=torch.int8), torch.Size((3, 3)), "pot4")

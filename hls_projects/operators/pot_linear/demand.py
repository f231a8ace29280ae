"""What the resources of the linear layer's Verilog module grow with."""

from __future__ import annotations

import math

import numpy as np

from hls_projects.cost import BlockRam, Demand, lut_ram, rom_luts
from hls_projects.operators.pot_linear.geometry import LEAF, SHIFT_REGISTER, Geometry
from hls_projects.operators.pot_linear.weights import BLOCK, PotWeights, by_group

# Codes that read one RAM of activations, and words of such a RAM: two blocks.
READERS, ACTIVATIONS = 3, 2 * BLOCK


def demand(geometry: Geometry, weights: PotWeights, *, block_ram: bool) -> Demand:
    """See :meth:`hls_projects.operators.base.HardwareOperator.demand`.

    Args:
        block_ram: whether the tokens that come in lie in block RAM, not in LUTs.
    """
    kind = f"PotLinear {geometry.element}{' sparse' if geometry.sparse else ''}"
    memory = weight_memory(geometry, weights)
    block_rams = memory.BRAM36 + (_token_block_rams(geometry) if block_ram else 0)
    features = {
        **_common(geometry, memory),
        "token_luts": 0 if block_ram else _token_luts(geometry),
        **FEATURES[geometry.element](geometry),
        **(_sparse(geometry) if geometry.sparse else {}),
    }
    return Demand(kind, features, block_rams, geometry.elements if geometry.element == "dsp" else 0)


def weight_memory(geometry: Geometry, weights: PotWeights) -> BlockRam:
    """Block RAMs of the weights."""
    return BlockRam.of(_stored_bits(geometry, weights), geometry.weight_words, written=False)


def _stored_bits(geometry: Geometry, weights: PotWeights) -> int:
    """Bits of a word of the weights' memory; Yosys leaves out those that are the same in all words."""
    if geometry.element != "dsp":
        return geometry.pe * geometry.widths.word
    some, every = (by_group(bits, geometry.groups, geometry.pe) for bits in weights.bits_of_rows)
    varying = np.bitwise_or.reduce(some, axis=0) & ~np.bitwise_and.reduce(every, axis=0)
    return int(np.bitwise_count(varying & ((1 << geometry.widths.word) - 1)).sum())


def _common(geometry: Geometry, memory: BlockRam) -> dict[str, float]:
    """Features of every element, see :class:`hls_projects.cost.Demand`."""
    layer, widths, elements = geometry.layer, geometry.widths, geometry.elements
    return {
        "one": 1,
        "elements": elements,
        "leaves": geometry.leaves,
        "sum_bits": elements * widths.sum,
        "result_bits": elements * widths.result,
        "waiting_bits": elements * widths.result * (geometry.result_buffers - 1),
        "factor_bits": elements * widths.product,
        "total_bits": widths.total,
        "address_bits": geometry.weight_words.bit_length(),
        "constant_luts": rom_luts(widths.shift + widths.bias, geometry.groups * geometry.pe),
        "choice_luts": memory.choice_luts,
        "second_token": geometry.tokens - 1,
        "queue_luts": _queue_luts(geometry),
        "whole_word_bits": layer.out_bits * (layer.out_words - 1),
    }


def _shift(geometry: Geometry) -> dict[str, float]:
    powers, width = geometry.layer.powers, geometry.widths.product or geometry.widths.x
    # The power's highest bit shifts in the adder.
    low = min(powers, 1 << geometry.widths.power - 1) - 1
    return {
        "shifted_bits": geometry.elements * width * (powers - 1).bit_length(),
        "register_bits": geometry.pe * geometry.widths.code + geometry.elements * (width + low),
    }


def _dsp(geometry: Geometry) -> dict[str, float]:
    return {"code_bits": geometry.pe * geometry.widths.code}


def _bucket(geometry: Geometry) -> dict[str, float]:
    words = 1 << geometry.buckets.bit_length() + geometry.bucket_set_bits
    return {
        "code_bits": geometry.pe * geometry.widths.code,
        "drained_luts": rom_luts(geometry.pe, geometry.groups * geometry.buckets + 1),
        "bucket_luts": geometry.elements * lut_ram(geometry.widths.sum, words),
    }


FEATURES = {"shift": _shift, "bucket": _bucket, "dsp": _dsp}


def _sparse(geometry: Geometry) -> dict[str, float]:
    return {
        "activation_luts": _activation_luts(geometry),
        "activation_bits": geometry.elements * geometry.widths.x,
        "again": int(geometry.replay),
    }


def _activation_luts(geometry: Geometry) -> int:
    """LUTs of the RAMs with blocks of activations, by leaf."""
    leaf = LEAF // geometry.tokens
    codes = [min(leaf, geometry.pe - first) for first in range(0, geometry.pe, leaf)]
    readers = [min(READERS, count - first) for count in codes for first in range(0, count, READERS)]
    return sum(lut_ram(geometry.tokens * geometry.widths.x, ACTIVATIONS, count) for count in readers)


def _queue_luts(geometry: Geometry) -> int:
    """LUTs of the shift registers in which results of two tokens wait until they leave."""
    if geometry.tokens == 1:
        return 0
    queues = geometry.first_slots, geometry.second_slots
    return geometry.layer.out_bits * sum(math.ceil(slots / SHIFT_REGISTER) for slots in queues)


def _token_block_rams(geometry: Geometry) -> float:
    """Block RAMs of the tokens that come in."""
    if not geometry.token_words:
        return 0.0
    in_bits = geometry.layer.in_bits
    return BlockRam.of(geometry.tokens * in_bits, geometry.token_words, element=in_bits).BRAM36


def _token_luts(geometry: Geometry) -> float:
    """LUTs of the tokens that come in: RAMs of 64 words, and the multiplexer behind them."""
    in_bits, words = geometry.layer.in_bits, geometry.token_words
    choice = math.ceil(geometry.tokens * in_bits * (math.ceil(words / 64) - 1) / 2)
    return geometry.tokens * lut_ram(in_bits, words) + choice

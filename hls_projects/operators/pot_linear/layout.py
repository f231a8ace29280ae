"""The Verilog module of a linear layer: its parameters and the contents of its memories.

A weight is ``± factor * 2**power``, see :mod:`~hls_projects.operators.pot_linear.weights`. The memory ``weights`` has a
word for every step, in the order of :attr:`Geometry.order`, with the codes of all elements side by side, the first
element's lowest. A code is, from its high bit to its low one:

- ``shift``: whether the weight is zero | sign | factor | power;
- ``bucket``: whether it is the row's first of its power | sign | factor | bucket, which is power + 1, or 0 for a zero
  weight; after the steps of a group comes a word of zeros, which is read while the buckets are drained;
- ``dsp``: the weight in units of the lowest power, in two's complement.

A sparse layer's code has the offset of its input in the block above it.

The memory ``drained`` has a word for every bucket that is drained: a bit for every element whose row has no weight of
that power, so that the bucket holds an older sum. The memory ``constants`` has a word for every output, see
:class:`~hls_projects.operators.pot_linear.requantization.Requantization`.
"""

from __future__ import annotations

import numpy as np

from hls_projects.operators.pot_linear.geometry import ELEMENTS, FAN_IN, LEAF, RESERVED_SLOTS, STEPS_OF_BLOCK, Geometry
from hls_projects.operators.pot_linear.requantization import Requantization
from hls_projects.operators.pot_linear.weights import BLOCK, OFFSET_BITS, PotWeights, by_group
from hls_projects.verilog.twin import Memory, Twin

LARGEST_FACTOR = 7


def check(name: str, geometry: Geometry, weights: PotWeights) -> None:
    """Check that the Verilog has this folding, element and pattern of zeros.

    Args:
        name: of the node, for the message.

    Raises:
        ValueError: what it lacks, and where a row has too many weights, which row.
    """
    layer, pe, tokens = geometry.layer, geometry.pe, geometry.tokens
    if geometry.simd != 1:
        raise ValueError(f"{name}: the twin takes one input a cycle, simd 1, not {geometry.simd}")
    if not 1 <= pe <= layer.n_out:
        raise ValueError(f"{name}: pe {pe} is not in 1 ... {layer.n_out}")
    if tokens not in (1, 2) or layer.n_tokens % tokens:
        raise ValueError(f"{name}: the twin takes 1 token or 2 of an even number, not {tokens} of {layer.n_tokens}")
    if geometry.element != "dsp" and layer.mantissa_bits > 2:
        raise ValueError(f"{name}: the twin has elements of at most 2 mantissa bits except for dsp")
    check_factors(weights)
    if geometry.sparse:
        _check_sparse(name, geometry, weights)


def check_factors(weights: PotWeights) -> None:
    """Check that the Verilog's elements know every weight's odd factor.

    Raises:
        ValueError: they do not.
    """
    if weights.factor.max(initial=0) > LARGEST_FACTOR:
        raise ValueError(f"the twin's elements know factors up to {LARGEST_FACTOR}, not {weights.factor.max()}")


def _check_sparse(name: str, geometry: Geometry, weights: PotWeights) -> None:
    n_in = geometry.layer.n_in
    if geometry.element != "bucket":
        raise ValueError(f"{name}: only the element bucket has a sparse form, not {geometry.element}")
    if n_in % BLOCK:
        raise ValueError(f"{name}: a sparse layer's n_in is a multiple of {BLOCK}, not {n_in}")
    most = weights.nonzeros_of_rows()
    if most.max() > STEPS_OF_BLOCK:
        row = int(np.argmax(most))
        raise ValueError(
            f"{name}: row {row} has {most.max()} weights in {BLOCK} inputs; sparse takes {STEPS_OF_BLOCK} at most"
        )


def twin(
    module: str, geometry: Geometry, weights: PotWeights, requantization: Requantization, *, block_ram: bool
) -> Twin:
    """The Verilog module with its parameters and memories.

    Args:
        block_ram: whether the tokens that come in lie in block RAM, not in LUTs.
    """
    constants = requantization.words(geometry.groups * geometry.pe)
    memories = {
        "weights": Memory.of(geometry.pe * geometry.widths.word, _weight_words(geometry, weights)),
        "constants": Memory.of(geometry.widths.shift + geometry.widths.bias, constants),
    }
    if geometry.buckets:
        memories["drained"] = Memory.of(geometry.pe, _drained_words(geometry, weights))
    return Twin(module, parameters(geometry, requantization) | {"BLOCK_RAM": int(block_ram)}, memories)


def parameters(geometry: Geometry, requantization: Requantization) -> dict[str, int]:
    """Parameters of ``pot_linear.sv`` by name, which has their meanings."""
    layer, widths, g = geometry.layer, geometry.widths, geometry
    return {
        "N_IN": layer.n_in,
        "N_OUT": layer.n_out,
        "PE": g.pe,
        "TOKENS": g.tokens,
        "ELEMENT": ELEMENTS.index(g.element),
        "SPARSE": int(g.sparse),
        "RESULT_BUFFERS": g.result_buffers,
        "GROUPS": g.groups,
        "PASSES": len(g.passes),
        "PASS_GROUPS": max(g.passes),
        "LARGE_PASSES": g.passes.count(max(g.passes)),
        "OVERLAP": int(g.overlap),
        "REPLAY": int(g.replay),
        "BLOCK": BLOCK,
        "BLOCKS": g.blocks,
        "STEPS": g.steps,
        "DRAIN_CYCLES": g.drain_cycles,
        "WEIGHT_WORDS": g.weight_words,
        "BUCKET_SET_WIDTH": g.bucket_set_bits,
        "ADDITION_DELAY": g.addition_delay,
        "LEAF": LEAF,
        "FAN_IN": FAN_IN,
        "READ_OUT_LEVELS": g.read_out_levels,
        "FINISH_EARLY": g.finish_early,
        "MOVE_EARLY": g.move_early,
        "FIRST_SLOTS": g.first_slots,
        "RESERVED_SLOTS": RESERVED_SLOTS,
        "IN_WIDTH": layer.in_bits,
        "IN_SIGNED": int(layer.in_signed),
        "OUT_WIDTH": layer.out_bits,
        "OUT_SIGNED": int(layer.out_signed),
        "OUT_WORDS": layer.out_words,
        "X_WIDTH": widths.x,
        "OFFSET_WIDTH": OFFSET_BITS,
        "FACTOR_WIDTH": widths.factor,
        "POWER_WIDTH": widths.power,
        "POWERS": layer.powers,
        "WORD_WIDTH": widths.word,
        "SUM_WIDTH": widths.sum,
        "RESULT_WIDTH": widths.result,
        "TOTAL_WIDTH": widths.total,
        "BIAS_WIDTH": widths.bias,
        "SHIFT_WIDTH": widths.shift,
        "FIXED_SHIFT": requantization.fixed_left,
        "OUT_SHIFT": requantization.right,
    }


def _codes(geometry: Geometry, weights: PotWeights) -> np.ndarray:
    """Codes of the weights without the offset, (n_out, n_in)."""
    widths = geometry.widths
    if geometry.element == "dsp":
        return weights.scaled & ((1 << widths.code) - 1)
    used, bucket = weights.used, geometry.element == "bucket"
    # The element's fourth factor is -7.
    sign = weights.negative ^ (used & (weights.factor == LARGEST_FACTOR))
    flag = weights.first_of_power() if bucket else ~used
    high = (flag.astype(np.int64) << 1 | sign) << widths.factor | np.where(used, weights.factor >> 1, 0)
    return high << widths.power | np.where(used, weights.power + bucket, 0)


def _weight_words(geometry: Geometry, weights: PotWeights) -> list[int]:
    """The memory ``weights``; outputs that fill up the last group have weights of zero."""
    widths, codes = geometry.widths, _codes(geometry, weights)
    if geometry.sparse:
        codes = weights.nonzeros(codes, widths.code, STEPS_OF_BLOCK)
    zero = 1 << (widths.code - 1) if geometry.element == "shift" else 0
    grouped = by_group(codes, geometry.groups, geometry.pe, fill=zero)
    # (group, block, step, element)
    steps = grouped.reshape(geometry.groups, geometry.pe, geometry.blocks, -1).transpose(0, 2, 3, 1)
    words: list[int] = []
    for group, block in geometry.order:
        if block is not None:
            words += [_pack(word, widths.word) for word in steps[group, block].tolist()]
        elif geometry.buckets:
            words.append(0)
    return words


def _pack(codes: list[int], width: int) -> int:
    return sum(code << width * index for index, code in enumerate(codes))


def _drained_words(geometry: Geometry, weights: PotWeights) -> list[int]:
    """The memory ``drained``; word 0 is for cycles without a drain."""
    lacks = by_group((~weights.has_power()).astype(np.int64), geometry.groups, geometry.pe, fill=1)
    words = lacks.transpose(0, 2, 1).reshape(-1, geometry.pe)
    return [0, *(_pack(word, 1) for word in words.tolist())]

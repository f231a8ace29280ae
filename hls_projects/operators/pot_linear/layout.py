"""The linear layer's twin in Verilog: its parameters and the layout of its memories.

A weight of the layer is ``sign * factor * 2**power`` with a factor of 1, 3, 5 or 7; powers are counted from the lowest
one of the layer. Words of the memory ``weights`` are in the order of the steps (see ``pot_linear_sequence.sv``), the
codes of the elements side by side, the first element's lowest. A code is, from its high bit to its low one:

- ``shift``: whether the weight is zero | sign | factor | power;
- ``bucket``: whether it is the row's first of its power | sign | factor | power + 1, or 0 for a zero weight; after the
  steps of a group of rows a word of zeros, which is read while the buckets are drained;
- ``dsp``: the weight, in two's complement;
- sparse: the input's place in its block on top of these.

The memory ``drained`` has a word for every drained bucket: a bit for every element whose row has no weight of that
power. The memory ``constants`` has a word a row, see :func:`requantization`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hls_projects.verilog.twin import Memory, Twin

if TYPE_CHECKING:
    from hls_projects.operators.pot_linear import PotLinear

ELEMENTS = ("shift", "bucket", "dsp")
RAM_STYLES = ("block", "distributed")
# A row has at most KEPT weights other than zero for every BLOCK inputs where the layer is sparse.
BLOCK, KEPT = 16, 8
# Element and whether zeros are skipped.
KINDS = (("shift", 0), ("bucket", 0), ("bucket", 1), ("dsp", 0))
# Words of the RAM that an element keeps its buckets in.
BUCKETS = 32
LARGEST_FACTOR = 7
# Places of the first token's queue that are free when a result is chosen for it.
LEAST_ROOM = 8


@dataclass(frozen=True)
class Parts:
    """Weights taken apart, each (n_out, n_in).

    Args:
        sign: 1 where negative.
        factor: 1, 3, 5, 7; 0 where the weight is zero.
        power: counted from ``lowest``.
        lowest: the lowest power of the layer.
        powers: how many powers there are from the lowest to the highest, 1 at least.
    """

    sign: np.ndarray
    factor: np.ndarray
    power: np.ndarray
    lowest: int
    powers: int

    @classmethod
    def of(cls, weights: np.ndarray) -> Parts:
        """Take integers apart.

        Raises:
            ValueError: a factor above 7.
        """
        size = np.abs(weights)
        trailing = np.log2(np.where(size > 0, size & -size, 1)).astype(np.int64)
        factor = size >> trailing
        if factor.max(initial=0) > LARGEST_FACTOR:
            raise ValueError(f"the twin's elements know factors up to {LARGEST_FACTOR}, not {factor.max()}")
        used = trailing[size > 0]
        lowest, highest = (int(used.min()), int(used.max())) if used.size else (0, 0)
        power = np.where(size > 0, trailing - lowest, 0)
        return cls((weights < 0).astype(np.int64), factor, power, lowest, highest - lowest + 1)


def twin(operator: PotLinear) -> Twin:
    """The twin of a linear layer with its folding.

    Raises:
        ValueError: a folding, an element or a pattern of zeros that the twin does not have.
    """
    check(operator)
    parts = Parts.of(operator.weights())
    element, sparse = operator.get_nodeattr("element"), operator.size("sparse")
    found = widths(operator, parts)
    codes, code_width = _codes(operator, parts, element)
    pe = operator.size("pe")
    memories = {
        "weights": Memory.of(pe * found["WORD_WIDTH"], _weight_words(operator, codes, code_width)),
        "constants": requantization(operator, parts.lowest, result_width(found, element))[1],
    }
    if element == "bucket":
        memories["drained"] = Memory.of(pe, _drained_words(operator, parts))
    parameters = {
        "N_IN": operator.size("n_in"),
        "N_OUT": operator.size("n_out"),
        "PE": pe,
        "TOKENS": operator.size("parallel_tokens"),
        "ELEMENT": ELEMENTS.index(element),
        "SPARSE": sparse,
        "IN_WIDTH": operator.in_dtype().bitwidth(),
        "IN_SIGNED": int(operator.in_dtype().signed()),
        "OUT_WIDTH": operator.out_dtype.bitwidth(),
        "OUT_SIGNED": int(operator.out_dtype.signed()),
        "OUT_WORDS": operator.out_word(),
        "BLOCK_RAM": int(operator.ram_style == "block"),
        "RESULTS": operator.size("result_buffers"),
        "FIRST_PLACES": first_places(operator),
    }
    return Twin(operator.kernel, parameters | found, memories)


def widths(operator: PotLinear, parts: Parts) -> dict[str, int]:
    """The parameters that follow from weights, types and element, and not from how many work in parallel."""
    element, sparse = operator.get_nodeattr("element"), operator.size("sparse")
    low, high = _drained_bounds(operator, parts) if element == "bucket" else _bounds(operator, parts.lowest)
    found = {
        "WORD_WIDTH": word_width(operator, parts, element, sparse),
        "POWERS": parts.powers,
        "FACTOR_BITS": _factor_bits(operator),
        # Every addend is extended to the sum by at least one bit.
        "SUM_WIDTH": max(_signed(low, high), _addend_width(operator, parts, element) + 1),
    }
    return found | requantization(operator, parts.lowest, result_width(found, element))[0]


def word_width(operator: PotLinear, parts: Parts, element: str, sparse: int) -> int:
    """Bits of a weight in the memory ``weights``."""
    return _code_width(operator, parts, element) + (BLOCK - 1).bit_length() * sparse


def result_width(found: Mapping[str, int], element: str) -> int:
    """Bits of what an element gives to the requantizer."""
    return found["SUM_WIDTH"] + (found["POWERS"] - 1 if element == "bucket" else 0)


def first_places(operator: PotLinear) -> int:
    """Places of the queue with results of the first of two tokens, while the second token's before them leave."""
    outputs = operator.size("n_out")
    if outputs <= 192:
        return 32 if outputs <= 128 else 64
    # Results of each token come in at most every other clock, while so many of the second one leave.
    return 32 * math.ceil((outputs / 2 + LEAST_ROOM) / 32)


def check(operator: PotLinear) -> None:
    """Refuse what the twin does not have.

    Raises:
        ValueError: what it is, and where a row has too many weights, which row.
    """
    name, pe = operator.onnx_node.name, operator.size("pe")
    if operator.size("simd") != 1:
        raise ValueError(f"{name}: the twin takes one input a cycle, simd 1, not {operator.size('simd')}")
    if not 1 <= pe <= operator.size("n_out"):
        raise ValueError(f"{name}: pe {pe} is not in 1 ... {operator.size('n_out')}")
    tokens = operator.size("parallel_tokens")
    if tokens not in (1, 2) or operator.size("n_tokens") % tokens:
        raise ValueError(
            f"{name}: the twin takes 1 token or 2 of an even number, not {tokens} of {operator.size('n_tokens')}"
        )
    if operator.get_nodeattr("element") != "dsp" and operator.size("mantissa_bits") > 2:
        raise ValueError(f"{name}: the twin has elements of at most 2 mantissa bits but for dsp")
    if not operator.size("sparse"):
        return
    if operator.get_nodeattr("element") != "bucket":
        raise ValueError(f"{name}: only the element bucket has a sparse form, not {operator.get_nodeattr('element')}")
    if operator.size("n_in") % BLOCK:
        raise ValueError(f"{name}: a sparse layer's n_in is a multiple of {BLOCK}, not {operator.size('n_in')}")
    kept = (operator.weights().reshape(operator.size("n_out"), -1, BLOCK) != 0).sum(axis=2)
    if kept.max() > KEPT:
        row = int(np.argmax(kept.max(axis=1)))
        raise ValueError(f"{name}: row {row} has {kept.max()} weights in {BLOCK} inputs; sparse takes {KEPT} at most")


def requantization(operator: PotLinear, lowest: int, sum_width: int) -> tuple[dict[str, int], Memory]:
    """Parameters and constants of the requantizer.

    All rows get one right shift, the largest; a row's sum and bias are shifted left by what its own is smaller. A word
    is the row's left shift less the smallest one, then its bias with a half of the result's unit for rounding; rows
    that fill up the last group have zeros.
    """
    out_shift, bias = operator.array("out_shift"), operator.array("bias")
    right = int(out_shift.max())
    left = operator.array("acc_shift") + lowest + right - out_shift
    bias = (bias << (right - out_shift)) + ((1 << right) >> 1)
    low, high = _row_bounds(operator, lowest)
    totals = (low << left) + bias, (high << left) + bias
    bias_width = _signed(int(bias.min()), int(bias.max()))
    signed = int(operator.out_dtype.signed())
    total_width = max(
        _signed(int(totals[0].min()), int(totals[1].max())),
        sum_width + 1,
        bias_width + 1,
        right + operator.out_dtype.bitwidth() + 1 - signed,
    )
    shift, shift_width = _split_shift(left - left.min())
    words = np.zeros(groups(operator) * operator.size("pe"), dtype=np.int64)
    words[: len(bias)] = (shift << bias_width) | (bias & ((1 << bias_width) - 1))
    parameters = {
        "TOTAL_WIDTH": total_width,
        "BIAS_WIDTH": bias_width,
        "FIXED_SHIFT": int(left.min()),
        "SHIFT_WIDTH": shift_width,
        "OUT_SHIFT": right,
    }
    return parameters, Memory.of(shift_width + bias_width, words)


def _split_shift(shift: np.ndarray) -> tuple[np.ndarray, int]:
    """Left shifts as two bits, 0 to 2, with half of the even rest above them, and the width of that."""
    coarse = np.maximum(shift - 1, 0) >> 1
    field = coarse << 2 | (shift - 2 * coarse)
    return field, int(field.max()).bit_length()


def _signed(low: int, high: int) -> int:
    """Bits of a signed type that holds both."""
    return max(int(code if code >= 0 else ~code).bit_length() for code in (low, high)) + 1


def _x_width(operator: PotLinear) -> int:
    return operator.in_dtype().bitwidth() + int(not operator.in_dtype().signed())


def _factor_bits(operator: PotLinear) -> int:
    return 0 if operator.get_nodeattr("element") == "dsp" else operator.size("mantissa_bits")


def _addend_width(operator: PotLinear, parts: Parts, element: str) -> int:
    """Bits of what an element adds to its sum or bucket."""
    width = _x_width(operator)
    if element == "dsp":
        return width + _code_width(operator, parts, element)
    width += _factor_bits(operator) + 1 if _factor_bits(operator) else 0
    if element == "bucket":
        return width
    half = 1 << max(_power_width(parts, element) - 1, 0)
    return width + min(parts.powers - 1, half - 1)


def _power_width(parts: Parts, element: str) -> int:
    """Bits of a code's power, or of its bucket, of which there is one more."""
    return max((parts.powers - (element != "bucket")).bit_length(), 1)


def _row_bounds(operator: PotLinear, lowest: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest sum of every row in units of ``2**lowest``."""
    weights = operator.weights() >> lowest
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.maximum(-weights, 0).sum(axis=1)
    low, high = int(operator.in_dtype().min()), int(operator.in_dtype().max())
    return positive * low - negative * high, positive * high - negative * low


def _bounds(operator: PotLinear, lowest: int) -> tuple[int, int]:
    low, high = _row_bounds(operator, lowest)
    return int(low.min()), int(high.max())


def _drained_bounds(operator: PotLinear, parts: Parts) -> tuple[int, int]:
    """Lowest and highest sum while buckets are drained: of a bucket and half the sum before, from the lowest power."""
    x_low, x_high = int(operator.in_dtype().min()), int(operator.in_dtype().max())
    low = high = np.zeros(operator.size("n_out"), dtype=np.int64)
    lows, highs = [0], [0]
    for power in range(parts.powers):
        factors = np.where(parts.power == power, parts.factor, 0)
        positive, negative = (factors * (1 - parts.sign)).sum(axis=1), (factors * parts.sign).sum(axis=1)
        low = positive * x_low - negative * x_high + (low >> 1)
        high = positive * x_high - negative * x_low + (high >> 1)
        lows.append(int(low.min()))
        highs.append(int(high.max()))
    return min(lows), max(highs)


def _codes(operator: PotLinear, parts: Parts, element: str) -> tuple[np.ndarray, int]:
    """Codes of the weights without ``first``'s and the index's bits' values, (n_out, n_in), and their width."""
    width = _code_width(operator, parts, element)
    if element == "dsp":
        return (operator.weights() >> parts.lowest) & ((1 << width) - 1), width
    power_width, factor_bits = _power_width(parts, element), _factor_bits(operator)
    used = parts.factor > 0
    # An element's fourth factor is -7.
    sign = np.where(used, parts.sign ^ (parts.factor == LARGEST_FACTOR), 0)
    factor = np.where(used, parts.factor >> 1, 0)
    flag = _first(parts) if element == "bucket" else (~used).astype(np.int64)
    power = np.where(used, parts.power + (element == "bucket"), 0)
    code = (((flag << 1 | sign) << factor_bits | factor) << power_width) | power
    return code, width


def _code_width(operator: PotLinear, parts: Parts, element: str) -> int:
    if element == "dsp":
        weights = operator.weights() >> parts.lowest
        return _signed(int(weights.min()), int(weights.max()))
    return 2 + _factor_bits(operator) + _power_width(parts, element)


def _first(parts: Parts) -> np.ndarray:
    """1 where a weight is the first of its power in its row."""
    first = np.zeros_like(parts.power)
    for power in range(parts.powers):
        has = (parts.factor > 0) & (parts.power == power)
        first |= (has & (np.cumsum(has, axis=1) == 1)).astype(np.int64)
    return first


def groups(operator: PotLinear) -> int:
    """Groups of rows that are worked on one after the other."""
    return -(-operator.size("n_out") // operator.size("pe"))


def chunks(operator: PotLinear, powers: int) -> list[int]:
    """How many groups are worked on at a time, block by block, by chunk; dense one at a time."""
    total = groups(operator)
    most = _places(powers) if operator.size("sparse") else 1
    if beside(operator, powers):
        most = 2
    count = -(-total // most)
    return [total // count + (index < total % count) for index in range(count)]


def beside(operator: PotLinear, powers: int) -> bool:
    """Whether groups are drained beside the next chunk's work, which has other buckets."""
    if not operator.size("sparse") or _places(powers) < 4 or operator.size("n_in") < 2 * BLOCK:
        return False
    return operator.size("parallel_tokens") > 1 or groups(operator) > _places(powers)


def _places(powers: int) -> int:
    """Groups that an element has buckets for."""
    return BUCKETS >> powers.bit_length()


def _weight_words(operator: PotLinear, codes: np.ndarray, code_width: int) -> list[int]:
    """The memory ``weights``; rows that fill up the last group are zeros."""
    pe, sparse, element = operator.size("pe"), operator.size("sparse"), operator.get_nodeattr("element")
    nothing = 1 << (code_width - 1) if element == "shift" else 0
    rows = np.full((groups(operator) * pe, codes.shape[1]), nothing, dtype=np.int64)
    rows[: len(codes)] = codes
    width = code_width
    if sparse:
        rows, width = _kept(rows, code_width), code_width + (BLOCK - 1).bit_length()
    # (group, block, step, element)
    steps = rows.reshape(groups(operator), pe, -1, KEPT if sparse else rows.shape[1]).transpose(0, 2, 3, 1)
    words: list[int] = []
    for group, block in order(operator, steps.shape[1]):
        if block is not None:
            words += [_pack(word, width) for word in steps[group, block].tolist()]
        elif element == "bucket":
            words.append(0)
    return words


def order(operator: PotLinear, blocks: int) -> list[tuple[int, int | None]]:
    """Blocks of groups, (group, block), in the order in which they are worked on; block None: the group is drained."""
    powers = operator.powers
    split = chunks(operator, powers)
    found: list[tuple[int, int | None]] = []
    start = 0
    for index, banks in enumerate(split):
        defers = beside(operator, powers) and index < len(split) - 1
        deferred = [start - 2, start - 1] if beside(operator, powers) and index else []
        for block in range(blocks):
            if deferred and block in (0, blocks // 2):
                found.append((deferred.pop(0), None))
            for group in range(start, start + banks):
                found.append((group, block))
                if block == blocks - 1 and not defers:
                    found.append((group, None))
        start += banks
    return found


def _kept(rows: np.ndarray, code_width: int) -> np.ndarray:
    """The codes other than zero with their place in their block, (rows, KEPT for every block)."""
    blocks = rows.reshape(len(rows), -1, BLOCK)
    order = np.argsort(blocks == 0, axis=2, kind="stable")[:, :, :KEPT]
    codes = np.take_along_axis(blocks, order, axis=2)
    return np.where(codes > 0, order << code_width | codes, 0).reshape(len(rows), -1)


def _pack(codes: list[int], width: int) -> int:
    return sum(code << width * place for place, code in enumerate(codes))


def _drained_words(operator: PotLinear, parts: Parts) -> list[int]:
    """The memory ``drained``; word 0 is for cycles without a drain."""
    pe = operator.size("pe")
    rows = np.ones((groups(operator) * pe, parts.powers), dtype=np.int64)
    for power in range(parts.powers):
        rows[: len(parts.power), power] = ~((parts.factor > 0) & (parts.power == power)).any(axis=1)
    by_group = rows.reshape(-1, pe, parts.powers).transpose(0, 2, 1).reshape(-1, pe)
    return [0, *(_pack(word, 1) for word in by_group.tolist())]

"""What the resources of the linear layer's twin grow with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hls_projects.cost import BlockRam, Demand, lut_ram, rom_luts
from hls_projects.operators.pot_linear import layout, timing
from hls_projects.operators.pot_linear.layout import BLOCK, KEPT

if TYPE_CHECKING:
    from hls_projects.operators.pot_linear import PotLinear

# Elements in a leaf, which has copies of the activation and of the control (pot_linear_leaf.sv).
LEAF = 12
# Codes that read one RAM of activations, words of such a RAM.
READERS, ACTIVATIONS = 3, 2 * BLOCK


def demand(operator: PotLinear) -> Demand:
    """See :meth:`hls_projects.operators.base.HardwareOperator.demand`."""
    sizes = Sizes(operator)
    kind = f"PotLinear {sizes.element}{' sparse' if sizes.sparse else ''}"
    return Demand(kind, sizes.features(), sizes.block_rams(), sizes.elements if sizes.element == "dsp" else 0)


class Sizes:
    """Sizes that ``pot_linear.sv`` derives from its parameters."""

    def __init__(self, operator: PotLinear) -> None:
        self.operator = operator
        self.found = operator.widths
        self.pe, self.inputs, self.outputs = operator.size("pe"), operator.size("n_in"), operator.size("n_out")
        self.tokens, self.elements = operator.size("parallel_tokens"), timing.elements(operator)
        self.sparse, self.element = bool(operator.size("sparse")), operator.element
        self.groups = layout.groups(operator)
        self.buckets = self.found["POWERS"] if self.element == "bucket" else 0
        self.in_bits = operator.in_dtype().bitwidth()
        self.weights = BlockRam.of(self.stored_bits(), self.weight_words, written=False)
        self.x_bits = self.in_bits + int(not operator.in_dtype().signed())

    def features(self) -> dict[str, float]:
        """See :class:`hls_projects.cost.Demand`."""
        found, elements = self.found, self.elements
        result = layout.result_width(found, self.element)
        factor = self.x_bits + found["FACTOR_BITS"] + 1 if found["FACTOR_BITS"] else 0
        code = found["WORD_WIDTH"] - (BLOCK - 1).bit_length() * self.sparse
        common = {
            "one": 1,
            "elements": elements,
            "leaves": math.ceil(elements / LEAF),
            "sum_bits": elements * found["SUM_WIDTH"],
            "result_bits": elements * result,
            "waiting_bits": elements * result * (self.operator.size("result_buffers") - 1),
            "factor_bits": elements * factor,
            "total_bits": found["TOTAL_WIDTH"],
            "address_bits": self.weight_words.bit_length(),
            "constant_luts": rom_luts(found["SHIFT_WIDTH"] + found["BIAS_WIDTH"], self.groups * self.pe),
            "choice_luts": self.weights.choice_luts,
            "token_luts": self.token_luts(),
            "second_token": self.tokens - 1,
            "queue_luts": self.queue_luts(),
            "whole_word_bits": self.operator.out_dtype.bitwidth() * (self.operator.out_word() - 1),
        }
        return common | self._of_element(factor, self.pe * code)

    def _of_element(self, factor: int, code_bits: int) -> dict[str, float]:
        if self.element == "shift":
            width, power_bits = factor or self.x_bits, max((self.found["POWERS"] - 1).bit_length(), 1)
            # The power's highest bit shifts in the adder.
            low = min(self.found["POWERS"], 1 << power_bits - 1) - 1
            return {
                "shifted_bits": self.elements * width * (self.found["POWERS"] - 1).bit_length(),
                "register_bits": code_bits + self.elements * (width + low),
            }
        if self.element == "dsp":
            return {"code_bits": code_bits}
        drained = {
            "code_bits": code_bits,
            "drained_luts": rom_luts(self.pe, self.groups * self.buckets + 1),
            "bucket_luts": self.elements * lut_ram(self.found["SUM_WIDTH"], self.bucket_words),
        }
        if not self.sparse:
            return drained
        return drained | {
            "activation_luts": self.activation_luts(),
            "activation_bits": self.elements * self.x_bits,
            "again": int(timing.late(self.operator)),
        }

    def activation_luts(self) -> int:
        """Of the RAMs with blocks of activations, by leaf."""
        leaf = LEAF // self.tokens
        codes = [min(leaf, self.pe - first) for first in range(0, self.pe, leaf)]
        readers = [min(READERS, count - first) for count in codes for first in range(0, count, READERS)]
        return sum(lut_ram(self.tokens * self.x_bits, ACTIVATIONS, count) for count in readers)

    def queue_luts(self) -> int:
        """Of the shift registers in which results of two tokens wait for their turn."""
        if self.tokens == 1:
            return 0
        first = layout.first_places(self.operator)
        return self.operator.out_dtype.bitwidth() * sum(
            math.ceil(places / 32) for places in (first, first + self.outputs)
        )

    def block_rams(self) -> float:
        """Of the weights, and of the token where it is kept."""
        if self.operator.ram_style != "block" or not self.token_words:
            return self.weights.BRAM36
        return self.weights.BRAM36 + BlockRam.of(*self.token_shape, element=self.in_bits).BRAM36

    def stored_bits(self) -> int:
        """Bits of a word of the weights' memory; Yosys leaves out those that are the same in all words."""
        if self.element != "dsp":
            return self.pe * self.found["WORD_WIDTH"]
        some, every = (
            np.pad(bits, (0, self.groups * self.pe - len(bits))).reshape(self.groups, self.pe)
            for bits in self.operator.weight_bits
        )
        varying = np.bitwise_or.reduce(some, axis=0) & ~np.bitwise_and.reduce(every, axis=0)
        return int(np.bitwise_count(varying & ((1 << self.found["WORD_WIDTH"]) - 1)).sum())

    def token_luts(self) -> float:
        """Of the token, where it is kept in LUTs: RAMs of 64 words, and what chooses among them."""
        if self.operator.ram_style == "block":
            return 0
        width, words = self.token_shape
        choice = math.ceil(width * (math.ceil(words / 64) - 1) / 2)
        return self.tokens * lut_ram(self.in_bits, words) + choice

    @property
    def token_words(self) -> int:
        """Two blocks of tokens; none where blocks of inputs go to the elements at once."""
        return 0 if self.sparse and not timing.late(self.operator) else 2 * self.inputs

    @property
    def token_shape(self) -> tuple[int, int]:
        """Bits of a word of the tokens' RAM, and words."""
        return self.tokens * self.in_bits, self.token_words

    @property
    def weight_words(self) -> int:
        steps = self.inputs // BLOCK * KEPT if self.sparse else self.inputs
        return self.groups * (steps + (self.element == "bucket"))

    @property
    def bucket_words(self) -> int:
        """Of the RAM with buckets, for as many groups as are worked on at a time, or twice as many."""
        powers = self.found["POWERS"]
        banks = max(layout.chunks(self.operator, powers)) << layout.beside(self.operator, powers)
        return 1 << self.buckets.bit_length() + (banks - 1).bit_length()

"""The weights of a linear layer: the codes of the checkpoint, and what each of them stands for.

The C++ kernel takes the codes as they are. The Verilog elements take the same weight as ``± factor * 2**power``, with
an odd factor and the power counted from the layer's lowest one, so that a layer without small weights has fewer powers.
Both, and the bounds of all sums, come from :class:`PotWeights`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hls_projects.integer import split_pot

# Inputs of a block. A sparse layer skips zeros block by block, so a weight needs only an offset of four bits.
BLOCK = 16
OFFSET_BITS = (BLOCK - 1).bit_length()


@dataclass(frozen=True, eq=False)
class PotWeights:
    """Power-of-two weights; all arrays have the shape of ``codes``.

    Args:
        codes: (n_out, n_in) of sign | exponent | mantissa, from the high bit to the low one.
        exponent_bits, mantissa_bits: the format, E3M0 or E3M2 and the like.
    """

    codes: np.ndarray
    exponent_bits: int
    mantissa_bits: int

    @cached_property
    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return split_pot(self.codes, self.exponent_bits, self.mantissa_bits)

    @property
    def code_bits(self) -> int:
        return 1 + self.exponent_bits + self.mantissa_bits

    @cached_property
    def used(self) -> np.ndarray:
        """Whether a weight is not zero."""
        return self._parts[1] > 0

    @cached_property
    def negative(self) -> np.ndarray:
        """Whether a weight is below zero."""
        return self._parts[0] & self.used

    @cached_property
    def values(self) -> np.ndarray:
        """Integer weights in units of the format's smallest magnitude."""
        _, significand, shift = self._parts
        return np.where(self.negative, -(significand << shift), significand << shift)

    @cached_property
    def _trailing(self) -> np.ndarray:
        """Zeros below the lowest one of every significand; 0 for a zero weight."""
        significand = self._parts[1]
        return np.log2(np.where(self.used, significand & -significand, 1)).astype(np.int64)

    @cached_property
    def factor(self) -> np.ndarray:
        """The odd factor, 1, 3, 5 or 7 with two mantissa bits; 0 where the weight is zero."""
        return self._parts[1] >> self._trailing

    @cached_property
    def lowest(self) -> int:
        """The layer's lowest power of two; 0 where all weights are zero."""
        return int((self._parts[2] + self._trailing)[self.used].min()) if self.used.any() else 0

    @cached_property
    def power(self) -> np.ndarray:
        """The power of two counted from ``lowest``; 0 where the weight is zero."""
        return np.where(self.used, self._parts[2] + self._trailing - self.lowest, 0)

    @cached_property
    def powers(self) -> int:
        """How many powers of two there are from the layer's lowest to its highest one, at least 1."""
        return int(self.power.max()) + 1

    @cached_property
    def scaled(self) -> np.ndarray:
        """Integer weights in units of ``2**lowest``."""
        return self.values >> self.lowest

    @cached_property
    def block_nonzeros(self) -> int:
        """Most weights other than zero in a row's block, at least 1."""
        return max(int(self.nonzeros_of_rows().max()), 1)

    def nonzeros_of_rows(self) -> np.ndarray:
        """Most weights other than zero in a block of every row, (n_out,)."""
        return self._blocks(self.used).sum(axis=-1).max(axis=-1)

    @cached_property
    def bits_of_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Bits of ``scaled`` that some, and that all, weights of a row have, (n_out,) each."""
        return np.bitwise_or.reduce(self.scaled, axis=1), np.bitwise_and.reduce(self.scaled, axis=1)

    def exponent_counts(self) -> np.ndarray:
        """How many weights have the leading power of two 2**i in ``values``, for every i of the format."""
        _, significand, shift = self._parts
        leading = np.frexp(significand[self.used].astype(np.float64))[1] - 1 + shift[self.used]
        largest = self.mantissa_bits + max(2**self.exponent_bits - 2, 0)
        return np.bincount(leading, minlength=largest + 1)

    def bucket_peak(self) -> int:
        """Largest sum of the significands of a row's weights that have the same exponent."""
        _, significand, shift = self._parts
        sums = (np.where(shift == each, significand, 0).sum(axis=1).max() for each in np.unique(shift))
        return int(max(sums))

    def row_bounds(self, x_low: int, x_high: int) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest sum of every row, (n_out,) each, in units of ``2**lowest``.

        Args:
            x_low, x_high: bounds of the inputs.
        """
        positive, negative = (np.maximum(part, 0).sum(axis=1) for part in (self.scaled, -self.scaled))
        return positive * x_low - negative * x_high, positive * x_high - negative * x_low

    def bounds_by_power(self, x_low: int, x_high: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Lowest and highest sum of every row's weights of one power, without the power, from the lowest power on."""
        found = []
        for power in range(self.powers):
            factors = np.where(self.power == power, self.factor, 0)
            positive, negative = (np.where(part, factors, 0).sum(axis=1) for part in (~self.negative, self.negative))
            found.append((positive * x_low - negative * x_high, positive * x_high - negative * x_low))
        return found

    def has_power(self) -> np.ndarray:
        """Whether a row has a weight of a power, (n_out, powers)."""
        return np.stack([(self.used & (self.power == power)).any(axis=1) for power in range(self.powers)], axis=1)

    def first_of_power(self) -> np.ndarray:
        """Whether a weight is the first of its power in its row."""
        first = np.zeros(self.codes.shape, dtype=bool)
        for power in range(self.powers):
            has = self.used & (self.power == power)
            first |= has & (np.cumsum(has, axis=1) == 1)
        return first

    def nonzeros(self, codes: np.ndarray, code_bits: int, count: int) -> np.ndarray:
        """Codes of the weights other than zero, the offset in their block above each, (n_out, blocks * count).

        Args:
            codes: of all weights, in any coding of ``code_bits`` bits.
            count: codes of a block; blocks with fewer are filled up with 0.
        """
        blocks, used = self._blocks(codes), self._blocks(self.used)
        order = np.argsort(~used, axis=-1, kind="stable")[..., :count]
        packed = np.take_along_axis(blocks, order, axis=-1) | (order << code_bits)
        return np.where(np.take_along_axis(used, order, axis=-1), packed, 0).reshape(len(codes), -1)

    def _blocks(self, array: np.ndarray) -> np.ndarray:
        """An array of the weights by blocks of inputs, (n_out, blocks, BLOCK); zeros fill the last block."""
        padded = np.pad(array, ((0, 0), (0, -array.shape[1] % BLOCK)))
        return padded.reshape(len(array), -1, BLOCK)


def by_group(rows: np.ndarray, groups: int, pe: int, *, fill: int = 0) -> np.ndarray:
    """Rows (n_out, ...) by groups of ``pe`` outputs, (groups, pe, ...); ``fill`` stands after the last row."""
    filled = np.full((groups * pe, *rows.shape[1:]), fill, dtype=rows.dtype)
    filled[: len(rows)] = rows
    return filled.reshape(groups, pe, *rows.shape[1:])

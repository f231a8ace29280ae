"""From the sum of an output to its code: shifts and biases on one grid, as the Verilog requantizer takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hls_projects.operators.pot_linear.weights import PotWeights


@dataclass(frozen=True, eq=False)
class Requantization:
    """``code = round((sum << left + bias) / 2**right)``, with half of a code's unit in the bias.

    All rows share one right shift, the largest; a row's sum and bias are shifted left by what its own is smaller.

    Args:
        left: left shifts of the sums, in units of ``2**lowest`` of the weights, (n_out,).
        bias: (n_out,).
        right: the right shift.
        low, high: bounds of ``sum << left + bias`` over all rows.
    """

    left: np.ndarray
    bias: np.ndarray
    right: int
    low: int
    high: int

    @classmethod
    def of(
        cls,
        weights: PotWeights,
        x_bounds: tuple[int, int],
        *,
        bias: np.ndarray,
        acc_shift: np.ndarray,
        out_shift: np.ndarray,
    ) -> Requantization:
        """From the attributes of :class:`PotLinear`.

        Args:
            x_bounds: lowest and highest input.
        """
        right = int(out_shift.max())
        left = acc_shift + weights.lowest + right - out_shift
        rounded = (bias << (right - out_shift)) + ((1 << right) >> 1)
        low, high = weights.row_bounds(*x_bounds)
        return cls(left, rounded, right, int(((low << left) + rounded).min()), int(((high << left) + rounded).max()))

    @property
    def fixed_left(self) -> int:
        """The left shift that all rows have."""
        return int(self.left.min())

    @property
    def shift_fields(self) -> np.ndarray:
        """What a row is shifted further: two bits, 0 to 2, with half of the even rest above them, (n_out,)."""
        shift = self.left - self.fixed_left
        coarse = np.maximum(shift - 1, 0) >> 1
        return coarse << 2 | (shift - 2 * coarse)

    @property
    def shift_bits(self) -> int:
        """Bits of :attr:`shift_fields`."""
        return int(self.shift_fields.max()).bit_length()

    @property
    def bias_bits(self) -> int:
        """Bits of a bias."""
        return signed_bits(int(self.bias.min()), int(self.bias.max()))

    def words(self, rows: int) -> np.ndarray:
        """The field of the shift above the bias of every row, (rows,); zeros after the last output."""
        words = np.zeros(rows, dtype=np.int64)
        words[: len(self.bias)] = (self.shift_fields << self.bias_bits) | (self.bias & ((1 << self.bias_bits) - 1))
        return words


def signed_bits(low: int, high: int) -> int:
    """Bits of a signed type that holds both."""
    return max(int(code if code >= 0 else ~code).bit_length() for code in (low, high)) + 1

"""Linear layer with power-of-two weights, on codes."""

from __future__ import annotations

import numpy as np
from qonnx.core.datatype import BaseDataType, DataType

from hls_projects.dataflow.program import Program
from hls_projects.integer import decode_pot, exact_matmul, requantize
from hls_projects.operators.base import HardwareOperator, magnitude, signed_width, word_by_word
from hls_projects.operators.pot_linear import layout
from hls_projects.rtl.twin import Twin


class PotLinear(HardwareOperator):
    """``y[t, n] = requantize((sum_k w[n, k] * x[t, k] << acc_shift[n]) + bias[n], out_shift[n])``.

    Attributes:
        n_tokens, n_in, n_out: sizes of the streams (n_tokens, n_in) -> (n_tokens, n_out).
        exponent_bits, mantissa_bits: weight format, E3M0 or E3M2 and the like.
        codes: (n_out, n_in), sign | exponent | mantissa; ``w`` is their value in units of the
            smallest magnitude.
        bias, acc_shift, out_shift: (n_out,), on the accumulator's grid; shifts are >= 0.
        element: the twin's processing element, ``shift``, ``bucket`` or ``dsp``.
        sparse: 1 where the twin stores and works on weights other than zero only, 8 of every 16 of a row.
        result_buffers: 2 where the twin keeps an output's finished sum beside the one that is read out, for groups
            that are worked on in fewer clocks than ``pe``.
        ram_style: whether the twin keeps tokens in ``block`` RAM, half a BRAM36 for small ones, or in
            ``distributed`` RAM of look-up tables.
    """

    kernel = "pot_linear"
    sizes = ("n_tokens", "n_in", "n_out", "exponent_bits", "mantissa_bits")
    folding = ("pe", "simd")
    arrays = ("codes", "bias", "acc_shift", "out_shift")

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.size("n_tokens"), self.size("n_in")),)

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_out"))

    def weights(self) -> np.ndarray:
        """Integer weights, (n_out, n_in)."""
        return decode_pot(self.array("codes"), self.size("exponent_bits"), self.size("mantissa_bits"))

    def exponent_counts(self) -> np.ndarray:
        """How many non-zero weights have the leading power of two 2**i, for every i of the format."""
        weights = np.abs(self.weights())
        powers = np.frexp(weights[weights > 0].astype(np.float64))[1] - 1
        largest = self.size("mantissa_bits") + max(2 ** self.size("exponent_bits") - 2, 0)
        return np.bincount(powers, minlength=largest + 1)

    def macs(self) -> int:
        return self.size("n_tokens") * self.size("n_in") * self.size("n_out")

    def array_dtype(self, name: str) -> BaseDataType:
        if name == "codes":
            return DataType[f"UINT{1 + self.size('exponent_bits') + self.size('mantissa_bits')}"]
        return super().array_dtype(name)

    def get_nodeattr_types(self) -> dict[str, tuple]:
        twins = {
            "element": ("s", False, "shift", set(layout.ELEMENTS)),
            "sparse": ("i", False, 0, {0, 1}),
            "result_buffers": ("i", False, 1, {1, 2}),
            "ram_style": ("s", False, "block", {"block", "distributed"}),
        }
        return super().get_nodeattr_types() | twins

    def twin(self) -> Twin:
        return layout.twin(self)

    def types(self) -> dict[str, BaseDataType]:
        sums = np.abs(self.weights()).sum(axis=1) * magnitude(self.in_dtype())
        peak = (sums << self.array("acc_shift")) + np.abs(self.array("bias"))
        return {"accum_t": signed_width(int(peak.max()), shifts=int(self.array("out_shift").max()))}

    def program(self) -> Program:
        return word_by_word(self.size("n_tokens"), self.size("n_out") * (self.size("n_in") + 1))

    def execute(self, x: np.ndarray) -> np.ndarray:
        total = (exact_matmul(x, self.weights().T) << self.array("acc_shift")) + self.array("bias")
        return requantize(total, self.array("out_shift"), self.out_dtype)

"""Linear layer with power-of-two weights, on codes."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from functools import cached_property

import numpy as np
from qonnx.core.datatype import BaseDataType, DataType

from hls_projects.cost import Demand
from hls_projects.integer import decode_pot, exact_matmul, magnitude, requantize, signed_width
from hls_projects.operators.base import Folding, HardwareOperator, Stage
from hls_projects.operators.checks import check_choice, check_divisor, misfit
from hls_projects.operators.pot_linear import layout, timing
from hls_projects.operators.pot_linear.demand import demand
from hls_projects.operators.pot_linear.foldings import foldings
from hls_projects.operators.pot_linear.kernel_stages import kernel_stages
from hls_projects.operators.pot_linear.layout import BLOCK, ELEMENTS, RAM_STYLES
from hls_projects.verilog.twin import Twin


class PotLinear(HardwareOperator):
    """``y[t, n] = requantize((sum_k w[n, k] * x[t, k] << acc_shift[n]) + bias[n], out_shift[n])``.

    Attributes:
        n_tokens, n_in, n_out: sizes of the streams (n_tokens, n_in) -> (n_tokens, n_out).
        exponent_bits, mantissa_bits: weight format, E3M0 or E3M2 and the like.
        codes: (n_out, n_in), sign | exponent | mantissa; ``w`` is their value in units of the
            smallest magnitude.
        bias, acc_shift, out_shift: (n_out,), on the accumulator's grid; shifts are >= 0.
        pe, simd: outputs, and weights of an output, that are worked on in parallel.
        parallel_tokens: 1, or 2 tokens that are worked on with the same weights, so that these are read half as often.
        element: one of :data:`ELEMENTS`.
        sparse: 1 where weights that are zero take no time, as far as every row has as few of them as any
            in each block of :data:`BLOCK` inputs.
        ram_style: one of :data:`RAM_STYLES`, of the RAM with the tokens that come in, as FINN has it.
        result_buffers: 2 where the twin keeps an output's finished sum beside the one that is read out, for groups
            that are worked on in fewer cycles than ``pe``.
    """

    kernel = "pot_linear"
    sizes = ("n_tokens", "n_in", "n_out", "exponent_bits", "mantissa_bits")
    folding = ("pe", "simd", "parallel_tokens")
    arrays = ("codes", "bias", "acc_shift", "out_shift")

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.size("n_tokens"), self.size("n_in")),)

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_out"))

    def weights(self) -> np.ndarray:
        """Integer weights, (n_out, n_in)."""
        return decode_pot(self.array("codes"), self.size("exponent_bits"), self.size("mantissa_bits"))

    @property
    def element(self) -> str:
        return self.word("element")

    @property
    def ram_style(self) -> str:
        return self.word("ram_style")

    @property
    def n_groups(self) -> int:
        """Groups of ``pe`` outputs, worked on one after the other; the last may be smaller."""
        return math.ceil(self.size("n_out") / self.size("pe"))

    @cached_property
    def block_nonzeros(self) -> int:
        """Most weights that are not zero in a row's block."""
        rows, inputs = self.array("codes").shape
        padded = np.pad(self.weights() != 0, ((0, 0), (0, -inputs % BLOCK)))
        return max(int(padded.reshape(rows, -1, BLOCK).sum(axis=-1).max()), 1)

    @property
    def widths(self) -> dict[str, int]:
        """Parameters of the twin that do not depend on how many outputs are worked on in parallel, remembered."""
        kind = self.element, self.size("sparse")
        if kind not in self._widths:
            self._widths[kind] = layout.widths(self, layout.Parts.of(self.weights()))
        return self._widths[kind]

    @cached_property
    def powers(self) -> int:
        """How many powers of two there are from the layer's lowest to its highest."""
        weights = np.abs(self.weights())
        units = (weights & -weights)[weights > 0]
        return int(units.max() // units.min()).bit_length() if units.size else 1

    @cached_property
    def weight_bits(self) -> tuple[np.ndarray, np.ndarray]:
        """Bits that some, and that all, weights of an output have, (n_out,) each, in units of the lowest power."""
        weights = self.weights() >> layout.Parts.of(self.weights()).lowest
        return np.bitwise_or.reduce(weights, axis=1), np.bitwise_and.reduce(weights, axis=1)

    @cached_property
    def _widths(self) -> dict[tuple[str, int], dict[str, int]]:
        return {}

    @property
    def n_steps(self) -> int:
        """Weights of an output that are worked on one after the other, ``simd`` at a time."""
        if not self.size("sparse"):
            return self.size("n_in")
        return math.ceil(self.size("n_in") / BLOCK) * self.block_nonzeros

    def check_folding(self) -> None:
        super().check_folding()
        if self.size("pe") > self.size("n_out"):
            raise misfit(self, "pe", f"at most n_out, {self.size('n_out')}")
        if self.size("parallel_tokens") > 1:
            check_choice(self, "parallel_tokens", 1, 2)
            check_divisor(self, "parallel_tokens", "n_tokens")
        check_choice(self, "element", *ELEMENTS)
        check_choice(self, "sparse", 0, 1)
        check_choice(self, "result_buffers", 1, 2)
        check_choice(self, "ram_style", *RAM_STYLES)

    def constants(self) -> dict[str, int]:
        return {
            "sparse": self.size("sparse"),
            "n_groups": self.n_groups,
            "n_steps": self.n_steps,
            "element_kind": ELEMENTS.index(self.element),
            "block_size": BLOCK,
            "block_nonzeros": self.block_nonzeros,
        }

    def kernel_array(self, name: str) -> np.ndarray:
        """``codes`` as the folding reads them, (n_groups, n_steps, pe), a sparse one with its place in the block."""
        if name != "codes":
            return super().kernel_array(name)
        codes = self._sparse_codes() if self.size("sparse") else self.array("codes")
        pe = self.size("pe")
        padded = np.pad(codes, ((0, self.n_groups * pe - len(codes)), (0, 0)))
        return padded.reshape(self.n_groups, pe, -1).transpose(0, 2, 1).reshape(-1)

    def _sparse_codes(self) -> np.ndarray:
        """Non-zero codes of every row's blocks with their places, (n_out, n_steps); filled with code 0 at place 0."""
        codes, weights = self.array("codes"), self.weights()
        width = self.code_bits
        padded = ((0, 0), (0, -codes.shape[1] % BLOCK))
        blocks, used = (
            np.pad(array, padded).reshape(len(codes), -1, BLOCK) for array in (codes, (weights != 0).astype(int))
        )
        order = np.argsort(1 - used, axis=-1, kind="stable")[..., : self.block_nonzeros]
        kept = np.take_along_axis(blocks, order, axis=-1) | (order << width)
        return np.where(np.take_along_axis(used, order, axis=-1), kept, 0).reshape(len(codes), -1)

    @property
    def code_bits(self) -> int:
        return 1 + self.size("exponent_bits") + self.size("mantissa_bits")

    def get_nodeattr_types(self) -> dict[str, tuple]:
        words = {"element": ("s", False, ELEMENTS[0]), "ram_style": ("s", False, RAM_STYLES[0])}
        own = words | {"sparse": ("i", False, 0), "result_buffers": ("i", False, 1)}
        return super().get_nodeattr_types() | own

    def fold_attributes(self) -> tuple[str, ...]:
        return (*super().fold_attributes(), "element", "sparse", "ram_style", "result_buffers")

    def equivalence_key(self) -> Hashable:
        return (super().equivalence_key(), self.powers, self.block_nonzeros)

    def foldings(self) -> Iterator[Folding]:
        return foldings(self)

    def can_skip_zeros(self) -> bool:
        """Whether the twin has a form that spends no time on zeros for this pattern of them."""
        return self.size("n_in") % BLOCK == 0 and self.block_nonzeros <= layout.KEPT

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
            places = (BLOCK - 1).bit_length() if self.size("sparse") else 0
            return DataType[f"UINT{self.code_bits + places}"]
        return super().array_dtype(name)

    def twin(self) -> Twin:
        return layout.twin(self)

    def demand(self) -> Demand:
        return demand(self)

    def types(self) -> dict[str, BaseDataType]:
        sums = np.abs(self.weights()).sum(axis=1) * magnitude(self.in_dtype())
        peak = (sums << self.array("acc_shift")) + np.abs(self.array("bias"))
        return {
            "accum_t": signed_width(int(peak.max()), shifts=int(self.array("out_shift").max())),
            "bucket_t": signed_width(self._bucket_peak()),
        }

    def _bucket_peak(self) -> int:
        """Bound of the sum of what a row's weights of one exponent multiply."""
        codes, mantissa = self.array("codes"), self.size("mantissa_bits")
        exponents = (codes >> mantissa) & (2 ** self.size("exponent_bits") - 1)
        significands = (codes & (2**mantissa - 1)) | ((exponents > 0) << mantissa)
        shifts = np.maximum(exponents - 1, 0)
        sums = [np.where(shifts == shift, significands, 0).sum(axis=1).max() for shift in np.unique(shifts)]
        return int(max(sums)) * magnitude(self.in_dtype())

    def stages(self) -> tuple[Stage, ...]:
        return timing.stages(self)

    def cycles(self) -> int:
        """Remembered: where a token lies does not change them."""
        names = "n_tokens", "pe", "simd", "parallel_tokens", "sparse", "result_buffers"
        key = tuple(self.size(name) for name in names)
        if (self.element, key) not in self._cycles:
            self._cycles[self.element, key] = max(super().cycles(), timing.cycles(self))
        return self._cycles[self.element, key]

    @cached_property
    def _cycles(self) -> dict[tuple[str, tuple[int, ...]], int]:
        return {}

    def kernel_stages(self) -> tuple[Stage, ...]:
        return kernel_stages(self)

    def buffers(self, block: str) -> int:
        return timing.buffers(self, block)

    def block_latency(self, block: str) -> int:
        return timing.block_latency(self, block)

    def output_latency(self) -> int:
        return timing.output_latency(self)

    def execute(self, x: np.ndarray) -> np.ndarray:
        x = x.reshape(-1, *self.input_shapes()[0])
        total = (exact_matmul(x, self.weights().T) << self.array("acc_shift")) + self.array("bias")
        return requantize(total, self.array("out_shift"), self.out_dtype)

"""Linear layer with power-of-two weights, on codes."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import cached_property

import numpy as np
from qonnx.core.datatype import BaseDataType, DataType

from hls_projects.cost import Demand
from hls_projects.integer import exact_matmul, magnitude, requantize, signed_width
from hls_projects.operators.base import Folding, HardwareOperator, Stage
from hls_projects.operators.checks import check_choice, check_divisor, misfit
from hls_projects.operators.pot_linear import layout, timing
from hls_projects.operators.pot_linear.demand import demand
from hls_projects.operators.pot_linear.foldings import RAM_STYLES, foldings
from hls_projects.operators.pot_linear.geometry import ELEMENTS, Geometry, Layer, Widths
from hls_projects.operators.pot_linear.kernel_stages import kernel_stages
from hls_projects.operators.pot_linear.requantization import Requantization
from hls_projects.operators.pot_linear.weights import BLOCK, OFFSET_BITS, PotWeights, by_group
from hls_projects.verilog.twin import Twin

# Attributes of the folding that a geometry follows from.
PARALLEL = ("pe", "simd", "parallel_tokens", "sparse", "result_buffers")


class PotLinear(HardwareOperator):
    """``y[t, n] = requantize((sum_k w[n, k] * x[t, k] << acc_shift[n]) + bias[n], out_shift[n])``.

    Attributes:
        n_tokens, n_in, n_out: sizes of the streams (n_tokens, n_in) -> (n_tokens, n_out).
        exponent_bits, mantissa_bits: weight format, E3M0 or E3M2 and the like.
        codes: (n_out, n_in), sign | exponent | mantissa; ``w`` is their value in units of the
            smallest magnitude.
        bias, acc_shift, out_shift: (n_out,), on the accumulator's grid; shifts are >= 0.
        pe, simd: outputs, and weights of an output, that are worked on in parallel.
        parallel_tokens: 1, or 2 tokens that are worked on with the same weights, which are then read half as often.
        element: how a weight is multiplied, one of :data:`ELEMENTS`.
        sparse: 1 where zero weights take no time. Every row then takes the steps of the most weights that
            any row has in a block of :data:`BLOCK` inputs.
        ram_style: one of :data:`RAM_STYLES`, of the RAM with the tokens that come in, as in FINN.
        result_buffers: 2 where the Verilog stores an output's finished sum beside the one that is read out, for groups
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

    def get_nodeattr_types(self) -> dict[str, tuple]:
        words = {"element": ("s", False, ELEMENTS[0]), "ram_style": ("s", False, RAM_STYLES[0])}
        own = words | {"sparse": ("i", False, 0), "result_buffers": ("i", False, 1)}
        return super().get_nodeattr_types() | own

    def fold_attributes(self) -> tuple[str, ...]:
        return (*super().fold_attributes(), "element", "sparse", "ram_style", "result_buffers")

    def execute(self, x: np.ndarray) -> np.ndarray:
        x = x.reshape(-1, *self.input_shapes()[0])
        total = (exact_matmul(x, self.weights.values.T) << self.array("acc_shift")) + self.array("bias")
        return requantize(total, self.array("out_shift"), self.out_dtype)

    # What the folding does not change; arrays and types of a node stay as they are made

    @cached_property
    def weights(self) -> PotWeights:
        """The weights, (n_out, n_in)."""
        return PotWeights(self.array("codes"), self.size("exponent_bits"), self.size("mantissa_bits"))

    @property
    def layer(self) -> Layer:
        """Sizes and types."""
        return Layer(
            n_tokens=self.size("n_tokens"),
            n_in=self.size("n_in"),
            n_out=self.size("n_out"),
            in_bits=self.in_dtype().bitwidth(),
            in_signed=self.in_dtype().signed(),
            out_bits=self.out_dtype.bitwidth(),
            out_signed=self.out_dtype.signed(),
            out_words=self.out_word(),
            exponent_bits=self.size("exponent_bits"),
            mantissa_bits=self.size("mantissa_bits"),
            powers=self.weights.powers,
            block_nonzeros=self.weights.block_nonzeros,
        )

    @cached_property
    def requantization(self) -> Requantization:
        """From sums to codes, as the Verilog takes it."""
        arrays = {name: self.array(name) for name in ("bias", "acc_shift", "out_shift")}
        return Requantization.of(self.weights, self.layer.x_bounds, **arrays)

    def widths(self, element: str, sparse: int) -> Widths:
        """Bits of the Verilog's numbers with an element."""
        if (element, sparse) not in self._widths:
            found = Widths.of(self.layer, self.weights, self.requantization, element, bool(sparse))
            self._widths[element, sparse] = found
        return self._widths[element, sparse]

    @cached_property
    def _widths(self) -> dict[tuple[str, int], Widths]:
        return {}

    # The folding

    @property
    def geometry(self) -> Geometry:
        """Sizes, widths and delays with the folding that the node has now."""
        folding = {name: self.size(name) for name in PARALLEL} | {"element": self.word("element")}
        key = self.size("n_tokens"), *folding.values()
        if key not in self._geometries:
            widths = self.widths(self.word("element"), self.size("sparse"))
            self._geometries[key] = Geometry.of(self.layer, widths, folding)
        return self._geometries[key]

    @cached_property
    def _geometries(self) -> dict[tuple[int | str, ...], Geometry]:
        return {}

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

    def foldings(self) -> Iterator[Folding]:
        layout.check_factors(self.weights)
        return foldings(self.layer, self.widths)

    def equivalence_key(self) -> Hashable:
        return (super().equivalence_key(), self.weights.powers, self.weights.block_nonzeros)

    # The C++ kernel

    def constants(self) -> dict[str, int]:
        return {
            "sparse": self.size("sparse"),
            "n_groups": self.geometry.groups,
            "n_steps": self.geometry.kernel_steps,
            "element_kind": ELEMENTS.index(self.word("element")),
            "block_size": BLOCK,
            "block_nonzeros": self.weights.block_nonzeros,
        }

    def kernel_array(self, name: str) -> np.ndarray:
        """``codes`` in the order in which the kernel reads them, (n_groups, n_steps, pe), see ``pot_linear.h``."""
        if name != "codes":
            return super().kernel_array(name)
        weights, geometry = self.weights, self.geometry
        rows = weights.codes
        if geometry.sparse:
            rows = weights.nonzeros(weights.codes, weights.code_bits, weights.block_nonzeros)
        return by_group(rows, geometry.groups, geometry.pe).transpose(0, 2, 1).reshape(-1)

    def array_dtype(self, name: str) -> BaseDataType:
        if name == "codes":
            return DataType[f"UINT{self.weights.code_bits + OFFSET_BITS * self.size('sparse')}"]
        return super().array_dtype(name)

    def types(self) -> dict[str, BaseDataType]:
        sums = np.abs(self.weights.values).sum(axis=1) * magnitude(self.in_dtype())
        peak = (sums << self.array("acc_shift")) + np.abs(self.array("bias"))
        return {
            "accum_t": signed_width(int(peak.max()), shifts=int(self.array("out_shift").max())),
            "bucket_t": signed_width(self.weights.bucket_peak() * magnitude(self.in_dtype())),
        }

    def kernel_stages(self) -> tuple[Stage, ...]:
        return kernel_stages(self.geometry)

    # The Verilog module

    def twin(self) -> Twin:
        layout.check(self.onnx_node.name, self.geometry, self.weights)
        block_ram = self.word("ram_style") == "block"
        return layout.twin(self.kernel, self.geometry, self.weights, self.requantization, block_ram=block_ram)

    def demand(self) -> Demand:
        layout.check_factors(self.weights)
        return demand(self.geometry, self.weights, block_ram=self.word("ram_style") == "block")

    def stages(self) -> tuple[Stage, ...]:
        return timing.stages(self.geometry)

    def cycles(self) -> int:
        return timing.cycles(self.geometry)

    def buffers(self, block: str) -> int:
        return timing.buffers(self.geometry, block)

    def block_latency(self, block: str) -> int:
        return timing.block_latency(self.geometry, block)

    def output_latency(self) -> int:
        return timing.output_latency(self.geometry)

    def macs(self) -> int:
        return self.size("n_tokens") * self.size("n_in") * self.size("n_out")

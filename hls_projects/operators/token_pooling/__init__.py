"""All tokens to the one that is classified, on codes."""

from __future__ import annotations

import numpy as np
from qonnx.core.datatype import BaseDataType

from hls_projects.cost import Demand
from hls_projects.dataflow.program import Read, Repeat, Together, Write
from hls_projects.integer import magnitude, requantize, shift_dtype, signed_width
from hls_projects.operators.base import HardwareOperator, Stage
from hls_projects.verilog.twin import Twin, code_type


class TokenPooling(HardwareOperator):
    """``y = requantize(sum_t x[t] * multiplier, out_shift)``, or the first token as it is.

    Attributes:
        n_tokens, n_in: (n_tokens, n_in) -> (1, n_in).
        average: 1 for the mean, 0 for the first token (then multiplier 1, out_shift 0).
        multiplier, out_shift: 1 / n_tokens and the change of grid.
    """

    kernel = "token_pooling"
    sizes = ("n_tokens", "n_in", "average", "multiplier", "out_shift")

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.size("n_tokens"), self.size("n_in")),)

    def output_shape(self) -> tuple[int, ...]:
        return (1, self.size("n_in"))

    def types(self) -> dict[str, BaseDataType]:
        peak = self.size("n_tokens") * magnitude(self.in_dtype()) * self.size("multiplier")
        shift = self.size("out_shift")
        return {"accum_t": signed_width(peak, shifts=shift), "shift_t": shift_dtype(shift)}

    def stages(self) -> tuple[Stage, ...]:
        tokens, channels = self.size("n_tokens"), self.size("n_in")
        results = Repeat(channels, (Together((Read("in0"), Write("out"))),))
        others = Repeat((tokens - 1) * channels, (Read("in0"),))
        return (Stage("", (others, results) if self.size("average") else (results, others)),)

    def output_latency(self) -> int:
        return 2

    def twin(self) -> Twin:
        total = signed_width(self.size("n_tokens") * magnitude(self.in_dtype()))
        widths = {"SUM_WIDTH": total.bitwidth(), "PRODUCT_WIDTH": self.types()["accum_t"].bitwidth()}
        sizes = {name.upper(): self.size(name) for name in self.sizes}
        return Twin(self.kernel, sizes | code_type("IN", self.in_dtype()) | code_type("OUT", self.out_dtype) | widths)

    def demand(self) -> Demand:
        found = self.twin().parameters
        # A product with a power of two is none.
        product = bin(self.size("multiplier")).count("1") > 1
        address = max((self.size("n_in") - 1).bit_length(), 5)
        features = {
            "one": 1,
            "sum_bits": found["SUM_WIDTH"],
            "average": self.size("average"),
            "held_bits": found["SUM_WIDTH"] * (not product),
            "product_bits": found["PRODUCT_WIDTH"] * product,
            "rounded_bits": found["OUT_SHIFT"],
            "out_bits": found["OUT_WIDTH"],
            "address_bits": self.size("n_in").bit_length() + self.size("n_tokens").bit_length(),
            "sums_luts": found["SUM_WIDTH"] * (1 << address) / 64 * self.size("average"),
        }
        return Demand("TokenPooling", features, DSP=int(product))

    def execute(self, x: np.ndarray) -> np.ndarray:
        total = x.sum(axis=1, keepdims=True) if self.size("average") else x[:, :1]
        return requantize(total * self.size("multiplier"), self.size("out_shift"), self.out_dtype)

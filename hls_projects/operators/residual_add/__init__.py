"""Sum of two streams of codes with scales of their own."""

from __future__ import annotations

import numpy as np
from qonnx.core.datatype import BaseDataType

from hls_projects.cost import Demand
from hls_projects.dataflow.patterns import elementwise
from hls_projects.integer import magnitude, requantize, shift_dtype, signed_width
from hls_projects.operators.base import HardwareOperator, Stage
from hls_projects.verilog.twin import Twin, code_type


class ResidualAdd(HardwareOperator):
    """``y = requantize((a << a_shift) + (b << b_shift), out_shift)``.

    Attributes:
        n_tokens, n_in: the streams are (n_tokens, n_in).
        a_shift, b_shift: left shifts to the common grid; out_shift: right shift to the output's.
    """

    kernel = "residual_add"
    sizes = ("n_tokens", "n_in", "a_shift", "b_shift", "out_shift")

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.output_shape(), self.output_shape())

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_in"))

    def types(self) -> dict[str, BaseDataType]:
        peak = (magnitude(self.in_dtype(0)) << self.size("a_shift")) + (
            magnitude(self.in_dtype(1)) << self.size("b_shift")
        )
        shift = self.size("out_shift")
        return {"accum_t": signed_width(peak, shifts=shift), "shift_t": shift_dtype(shift)}

    def stages(self) -> tuple[Stage, ...]:
        return elementwise(self.size("n_tokens") * self.size("n_in"), inputs=2)

    def twin(self) -> Twin:
        shifts = {"IN0_SHIFT": self.size("a_shift"), "IN1_SHIFT": self.size("b_shift")}
        return Twin(
            self.kernel,
            code_type("IN0", self.in_dtype(0))
            | code_type("IN1", self.in_dtype(1))
            | code_type("OUT", self.out_dtype)
            | shifts
            | {"SUM_WIDTH": self.types()["accum_t"].bitwidth(), "OUT_SHIFT": self.size("out_shift")},
        )

    def demand(self) -> Demand:
        found = self.twin().parameters
        features = {
            "one": 1,
            "sum_bits": found["SUM_WIDTH"],
            "rounded_bits": found["OUT_SHIFT"],
            "out_bits": found["OUT_WIDTH"],
        }
        return Demand("ResidualAdd", features)

    def execute(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        total = (a << self.size("a_shift")) + (b << self.size("b_shift"))
        return requantize(total, self.size("out_shift"), self.out_dtype)

"""Position embedding and class token, on codes."""

from __future__ import annotations

import numpy as np
from qonnx.core.datatype import BaseDataType

from hls_projects.cost import Demand, Rom
from hls_projects.dataflow.patterns import elementwise
from hls_projects.dataflow.program import Repeat, Write
from hls_projects.integer import magnitude, requantize, shift_dtype, signed_width
from hls_projects.operators.base import HardwareOperator, Stage
from hls_projects.verilog.twin import Memory, Twin, code_type


class PositionEmbedding(HardwareOperator):
    """``y[t] = requantize((x[t] << in_shift) + table[t], out_shift)`` after ``n_prefix`` stored tokens.

    Attributes:
        n_patches, n_prefix, n_in: (n_patches, n_in) -> (n_prefix + n_patches, n_in).
        in_shift: left shift to the common grid; out_shift: right shift to the output's.
        table: ((n_prefix + n_patches) * n_in,).
    """

    kernel = "position_embedding"
    sizes = ("n_patches", "n_prefix", "n_in", "in_shift", "out_shift")
    arrays = ("table",)

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.size("n_patches"), self.size("n_in")),)

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_prefix") + self.size("n_patches"), self.size("n_in"))

    def types(self) -> dict[str, BaseDataType]:
        peak = (magnitude(self.in_dtype()) << self.size("in_shift")) + int(np.abs(self.array("table")).max())
        shift = self.size("out_shift")
        return {"accum_t": signed_width(peak, shifts=shift), "shift_t": shift_dtype(shift)}

    def stages(self) -> tuple[Stage, ...]:
        stored, patches = (self.size(name) * self.size("n_in") for name in ("n_prefix", "n_patches"))
        return (Stage("", (Repeat(stored, (Write("out"),)), *elementwise(patches)[0].program)),)

    def twin(self) -> Twin:
        stored = self.array_dtype("table")
        sizes = {"N_WORDS": len(self.array("table")), "N_STORED": self.size("n_prefix") * self.size("n_in")}
        shifts = {name.upper(): self.size(name) for name in ("in_shift", "out_shift")}
        return Twin(
            self.kernel,
            sizes
            | shifts
            | code_type("IN", self.in_dtype())
            | code_type("TABLE", stored)
            | code_type("OUT", self.out_dtype)
            | {"SUM_WIDTH": self.types()["accum_t"].bitwidth()},
            {"table": Memory.of(stored.bitwidth(), self.array("table"))},
        )

    def demand(self) -> Demand:
        rom = Rom.of(self.array_dtype("table").bitwidth(), self.array("table"))
        features = {
            "one": 1,
            "sum_bits": self.types()["accum_t"].bitwidth(),
            "rounded_bits": self.size("out_shift"),
            "out_bits": self.out_dtype.bitwidth(),
            "address_bits": len(self.array("table")).bit_length(),
            "prefix": int(self.size("n_prefix") > 0),
            "table_luts": rom.luts,
            "choice_luts": rom.choice_luts,
            "in_block_ram": int(rom.BRAM36 > 0),
        }
        return Demand("PositionEmbedding", features, BRAM36=rom.BRAM36)

    def execute(self, x: np.ndarray) -> np.ndarray:
        padded = np.pad(x << self.size("in_shift"), ((0, 0), (self.size("n_prefix"), 0), (0, 0)))
        return requantize(
            padded + self.array("table").reshape(self.output_shape()), self.size("out_shift"), self.out_dtype
        )

"""Any function of one code, from a table."""

from __future__ import annotations

import numpy as np

from hls_projects.cost import Demand, Rom
from hls_projects.dataflow.patterns import elementwise
from hls_projects.operators.base import HardwareOperator, Stage
from hls_projects.verilog.twin import Memory, Twin, code_type


class ActivationTable(HardwareOperator):
    """``y = table[x - lowest code of x]``.

    Attributes:
        n_tokens, n_in: the stream is (n_tokens, n_in) in and out.
        n_codes: codes of the input type, the length of ``table``.
        table: (n_codes,) output codes.
    """

    kernel = "activation_table"
    sizes = ("n_tokens", "n_in", "n_codes")
    arrays = ("table",)

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.size("n_tokens"), self.size("n_in")),)

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_in"))

    def stages(self) -> tuple[Stage, ...]:
        return elementwise(self.size("n_tokens") * self.size("n_in"))

    def twin(self) -> Twin:
        bits = self.out_dtype.bitwidth()
        return Twin(
            self.kernel,
            code_type("IN", self.in_dtype()) | {"OUT_WIDTH": bits},
            {"table": Memory.of(bits, self.array("table"))},
        )

    def demand(self) -> Demand:
        rom = Rom.of(self.out_dtype.bitwidth(), self.array("table"))
        features = {
            "one": 1,
            "out_bits": self.out_dtype.bitwidth(),
            "table_luts": rom.luts,
            "table_tree_luts": rom.tree_luts,
            "choice_luts": rom.choice_luts,
        }
        return Demand("ActivationTable", features, BRAM36=rom.BRAM36)

    def execute(self, x: np.ndarray) -> np.ndarray:
        return self.array("table")[x - int(self.in_dtype().min())]

"""Softmax of score codes, by a table of exponentials and a table of reciprocals."""

from __future__ import annotations

import numpy as np
from qonnx.core.datatype import BaseDataType

from hls_projects.cost import DSP_WIDTH, Demand, Rom, lut_ram
from hls_projects.dataflow.patterns import block_of, stretch
from hls_projects.dataflow.program import Read, Repeat, Write, claim, fill, free, take
from hls_projects.integer import requantize, shift_dtype, signed_width, significand, smallest_dtype
from hls_projects.operators.attention.window import WINDOW_SIZES, WindowedOperator
from hls_projects.operators.base import Stage
from hls_projects.verilog.cycles import scale_factor_cycles
from hls_projects.verilog.twin import Memory, Twin, code_type


class IntegerSoftmax(WindowedOperator):
    """``p[slot] = requantize(e[slot] * reciprocal_table[m - 128], out_shift + k)`` over each row of slots.

    A row has the scores of one query and head. ``e[slot] = exp_table[max - s[slot]]``, and ``m * 2**k`` is the sum of
    ``e``, rounded to eight significant bits. Slots without a key do not count and get 0.

    Two roundings decide the result, both half to even: :func:`~hls_projects.integer.significand` of the sum, and
    :func:`~hls_projects.integer.requantize` of each product. :meth:`execute` calls them in this order.

    Attributes:
        n_tokens, tile_size, load_size, n_window: :class:`hls_projects.operators.attention.window.Window`.
        n_heads: scores and probabilities are (n_tokens, n_heads * n_window).
        n_codes: length of ``exp_table``, one entry for each distance to the row's maximum.
        out_shift: shift at exponent 0.
        exp_table: (n_codes,); reciprocal_table: (128,).
    """

    kernel = "integer_softmax"
    sizes = (*WINDOW_SIZES, "n_heads", "n_codes", "out_shift")
    arrays = ("exp_table", "reciprocal_table")

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.output_shape(),)

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_heads") * self.size("n_window"))

    def as_stream(self, values: np.ndarray) -> np.ndarray:
        return super().as_stream(self.window.gather(values))

    def sum_bounds(self) -> tuple[int, int]:
        """Smallest and largest sum of a row: the maximum itself always counts."""
        table = self.array("exp_table")
        return int(table[0]), int(table.max()) * self.size("n_window")

    def types(self) -> dict[str, BaseDataType]:
        """See :class:`HardwareOperator`.

        Raises:
            ValueError: the smallest sum has an exponent below ``-out_shift``, so that its shift is negative.
        """
        low, high = self.sum_bounds()
        shifts = [self.size("out_shift") + exponent for exponent in self._exponents()]
        if min(shifts) < 0:
            raise ValueError(f"{self.onnx_node.name}: a sum of {low} would need a left shift")
        peak = int(self.array("exp_table").max() * self.array("reciprocal_table").max())
        return {
            "sum_t": smallest_dtype(0, high),
            "product_t": signed_width(peak, shifts=max(shifts)),
            "shift_t": shift_dtype(*shifts),
        }

    def stages(self) -> tuple[Stage, ...]:
        rows, slots = self.size("n_tokens") * self.size("n_heads"), self.size("n_window")
        maximum = block_of(slots, (Read("in0"),), "rows")
        exponentials = stretch(slots, first=(claim("exps"),), last=(free("rows"), fill("exps")))
        # One cycle begins a row; two registers lie between the read of a score and the write of its exponential.
        exponentials = (*stretch(3, first=(take("rows"),)), *exponentials)
        # A row waits for the reciprocal of its sum.
        products = stretch(slots, (Write("out"),), last=(free("exps"),))
        products = (*stretch(self._reciprocal_cycles() + 1, first=(take("exps"),)), *products)
        programs = {"maximum": maximum, "exponentials": exponentials, "products": products}
        return tuple(Stage(name, (Repeat(rows, program),)) for name, program in programs.items())

    def output_latency(self) -> int:
        return 3

    def _exponents(self) -> tuple[int, int]:
        """Exponents of the smallest and of the largest sum."""
        _, (lowest, highest) = significand(np.array(self.sum_bounds()))
        return int(lowest), int(highest)

    def _reciprocal_cycles(self) -> int:
        lowest, highest = self._exponents()
        return scale_factor_cycles(self.types()["sum_t"].bitwidth(), highest - lowest)

    def twin(self) -> Twin:
        lowest, highest = self._exponents()
        widths = {name: self.array_dtype(name).bitwidth() for name in self.arrays}
        rows = {
            "N_WINDOW": self.size("n_window"),
            "SKIP": self.size("n_window") - self.size("load_size"),
            "LOAD_SIZE": self.size("load_size"),
            "ROWS": self.size("n_heads") * self.size("tile_size"),
            "TILES": self.size("n_tokens") // self.size("tile_size"),
        }
        arithmetic = {
            "EXP_WIDTH": widths["exp_table"],
            "SUM_WIDTH": self.types()["sum_t"].bitwidth(),
            "RECIPROCAL_WIDTH": widths["reciprocal_table"],
            "HIGHEST": highest,
            "SHIFTS": highest - lowest,
            "OUT_SHIFT": self.size("out_shift") + highest,
        }
        return Twin(
            self.kernel,
            rows | arithmetic | code_type("IN", self.in_dtype()) | code_type("OUT", self.out_dtype),
            {name: Memory.of(widths[name], self.array(name)) for name in self.arrays},
        )

    def demand(self) -> Demand:
        found, slots = self.twin().parameters, self.size("n_window")
        factor = found["RECIPROCAL_WIDTH"] + found["SHIFTS"]
        rom = Rom.of(found["EXP_WIDTH"], self.array("exp_table"))
        features = {
            "one": 1,
            "sum_bits": found["SUM_WIDTH"],
            "factor_bits": max(factor, found["SUM_WIDTH"]),
            "product_bits": found["EXP_WIDTH"] + factor,
            "code_bits": found["IN_WIDTH"] + found["EXP_WIDTH"],
            "address_bits": slots.bit_length(),
            "several_loads": int(found["SKIP"] > 0),
            "words_luts": lut_ram(found["IN_WIDTH"], 2 * slots) + lut_ram(found["EXP_WIDTH"], 2 * slots),
            "table_luts": rom.luts,
        }
        return Demand("IntegerSoftmax", features, BRAM36=rom.BRAM36, DSP=1 if factor < DSP_WIDTH else 2)

    def execute(self, scores: np.ndarray) -> np.ndarray:
        rows = scores.reshape(-1, self.size("n_tokens"), self.size("n_heads"), self.size("n_window"))
        valid = self.window.keys()[:, None] >= 0
        highest = rows.max(axis=-1, keepdims=True, where=valid, initial=int(self.in_dtype().min()))
        # (images, queries, heads, slots); slots without a key are 0.
        exps = np.where(valid, self.array("exp_table")[np.where(valid, highest - rows, 0)], 0)
        mantissa, exponent = significand(exps.sum(axis=-1, keepdims=True))
        product = exps * self.array("reciprocal_table")[mantissa - 128]
        return requantize(product, self.size("out_shift") + exponent, self.out_dtype).reshape(scores.shape)

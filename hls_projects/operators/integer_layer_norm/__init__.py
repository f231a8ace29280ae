"""LayerNorm without gain and offset, on codes.

To change how it rounds, change :meth:`IntegerLayerNorm.execute`, the kernel ``integer_layer_norm.h`` and the module
``verilog/integer_layer_norm.sv`` alike, whose tests in ``tests/`` compare them. All three round with a function of one
name: ``requantize`` and ``significand`` of ``hls_projects/integer.py``, ``requantize`` and ``to_significand`` of
``kernels/fixed_point.h``, ``requantize.sv`` and ``scale_factor.sv`` of ``verilog/modules``.
"""

from __future__ import annotations

import numpy as np
from qonnx.core.datatype import BaseDataType, DataType

from hls_projects.cost import DSP_WIDTH, Demand, Rom, lut_ram
from hls_projects.dataflow.patterns import block_of, stretch
from hls_projects.dataflow.program import Read, Repeat, Write, claim, fill, free, take
from hls_projects.integer import magnitude, requantize, shift_dtype, signed_width, significand, smallest_dtype
from hls_projects.operators.base import HardwareOperator, Stage
from hls_projects.verilog.cycles import scale_factor_cycles
from hls_projects.verilog.twin import Memory, Twin, code_type


class IntegerLayerNorm(HardwareOperator):
    """Centre each token and divide it by its standard deviation.

    Four values are rounded, each half to even::

        mean  = requantize(sum of x * mean_multiplier, mean_shift)
        c     = requantize((x << x_shift) - (mean << mean_align), centred_shift)
        m, k  = significand(sum of c**2)                       # m * 2**k, m of eight bits
        y     = requantize(c * inverse_table[(k & 1) * 128 + m - 128] << headroom, out_shift + (k >> 1))

    ``requantize(value, shift)`` divides by ``2**shift``, rounds, and saturates to the type of the result.

    Attributes:
        n_tokens, n_in: the stream is (n_tokens, n_in) in and out.
        mean_multiplier, mean_shift: 1 / n_in as an integer and a shift.
        x_shift, mean_align: left shifts that bring x and the mean to the same step.
        mean_bits, centred_bits: widths of the signed codes of mean and c.
        centred_shift: shift of the centred codes.
        headroom: left shift of the products, so that no shift of the result is negative.
        out_shift: shift of the result at exponent 0.
        inverse_table: (256,), the inverse roots of significands with an even exponent, then those with an odd one.
    """

    kernel = "integer_layer_norm"
    sizes = (
        "n_tokens", "n_in", "mean_multiplier", "mean_shift", "x_shift", "mean_align",
        "mean_bits", "centred_bits", "centred_shift", "headroom", "out_shift",
    )  # fmt: skip
    arrays = ("inverse_table",)

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.size("n_tokens"), self.size("n_in")),)

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_in"))

    @property
    def mean_dtype(self) -> BaseDataType:
        return DataType[f"INT{self.size('mean_bits')}"]

    @property
    def centred_dtype(self) -> BaseDataType:
        return DataType[f"INT{self.size('centred_bits')}"]

    def square_peak(self) -> int:
        """Upper bound of the sum of squares."""
        return self.size("n_in") * magnitude(self.centred_dtype) ** 2

    def shifts(self) -> tuple[int, int]:
        """Smallest and largest shift of the result.

        Raises:
            ValueError: the smallest one is negative.
        """
        low, high = (self.size("out_shift") + exponent for exponent in self._exponents())
        if low < 0:
            raise ValueError(f"{self.onnx_node.name}: headroom {self.size('headroom')} is too small")
        return low, high

    def types(self) -> dict[str, BaseDataType]:
        scaled = self.size("n_in") * magnitude(self.in_dtype()) * self.size("mean_multiplier")
        difference = (magnitude(self.in_dtype()) << self.size("x_shift")) + (
            magnitude(self.mean_dtype) << self.size("mean_align")
        )
        product = (magnitude(self.centred_dtype) * int(self.array("inverse_table").max())) << self.size("headroom")
        _, last_shift = self.shifts()
        return {
            "sum_t": signed_width(scaled, shifts=self.size("mean_shift")),
            "mean_t": self.mean_dtype,
            "difference_t": signed_width(difference, shifts=self.size("centred_shift")),
            "centred_t": self.centred_dtype,
            "square_t": smallest_dtype(0, self.square_peak()),
            "product_t": signed_width(product, shifts=last_shift),
            "shift_t": shift_dtype(self.size("mean_shift"), self.size("centred_shift"), last_shift),
        }

    def stages(self) -> tuple[Stage, ...]:
        tokens, channels = self.size("n_tokens"), self.size("n_in")
        mean = block_of(channels, (Read("in0"),), "tokens")
        squares = stretch(channels, first=(claim("centred"),), last=(free("tokens"), fill("centred")))
        products = stretch(channels, (Write("out"),), last=(free("centred"),))
        # layer_norm_mean.sv takes a bit of the multiplier, or of the shift, a cycle. One more cycle begins a token, one
        # subtracts half a step, and two registers lie between the read of a code and the write of its centred code.
        mean_cycles = max(self.size("mean_multiplier").bit_length(), self.size("mean_shift"))
        squares = (*stretch(mean_cycles + 4, first=(take("tokens"),)), *squares)
        products = (*stretch(self._inverse_cycles() + 1, first=(take("centred"),)), *products)
        programs = {"mean": mean, "squares": squares, "products": products}
        return tuple(Stage(name, (Repeat(tokens, program),)) for name, program in programs.items())

    def output_latency(self) -> int:
        return 3

    def _exponents(self) -> tuple[int, int]:
        """Half the exponents of the smallest and the largest sum of squares."""
        _, exponents = significand(np.array([1, self.square_peak()]))
        low, high = (int(exponent >> 1) for exponent in exponents)
        return low, high

    def _inverse_cycles(self) -> int:
        low, high = self._exponents()
        return scale_factor_cycles(self.types()["square_t"].bitwidth(), high - low)

    def twin(self) -> Twin:
        types, size = self.types(), self.size
        lowest, highest = self._exponents()
        # Where headroom shifts further to the left than the result is shifted to the right, the table takes the rest.
        shift = size("out_shift") + highest - size("headroom")
        table = self.array("inverse_table") << max(-shift, 0)
        bits = smallest_dtype(0, int(table.max())).bitwidth()
        mean = {
            "SUM_WIDTH": signed_width(size("n_in") * magnitude(self.in_dtype())).bitwidth(),
            "MEAN_MULTIPLIER": size("mean_multiplier"),
            "MULTIPLIER_WIDTH": size("mean_multiplier").bit_length(),
            "MEAN_SHIFT": size("mean_shift"),
            "MEAN_WIDTH": size("mean_bits"),
            "MEAN_ALIGN": size("mean_align"),
        }
        centring = {
            "X_SHIFT": size("x_shift"),
            "DIFFERENCE_WIDTH": types["difference_t"].bitwidth() + 1,
            "CENTRED_WIDTH": size("centred_bits"),
            "CENTRED_SHIFT": size("centred_shift"),
            "SQUARES_WIDTH": types["square_t"].bitwidth(),
        }
        product = {
            "INVERSE_WIDTH": bits,
            "HIGHEST": highest,
            "SHIFTS": highest - lowest,
            "OUT_SHIFT": max(shift, 0),
        }
        codes = code_type("IN", self.in_dtype()) | code_type("OUT", self.out_dtype)
        parameters = {"N_IN": size("n_in")} | codes | mean | centring | product
        return Twin(self.kernel, parameters, {"inverse_table": Memory.of(bits, table)})

    def demand(self) -> Demand:
        found, channels = self.twin().parameters, self.size("n_in")
        rom = Rom.of(found["INVERSE_WIDTH"], self.array("inverse_table"))
        factor = found["INVERSE_WIDTH"] + found["SHIFTS"]
        words = lut_ram(found["IN_WIDTH"], 2 * channels) + lut_ram(found["CENTRED_WIDTH"], 2 * channels)
        features = {
            "one": 1,
            "sum_bits": found["SUM_WIDTH"] + found["MULTIPLIER_WIDTH"] + found["MEAN_WIDTH"],
            "difference_bits": found["DIFFERENCE_WIDTH"],
            "squares_bits": found["SQUARES_WIDTH"],
            "factor_bits": max(factor, found["SQUARES_WIDTH"]),
            "product_bits": found["CENTRED_WIDTH"] + factor,
            "address_bits": channels.bit_length(),
            "words_luts": words,
            "table_luts": rom.luts,
        }
        return Demand("IntegerLayerNorm", features, BRAM36=rom.BRAM36, DSP=2 if factor < DSP_WIDTH else 3)

    def execute(self, x: np.ndarray) -> np.ndarray:
        scaled = x.sum(axis=-1, keepdims=True) * self.size("mean_multiplier")
        mean = requantize(scaled, self.size("mean_shift"), self.mean_dtype)
        difference = (x << self.size("x_shift")) - (mean << self.size("mean_align"))
        centred = requantize(difference, self.size("centred_shift"), self.centred_dtype)
        mantissa, exponent = significand((centred**2).sum(axis=-1, keepdims=True))
        inverse = self.array("inverse_table")[(exponent & 1) * 128 + mantissa - 128]
        product = (centred * inverse) << self.size("headroom")
        return requantize(product, self.size("out_shift") + (exponent >> 1), self.out_dtype)

"""Some channels of every token of a stream."""

from __future__ import annotations

import numpy as np

from hls_projects.cost import Demand
from hls_projects.dataflow.program import Read, Repeat, Together, Write
from hls_projects.operators.base import HardwareOperator, Stage
from hls_projects.verilog.twin import Twin


class ChannelSlice(HardwareOperator):
    """``y[t, n] = x[t, first + n]``; the other channels are read and dropped.

    Attributes:
        n_tokens, n_in, n_out: sizes of the streams (n_tokens, n_in) -> (n_tokens, n_out), of the same codes.
        first: index of the first channel that goes out.
    """

    kernel = "channel_slice"
    sizes = ("n_tokens", "n_in", "n_out", "first")

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.size("n_tokens"), self.size("n_in")),)

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_out"))

    def stages(self) -> tuple[Stage, ...]:
        before, selected = self.size("first"), self.size("n_out")
        counts = (before, ()), (selected, (Write("out"),)), (self.size("n_in") - before - selected, ())
        token = tuple(Repeat(count, (Together((Read("in0"), *writes)),)) for count, writes in counts if count)
        return (Stage("", (Repeat(self.size("n_tokens"), token),)),)

    def twin(self) -> Twin:
        sizes = {name.upper(): self.size(name) for name in ("n_in", "n_out", "first")}
        return Twin(self.kernel, sizes | {"WIDTH": self.out_dtype.bitwidth()})

    def demand(self) -> Demand:
        features = {
            "one": 1,
            "channel_bits": (self.size("n_in") - 1).bit_length(),
            "word_bits": self.out_dtype.bitwidth(),
        }
        return Demand("ChannelSlice", features)

    def execute(self, x: np.ndarray) -> np.ndarray:
        first = self.size("first")
        return x[..., first : first + self.size("n_out")]

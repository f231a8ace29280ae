"""Scores of queries against keys, on codes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from qonnx.core.datatype import BaseDataType

from hls_projects.cost import Demand
from hls_projects.integer import divisors, exact_matmul, magnitude, requantize, shift_dtype, signed_width
from hls_projects.operators.base import Folding, Stage
from hls_projects.operators.checks import check_choice, check_divisor
from hls_projects.operators.products import Shape, buffers, product_parameters, sum_cycles
from hls_projects.operators.window import WINDOW_SIZES, WindowedOperator
from hls_projects.verilog.twin import Twin


class AttentionScores(WindowedOperator):
    """``s[i, h, slot] = requantize(sum_c q[i, h, c] * k[key, h, c], out_shift)``, 0 in slots without a key.

    Attributes:
        n_tokens, tile_size, load_size, n_window: :class:`hls_projects.operators.window.Window`, which
            says what ``key`` a ``slot`` has.
        n_heads, head_dim: q and k are (n_tokens, n_heads * head_dim), the result is
            (n_tokens, n_heads * n_window).
        out_shift: >= 0.
    """

    kernel = "attention_scores"
    sizes = (*WINDOW_SIZES, "n_heads", "head_dim", "out_shift")
    folding = ("parallel_heads", "parallel_keys", "packed")

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        token = (self.size("n_tokens"), self.size("n_heads") * self.size("head_dim"))
        return (token, token)

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_heads") * self.size("n_window"))

    def as_stream(self, values: np.ndarray) -> np.ndarray:
        return super().as_stream(self.window.gather(values))

    def macs(self) -> int:
        return self.window.scores() * self.size("n_heads") * self.size("head_dim")

    def types(self) -> dict[str, BaseDataType]:
        peak = self.size("head_dim") * magnitude(self.in_dtype(0)) * magnitude(self.in_dtype(1))
        shift = self.size("out_shift")
        return {"accum_t": signed_width(peak, shifts=shift), "shift_t": shift_dtype(shift)}

    def check_folding(self) -> None:
        check_choice(self, "packed", 0, 1)
        check_divisor(self, "parallel_heads", "n_heads")
        check_divisor(self, "parallel_keys", "load_size")

    def stages(self) -> tuple[Stage, ...]:
        heads, channels, slots = (self.size(name) for name in ("n_heads", "head_dim", "n_window"))
        groups = heads // self.size("parallel_heads") * (slots // self.size("parallel_keys"))
        return self.attention_stages(
            query=heads * channels, key=heads * channels, result=heads * slots, groups=groups, steps=channels
        )

    def buffers(self, block: str) -> int:
        return buffers(self, block) or super().buffers(block)

    def block_latency(self, block: str) -> int:
        return sum_cycles(self) if block == "groups" else super().block_latency(block)

    def foldings(self) -> Iterator[Folding]:
        for heads in divisors(self.size("n_heads")):
            for inner in divisors(self.size("load_size")):
                for packed in (0, 1):
                    yield {"parallel_heads": heads, "parallel_keys": inner, "packed": packed}

    def twin(self) -> Twin:
        return Twin(self.kernel, product_parameters(self, "QK", self.size("head_dim")))

    def demand(self) -> Demand:
        return Shape.of(self, self.twin().parameters).demand(self)

    def execute(self, q: np.ndarray, k: np.ndarray) -> np.ndarray:
        tokens, heads, channels = (self.size(name) for name in ("n_tokens", "n_heads", "head_dim"))
        q = q.reshape(-1, tokens, heads, channels).transpose(0, 2, 1, 3)
        k = k.reshape(-1, tokens, heads, channels).transpose(0, 2, 3, 1)
        scores = requantize(exact_matmul(q, k), self.size("out_shift"), self.out_dtype)
        return self.as_stream(scores)

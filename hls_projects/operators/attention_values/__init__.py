"""Values weighted by attention probabilities, on codes."""

from __future__ import annotations

import numpy as np
from qonnx.core.datatype import BaseDataType

from hls_projects.dataflow.program import Program, Read, Repeat
from hls_projects.integer import exact_matmul, requantize
from hls_projects.operators.base import HardwareOperator, magnitude, shift_dtype, signed_width, word_by_word


class AttentionValues(HardwareOperator):
    """``y[i, h, c] = requantize(sum_j p[i, h, j] * v[j, h, c], out_shift)``.

    Attributes:
        n_tokens, n_heads, head_dim: p is (n_tokens, n_heads * n_tokens), v and the result are
            (n_tokens, n_heads * head_dim).
        out_shift: >= 0.
    """

    kernel = "attention_values"
    sizes = ("n_tokens", "n_heads", "head_dim", "out_shift")

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        tokens, heads = self.size("n_tokens"), self.size("n_heads")
        return ((tokens, heads * tokens), (tokens, heads * self.size("head_dim")))

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_heads") * self.size("head_dim"))

    def macs(self) -> int:
        return self.size("n_tokens") ** 2 * self.size("n_heads") * self.size("head_dim")

    def types(self) -> dict[str, BaseDataType]:
        peak = self.size("n_tokens") * magnitude(self.in_dtype(0)) * magnitude(self.in_dtype(1))
        shift = self.size("out_shift")
        return {"accum_t": signed_width(peak, shifts=shift), "shift_t": shift_dtype(shift)}

    def program(self) -> Program:
        tokens, heads, channels = (self.size(name) for name in ("n_tokens", "n_heads", "head_dim"))
        return (Repeat(tokens, (Read("in1"),)), *word_by_word(tokens, heads * channels * (tokens + 2)))

    def execute(self, p: np.ndarray, v: np.ndarray) -> np.ndarray:
        tokens, heads, channels = (self.size(name) for name in ("n_tokens", "n_heads", "head_dim"))
        p = p.reshape(-1, tokens, heads, tokens).transpose(0, 2, 1, 3)
        v = v.reshape(-1, tokens, heads, channels).transpose(0, 2, 1, 3)
        values = requantize(exact_matmul(p, v), self.size("out_shift"), self.out_dtype)
        return values.transpose(0, 2, 1, 3).reshape(-1, *self.output_shape())

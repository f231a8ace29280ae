"""Scores of queries against keys, on codes."""

from __future__ import annotations

import numpy as np
from qonnx.core.datatype import BaseDataType

from hls_projects.dataflow.program import Program, Read, Repeat
from hls_projects.integer import exact_matmul, requantize
from hls_projects.operators.base import HardwareOperator, magnitude, shift_dtype, signed_width, word_by_word


class AttentionScores(HardwareOperator):
    """``s[i, h, j] = requantize(sum_c q[i, h, c] * k[j, h, c], out_shift)``.

    Attributes:
        n_tokens, n_heads, head_dim: q and k are (n_tokens, n_heads * head_dim), the result is
            (n_tokens, n_heads * n_tokens).
        out_shift: >= 0.
    """

    kernel = "attention_scores"
    sizes = ("n_tokens", "n_heads", "head_dim", "out_shift")

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        token = (self.size("n_tokens"), self.size("n_heads") * self.size("head_dim"))
        return (token, token)

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_heads") * self.size("n_tokens"))

    def macs(self) -> int:
        return self.size("n_tokens") ** 2 * self.size("n_heads") * self.size("head_dim")

    def types(self) -> dict[str, BaseDataType]:
        peak = self.size("head_dim") * magnitude(self.in_dtype(0)) * magnitude(self.in_dtype(1))
        shift = self.size("out_shift")
        return {"accum_t": signed_width(peak, shifts=shift), "shift_t": shift_dtype(shift)}

    def program(self) -> Program:
        tokens, heads, channels = (self.size(name) for name in ("n_tokens", "n_heads", "head_dim"))
        return (Repeat(tokens, (Read("in1"),)), *word_by_word(tokens, heads * tokens * channels))

    def execute(self, q: np.ndarray, k: np.ndarray) -> np.ndarray:
        tokens, heads, channels = (self.size(name) for name in ("n_tokens", "n_heads", "head_dim"))
        q = q.reshape(-1, tokens, heads, channels).transpose(0, 2, 1, 3)
        k = k.reshape(-1, tokens, heads, channels).transpose(0, 2, 3, 1)
        scores = requantize(exact_matmul(q, k), self.size("out_shift"), self.out_dtype)
        return scores.transpose(0, 2, 1, 3).reshape(-1, *self.output_shape())

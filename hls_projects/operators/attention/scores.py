"""Scores of queries against keys, on codes."""

from __future__ import annotations

import numpy as np

from hls_projects.integer import exact_matmul, requantize
from hls_projects.operators.attention.product import AttentionProduct


class AttentionScores(AttentionProduct):
    """``s[i, h, slot] = requantize(sum_c q[i, h, c] * k[key, h, c], out_shift)``, 0 in slots without a key.

    Attributes:
        n_tokens, tile_size, load_size, n_window: :class:`hls_projects.operators.attention.window.Window`, which
            says what ``key`` a ``slot`` has.
        n_heads, head_dim: q and k are (n_tokens, n_heads * head_dim), the result is
            (n_tokens, n_heads * n_window).
        out_shift: >= 0.
        parallel_heads: heads computed together.
        parallel_keys: scores of a head computed together, of ``load_size``.
        packed: 1 where a DSP computes two scores.
    """

    kernel = "attention_scores"
    folding = ("parallel_heads", "parallel_keys", "packed")
    lanes = ("parallel_keys", "load_size")
    sum_over_keys = False

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        token = (self.size("n_tokens"), self.size("n_heads") * self.size("head_dim"))
        return (token, token)

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_heads") * self.size("n_window"))

    @property
    def n_products(self) -> int:
        return self.size("head_dim")

    def as_stream(self, values: np.ndarray) -> np.ndarray:
        return super().as_stream(self.window.gather(values))

    def execute(self, q: np.ndarray, k: np.ndarray) -> np.ndarray:
        tokens, heads, channels = (self.size(name) for name in ("n_tokens", "n_heads", "head_dim"))
        q = q.reshape(-1, tokens, heads, channels).transpose(0, 2, 1, 3)  # (images, heads, queries, channels)
        k = k.reshape(-1, tokens, heads, channels).transpose(0, 2, 3, 1)  # (images, heads, channels, keys)
        scores = requantize(exact_matmul(q, k), self.size("out_shift"), self.out_dtype)
        return self.as_stream(scores)

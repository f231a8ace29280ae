"""Values weighted by attention probabilities, on codes."""

from __future__ import annotations

import numpy as np

from hls_projects.integer import exact_matmul, requantize
from hls_projects.operators.attention.product import AttentionProduct


class AttentionValues(AttentionProduct):
    """``y[i, h, c] = requantize(sum_slot p[i, h, slot] * v[key, h, c], out_shift)`` over slots that have a key.

    Attributes:
        n_tokens, tile_size, load_size, n_window: :class:`hls_projects.operators.attention.window.Window`, which
            says what ``key`` a ``slot`` has.
        n_heads, head_dim: p is (n_tokens, n_heads * n_window), v and the result are
            (n_tokens, n_heads * head_dim).
        out_shift: >= 0.
        parallel_heads: heads computed together.
        parallel_channels: channels of a head computed together, of ``head_dim``.
        packed: 1 where a DSP computes two channels.
    """

    kernel = "attention_values"
    folding = ("parallel_heads", "parallel_channels", "packed")
    lanes = ("parallel_channels", "head_dim")
    sum_over_keys = True

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        tokens, heads = self.size("n_tokens"), self.size("n_heads")
        return ((tokens, heads * self.size("n_window")), (tokens, heads * self.size("head_dim")))

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_tokens"), self.size("n_heads") * self.size("head_dim"))

    @property
    def n_products(self) -> int:
        return self.size("n_window")

    def execute(self, p: np.ndarray, v: np.ndarray) -> np.ndarray:
        tokens, heads, channels = (self.size(name) for name in ("n_tokens", "n_heads", "head_dim"))
        p = p.reshape(-1, tokens, heads, self.size("n_window")).transpose(0, 2, 1, 3)
        p = self.window.scatter(p)  # (images, heads, queries, keys)
        v = v.reshape(-1, tokens, heads, channels).transpose(0, 2, 1, 3)  # (images, heads, keys, channels)
        values = requantize(exact_matmul(p, v), self.size("out_shift"), self.out_dtype)
        return self.as_stream(values)

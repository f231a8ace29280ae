"""The classifier: a power-of-two linear layer whose codes are the logits."""

from __future__ import annotations

import numpy as np

from hls_projects.operators.pot_linear import PotLinear


class Head(PotLinear):
    """:class:`PotLinear` on the one pooled token; the last operator of a graph.

    Attributes:
        scale_log2: a logit in real units is its code times ``2**scale_log2``.
    """

    def output_shape(self) -> tuple[int, ...]:
        return (self.size("n_out"),)

    def out_word(self) -> int:
        return self.size("n_out")

    def get_nodeattr_types(self) -> dict[str, tuple]:
        return super().get_nodeattr_types() | {"scale_log2": ("i", True, 0)}

    def execute(self, x: np.ndarray) -> np.ndarray:
        return super().execute(x).reshape(-1, *self.output_shape())

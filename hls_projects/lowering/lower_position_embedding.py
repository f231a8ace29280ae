"""Lowering of padding for the class token, added embeddings and ``Quant`` to :class:`PositionEmbedding`."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from hls_projects.lowering.graph import GraphView, NoMatch, grid_log2
from hls_projects.lowering.transformation import LowerAt
from hls_projects.operators import PositionEmbedding


class LowerPositionEmbedding(LowerAt):
    op_type = "Quant"

    def lower(self, view: GraphView, node: NodeProto) -> NodeProto:
        out = view.codes(node.output[0])
        add = view.producer(node.input[0], "Add")
        tokens, rows = view.split_constant(add)
        x, prefix = _without_padding(view, tokens)
        fmt = view.codes(x)
        table = view.constant(rows).astype(np.float64)
        n_tokens, n_in = view.tokens(tokens)
        if table.shape != (1, n_tokens, n_in):
            raise NoMatch
        grid = min(int(grid_log2(table).min()), fmt.step, out.step)
        return PositionEmbedding.make(
            "position_embedding",
            [x],
            node.output[0],
            in_dtypes=[fmt.dtype],
            out_dtype=out.dtype,
            n_patches=n_tokens - prefix,
            n_prefix=prefix,
            n_in=n_in,
            in_shift=fmt.step - grid,
            out_shift=out.step - grid,
            table=np.ldexp(table, -grid).astype(np.int64).reshape(-1),
        )


def _without_padding(view: GraphView, tokens: str) -> tuple[str, int]:
    """The tensor before a ``Pad`` that prepends tokens of zeros, and their number."""
    node = view.producer(tokens)
    if node.op_type != "Pad":
        return tokens, 0
    pads = view.constant(node.input[1]).reshape(-1).tolist()
    if len(pads) != 6 or any(pads[i] for i in (0, 2, 3, 4, 5)):
        raise NoMatch
    return node.input[0], int(pads[1])

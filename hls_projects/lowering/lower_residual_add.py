"""Lowering of ``Add`` of two tensors of codes and ``Quant`` to :class:`ResidualAdd`."""

from __future__ import annotations

from onnx import NodeProto

from hls_projects.lowering.graph import GraphView, NoMatch, operator_name
from hls_projects.lowering.transformation import LowerAt
from hls_projects.operators import ResidualAdd


class LowerResidualAdd(LowerAt):
    op_type = "Quant"

    def lower(self, view: GraphView, node: NodeProto) -> NodeProto:
        out = view.codes(node.output[0])
        a, b = view.producer(node.input[0], "Add").input
        first, second = view.codes(a), view.codes(b)
        if view.shape(a) != view.shape(b):
            raise NoMatch
        grid = min(first.step, second.step, out.step)
        n_tokens, n_in = view.tokens(a)
        return ResidualAdd.make(
            operator_name(node, "_quant_Quant"),
            [a, b],
            node.output[0],
            in_dtypes=[first.dtype, second.dtype],
            out_dtype=out.dtype,
            n_tokens=n_tokens,
            n_in=n_in,
            a_shift=first.step - grid,
            b_shift=second.step - grid,
            out_shift=out.step - grid,
        )

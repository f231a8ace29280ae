"""Lowering of the last linear layer and the reshape to (1, classes) to :class:`Head`."""

from __future__ import annotations

from onnx import NodeProto

from hls_projects.lowering.graph import GraphView, NoMatch, operator_name
from hls_projects.lowering.lower_pot_linear import match_linear
from hls_projects.lowering.transformation import LowerAt
from hls_projects.operators import Head


class LowerHead(LowerAt):
    op_type = "Reshape"

    def lower(self, view: GraphView, node: NodeProto) -> NodeProto:
        if node.output[0] != view.model.graph.output[0].name:
            raise NoMatch
        quant = view.producer(node.input[0], "Quant")
        linear = match_linear(view, quant)
        if view.shape(node.output[0])[1:] != [linear.attributes["n_out"]] or linear.attributes["n_tokens"] != 1:
            raise NoMatch
        return Head.make(
            operator_name(linear.matmul, "MatMul"),
            [linear.x],
            node.output[0],
            scale_log2=view.codes(quant.output[0]).step,
            **linear.attributes,
            **linear.dtypes,
        )

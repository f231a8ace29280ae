"""Lowering of the mean over tokens with its ``Quant``, or of the slice of the class token, to :class:`TokenPooling`."""

from __future__ import annotations

from onnx import NodeProto

from hls_projects.lowering.graph import GraphView, NoMatch, operator_name
from hls_projects.lowering.multiplier import integer_factor
from hls_projects.lowering.transformation import LowerAt
from hls_projects.operators import TokenPooling

TOKEN_AXIS = -2


class LowerMeanPooling(LowerAt):
    op_type = "Quant"

    def lower(self, view: GraphView, node: NodeProto) -> NodeProto:
        out = view.codes(node.output[0])
        total, factor = view.split_constant(view.producer(node.input[0], "Mul"))
        reduction = view.producer(total, "ReduceSum")
        x = reduction.input[0]
        fmt = view.codes(x)
        if view.axes(reduction) != [TOKEN_AXIS] or len(view.shape(total)) != 3:
            raise NoMatch
        multiplier, shift = integer_factor(view.scalar(factor), fmt.step, out.step, node.name)
        n_tokens, n_in = view.tokens(x)
        return TokenPooling.make(
            operator_name(node, "_quant_Quant"),
            [x],
            node.output[0],
            in_dtypes=[fmt.dtype],
            out_dtype=out.dtype,
            n_tokens=n_tokens,
            n_in=n_in,
            average=1,
            multiplier=multiplier,
            out_shift=shift,
        )


class LowerTokenSelection(LowerAt):
    op_type = "Slice"

    def lower(self, view: GraphView, node: NodeProto) -> NodeProto:
        x = node.input[0]
        fmt = view.codes(x)
        starts, ends, axes = (view.constant(name).reshape(-1).tolist() for name in node.input[1:4])
        if (starts, ends, axes) != ([0], [1], [1]):
            raise NoMatch
        n_tokens, n_in = view.tokens(x)
        self.formats[node.output[0]] = fmt
        return TokenPooling.make(
            "token_pooling",
            [x],
            node.output[0],
            in_dtypes=[fmt.dtype],
            out_dtype=fmt.dtype,
            n_tokens=n_tokens,
            n_in=n_in,
            average=0,
            multiplier=1,
            out_shift=0,
        )

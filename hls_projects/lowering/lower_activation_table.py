"""Lowering of any element-wise function between two ``Quant`` nodes to :class:`ActivationTable`."""

from __future__ import annotations

from onnx import NodeProto

from hls_projects.lowering.graph import GraphView, NoMatch, operator_name
from hls_projects.lowering.tables import all_codes, code_table
from hls_projects.lowering.transformation import LowerAt
from hls_projects.operators import ActivationTable

ELEMENTWISE = {
    "Abs", "Add", "Clip", "Div", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu",
    "Max", "Min", "Mul", "Neg", "Pow", "Reciprocal", "Relu", "Selu", "Sigmoid", "Softplus", "Sqrt", "Sub", "Tanh",
}  # fmt: skip


class LowerActivationTable(LowerAt):
    op_type = "Quant"

    def lower(self, view: GraphView, node: NodeProto) -> NodeProto:
        out = view.codes(node.output[0])
        x = _source(view, node)
        fmt = view.codes(x)
        n_tokens, n_in = view.tokens(x)
        codes = all_codes(fmt)
        return ActivationTable.make(
            operator_name(node, "_quant_Quant"),
            [x],
            node.output[0],
            in_dtypes=[fmt.dtype],
            out_dtype=out.dtype,
            n_tokens=n_tokens,
            n_in=n_in,
            n_codes=len(codes),
            table=code_table(view, x, node.output[0], codes, fmt.step),
        )


def _source(view: GraphView, quant: NodeProto) -> str:
    """The one tensor of codes that ``quant`` is an element-wise function of."""
    pending, sources = [quant.input[0]], set()
    while pending:
        tensor = pending.pop()
        if not tensor or view.is_constant(tensor):
            if tensor and view.constant(tensor).size != 1:
                raise NoMatch
        elif tensor in view.formats:
            sources.add(tensor)
        else:
            node = view.producer(tensor)
            if node.op_type not in ELEMENTWISE:
                raise NoMatch
            pending += node.input
    if len(sources) != 1:
        raise NoMatch
    return sources.pop()

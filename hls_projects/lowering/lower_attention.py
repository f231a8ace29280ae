"""Scores, softmax and weighted values -> :class:`AttentionScores`, :class:`IntegerSoftmax`, :class:`AttentionValues`.

In QONNX a head is an axis of the tensor, (B, H, T, C); in the stream it is a stretch of the token's
word, (B, T, H * C).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.util.basic import get_by_name

from hls_projects.lowering.graph import GraphView, LoweringError, NoMatch, operator_name
from hls_projects.lowering.tables import code_table, significand_table, sum_behind
from hls_projects.lowering.transformation import LowerAt
from hls_projects.operators import AttentionScores, AttentionValues, IntegerSoftmax

SPLIT_QUERY = [0, 2, 1, 3]
SPLIT_KEY = [0, 2, 3, 1]


@dataclass(frozen=True)
class SoftmaxTensors:
    """The tensors of a softmax by role."""

    scores: str
    distance: str
    exp: str
    total: str
    reciprocal: str
    probs: str


class LowerAttention(LowerAt):
    op_type = "Reshape"

    def lower(self, view: GraphView, node: NodeProto) -> list[NodeProto]:
        merge = view.producer(node.input[0], "Transpose")
        if _permutation(merge) != SPLIT_QUERY:
            raise NoMatch
        quant = view.producer(merge.input[0], "Quant")
        weighted = view.producer(quant.input[0], "MatMul")
        probs, values = weighted.input
        softmax = match_softmax(view, probs)
        product = view.producer(view.producer(softmax.scores, "Quant").input[0], "MatMul")
        q, k = (_split(view, name, order) for name, order in zip(product.input, (SPLIT_QUERY, SPLIT_KEY), strict=True))
        v = _split(view, values, SPLIT_QUERY)
        _, heads, tokens, head_dim = view.shape(product.input[0])
        sizes = {"n_tokens": tokens, "n_heads": heads, "head_dim": head_dim}
        name = operator_name(quant, "_value_quant_Quant")
        self.formats[node.output[0]] = view.codes(quant.output[0])
        return [
            _matmul(view, AttentionScores, f"{name}_scores", (q, k), softmax.scores, softmax.scores, sizes),
            _softmax(view, f"{name}_softmax", softmax, heads, tokens),
            _matmul(view, AttentionValues, f"{name}_values", (probs, v), quant.output[0], node.output[0], sizes),
        ]


def _matmul(
    view: GraphView,
    operator: type[AttentionScores] | type[AttentionValues],
    name: str,
    inputs: tuple[str, str],
    quantized: str,
    output: str,
    sizes: dict[str, int],
) -> NodeProto:
    a, b, out = view.codes(inputs[0]), view.codes(inputs[1]), view.codes(quantized)
    shift = out.step - a.step - b.step
    if shift < 0:
        raise LoweringError(f"{name}: its output's grid 2^{out.step} is finer than the products' 2^{a.step + b.step}")
    return operator.make(
        name, list(inputs), output, in_dtypes=[a.dtype, b.dtype], out_dtype=out.dtype, out_shift=shift, **sizes
    )


def _softmax(view: GraphView, name: str, tensors: SoftmaxTensors, heads: int, tokens: int) -> NodeProto:
    scores, exp, probs = (view.codes(t) for t in (tensors.scores, tensors.exp, tensors.probs))
    distances = np.arange(int(scores.dtype.max()) - int(scores.dtype.min()) + 1)
    exp_table = code_table(view, tensors.distance, tensors.exp, -distances, scores.step)
    reciprocal_table, c = significand_table(
        view,
        tensors.total,
        tensors.reciprocal,
        step=exp.step,
        bounds=(int(exp_table[0]), int(exp_table.max()) * tokens),
        period=1,
    )
    return IntegerSoftmax.make(
        name,
        [tensors.scores],
        tensors.probs,
        in_dtypes=[scores.dtype],
        out_dtype=probs.dtype,
        n_tokens=tokens,
        n_heads=heads,
        n_keys=tokens,
        n_codes=len(distances),
        out_shift=probs.step - exp.step - c,
        exp_table=exp_table,
        reciprocal_table=reciprocal_table,
    )


def match_softmax(view: GraphView, probs: str) -> SoftmaxTensors:
    """From the quantized probabilities back to the scores."""
    exp, reciprocal = view.producer(view.producer(probs, "Quant").input[0], "Mul").input
    if exp not in view.formats:
        exp, reciprocal = reciprocal, exp
    total = sum_behind(view, reciprocal)
    reduction = view.producer(total, "ReduceSum")
    distance = _distance(view, exp)
    scores, highest = view.producer(distance, "Sub").input
    maximum = view.producer(highest, "ReduceMax")
    if reduction.input[0] != exp or maximum.input[0] != scores:
        raise NoMatch
    if view.axes(reduction) != [-1] or view.axes(maximum) != [-1]:
        raise NoMatch
    return SoftmaxTensors(scores, distance, exp, total, reciprocal, probs)


def _distance(view: GraphView, exp: str) -> str:
    """The distance to the row's maximum that the exponential is a function of."""
    tensor = view.producer(exp, "Quant").input[0]
    while view.producer(tensor).op_type != "Sub":
        dynamic = [name for name in view.producer(tensor).input if name and not view.is_constant(name)]
        if len(dynamic) != 1:
            raise NoMatch
        tensor = dynamic[0]
    return tensor


def _split(view: GraphView, tensor: str, order: list[int]) -> str:
    """The stream of codes behind the split into heads."""
    transpose = view.producer(tensor, "Transpose")
    if _permutation(transpose) != order:
        raise NoMatch
    reshape = view.producer(transpose.input[0], "Reshape")
    view.codes(reshape.input[0])
    return reshape.input[0]


def _permutation(transpose: NodeProto) -> list[int]:
    return list(get_by_name(transpose.attribute, "perm").ints)

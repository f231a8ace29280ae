"""Lowering of attention to :class:`AttentionScores`, :class:`IntegerSoftmax` and :class:`AttentionValues`.

In QONNX a head is an axis of the tensor, (B, H, T, C). In a stream the heads of a token follow each
other, (B, T, H * C).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.util.basic import get_by_name

from hls_projects.lowering.graph import GraphView, LoweringError, NoMatch, operator_name
from hls_projects.lowering.tables import code_table, significand_table, sum_behind
from hls_projects.lowering.transformation import LowerAt
from hls_projects.operators import AttentionScores, AttentionValues, IntegerSoftmax
from hls_projects.operators.attention.window import Window

SPLIT_QUERY = [0, 2, 1, 3]
SPLIT_KEY = [0, 2, 3, 1]
# Metadata of the file with the number of queries that share their keys. Only global attention needs it: in windowed
# attention the mask shows it.
TILE_SIZE_KEY, DEFAULT_TILE_SIZE = "tile_size", 8


@dataclass(frozen=True)
class SoftmaxTensors:
    """The tensors of a softmax by role; ``window`` is that of its mask, None without one."""

    scores: str
    distance: str
    exp: str
    window: Window | None
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
        window = softmax.window or Window.whole(tokens, tile_size(view, tokens))
        sizes = dataclasses.asdict(window) | {"n_heads": heads, "head_dim": head_dim}
        name = operator_name(quant, "_value_quant_Quant")
        self.formats[node.output[0]] = view.codes(quant.output[0])
        return [
            _matmul(view, AttentionScores, f"{name}_scores", (q, k), softmax.scores, softmax.scores, sizes),
            _softmax(view, f"{name}_softmax", softmax, heads, window),
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


def _softmax(view: GraphView, name: str, tensors: SoftmaxTensors, heads: int, window: Window) -> NodeProto:
    scores, exp, probs = (view.codes(t) for t in (tensors.scores, tensors.exp, tensors.probs))
    distances = np.arange(int(scores.dtype.max()) - int(scores.dtype.min()) + 1)
    exp_table = code_table(view, tensors.distance, tensors.exp, -distances, scores.step)
    reciprocal_table, c = significand_table(
        view,
        tensors.total,
        tensors.reciprocal,
        step=exp.step,
        bounds=(int(exp_table[0]), int(exp_table.max()) * window.n_window),
        period=1,
    )
    return IntegerSoftmax.make(
        name,
        [tensors.scores],
        tensors.probs,
        in_dtypes=[scores.dtype],
        out_dtype=probs.dtype,
        n_heads=heads,
        n_codes=len(distances),
        out_shift=probs.step - exp.step - c,
        exp_table=exp_table,
        reciprocal_table=reciprocal_table,
        **dataclasses.asdict(window),
    )


def tile_size(view: GraphView, tokens: int) -> int:
    """Queries of a tile in global attention: from the file or the default, at most the number of tokens."""
    stored = view.model.get_metadata_prop(TILE_SIZE_KEY) or str(DEFAULT_TILE_SIZE)
    if not stored.isdecimal() or int(stored) < 1:
        raise LoweringError(f"metadata {TILE_SIZE_KEY} is {stored!r}, not a positive integer")
    return min(int(stored), tokens)


def match_softmax(view: GraphView, probs: str) -> SoftmaxTensors:
    """Match a softmax, from the quantized probabilities back to the scores.

    Raises:
        LoweringError: a mask that is not that of windows, or that does not apply to both the maximum and the sum.
        NoMatch: no softmax.
    """
    masked_exp, reciprocal = view.producer(view.producer(probs, "Quant").input[0], "Mul").input
    if view.producer(reciprocal).op_type != "FloatQuant":
        masked_exp, reciprocal = reciprocal, masked_exp
    exp, exp_mask = _match_exp_mask(view, masked_exp)
    total = sum_behind(view, reciprocal)
    reduction = view.producer(total, "ReduceSum")
    distance = _distance(view, exp)
    masked_scores, highest = view.producer(distance, "Sub").input
    maximum = view.producer(highest, "ReduceMax")
    if reduction.input[0] != masked_exp or maximum.input[0] != masked_scores:
        raise NoMatch
    if view.axes(reduction) != [-1] or view.axes(maximum) != [-1]:
        raise NoMatch
    scores, window = _match_score_mask(view, masked_scores, exp_mask)
    return SoftmaxTensors(scores, distance, exp, window, total, reciprocal, probs)


def _match_exp_mask(view: GraphView, masked_exp: str) -> tuple[str, NodeProto | None]:
    """The exponentials, and the ``Mul`` that sets those outside the window to 0; None without one."""
    node = view.producer(masked_exp, "Mul", "Quant")
    return (masked_exp, None) if node.op_type == "Quant" else (view.split_constant(node)[0], node)


def _match_score_mask(view: GraphView, masked_scores: str, exp_mask: NodeProto | None) -> tuple[str, Window | None]:
    """The scores before masking, and the window of the mask.

    The masked scores are ``scores * mask + lowest * (1 - mask)``: outside the window they are the row's lowest score,
    which is never above the maximum of the window.

    Args:
        exp_mask: the node that masks the exponentials; None without one.
    """
    if view.producer(masked_scores).op_type == "Quant":
        if exp_mask is not None:
            raise LoweringError(f"Mul node {exp_mask.name}: a key that it masks may be the row's maximum")
        return masked_scores, None
    inside, outside = (view.producer(name, "Mul") for name in view.producer(masked_scores, "Add").input)
    if view.split_constant(inside)[0] not in view.formats:
        inside, outside = outside, inside
    scores, lowest = view.split_constant(inside)[0], view.producer(view.split_constant(outside)[0], "ReduceMin")
    if lowest.input[0] != scores or view.axes(lowest) != [-1]:
        raise NoMatch
    if exp_mask is None:
        raise LoweringError(f"Mul node {inside.name}: the keys that it masks still count in the sum")
    window = _window(view, inside)
    for node, expected in ((exp_mask, window.mask()), (outside, 1 - window.mask())):
        if not np.array_equal(_mask(view, node), expected):
            raise LoweringError(f"Mul node {node.name}: its constant does not fit the mask of {inside.name}")
    return scores, window


def _window(view: GraphView, node: NodeProto) -> Window:
    """The window that has the constant of ``node`` as its mask."""
    mask = _mask(view, node)
    window = Window.of_mask(mask) if mask.ndim == 2 and len(set(mask.shape)) == 1 else None
    if window is None:
        raise LoweringError(f"Mul node {node.name}: its constant is the mask of no tile_size and context_tiles")
    return window


def _mask(view: GraphView, node: NodeProto) -> np.ndarray:
    """The constant of a ``Mul`` without leading axes of one element."""
    constant = view.constant(view.split_constant(node)[1])
    return constant.reshape(constant.shape[-2:]) if constant.size == np.prod(constant.shape[-2:]) else constant


def _distance(view: GraphView, exp: str) -> str:
    """The tensor of distances to the row's maximum, which the exponential is a function of."""
    tensor = view.producer(exp, "Quant").input[0]
    while view.producer(tensor).op_type != "Sub":
        dynamic = [name for name in view.producer(tensor).input if name and not view.is_constant(name)]
        if len(dynamic) != 1:
            raise NoMatch
        tensor = dynamic[0]
    return tensor


def _split(view: GraphView, tensor: str, order: list[int]) -> str:
    """The tensor of codes before it was split into heads, by a reshape and a transposition in ``order``."""
    transpose = view.producer(tensor, "Transpose")
    if _permutation(transpose) != order:
        raise NoMatch
    reshape = view.producer(transpose.input[0], "Reshape")
    view.codes(reshape.input[0])
    return reshape.input[0]


def _permutation(transpose: NodeProto) -> list[int]:
    return list(get_by_name(transpose.attribute, "perm").ints)

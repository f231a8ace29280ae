"""Lowering of mean, centring, variance, inverse root and product to :class:`IntegerLayerNorm`.

All of them end in quantizers. The affine weights of LayerNorm are part of the linear layer that follows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnx import NodeProto

from hls_projects.integer import magnitude
from hls_projects.lowering.graph import GraphView, LoweringError, NoMatch, operator_name
from hls_projects.lowering.multiplier import integer_factor
from hls_projects.lowering.tables import significand_table, sum_behind
from hls_projects.lowering.transformation import LowerAt
from hls_projects.operators import IntegerLayerNorm

# floor(exponent / 2) of the smallest sum of squares, which is 1 = 128 * 2^-7.
LOWEST_HALF_EXPONENT = -4


@dataclass(frozen=True)
class Tensors:
    """The tensors of a LayerNorm by role."""

    x: str
    mean: str
    factor: str
    centred: str
    squares: str
    inverse: str


class LowerLayerNorm(LowerAt):
    op_type = "Quant"

    def lower(self, view: GraphView, node: NodeProto) -> NodeProto:
        out = view.codes(node.output[0])
        tensors = match(view, node)
        x, mean, centred = (view.codes(name) for name in (tensors.x, tensors.mean, tensors.centred))
        if not (mean.dtype.signed() and centred.dtype.signed()):
            raise LoweringError(f"{node.name}: mean and centred codes must be signed")
        n_tokens, n_in = view.tokens(tensors.x)
        multiplier, mean_shift = integer_factor(view.scalar(tensors.factor), x.step, mean.step, node.name)
        grid = min(x.step, mean.step, centred.step)
        table, c = significand_table(
            view,
            tensors.squares,
            tensors.inverse,
            step=2 * centred.step,
            bounds=(1, n_in * magnitude(centred.dtype) ** 2),
            period=2,
        )
        shift = out.step - centred.step - c
        headroom = max(0, -(shift + LOWEST_HALF_EXPONENT))
        return IntegerLayerNorm.make(
            operator_name(node, "_out_quant_Quant"),
            [tensors.x],
            node.output[0],
            in_dtypes=[x.dtype],
            out_dtype=out.dtype,
            n_tokens=n_tokens,
            n_in=n_in,
            mean_multiplier=multiplier,
            mean_shift=mean_shift,
            x_shift=x.step - grid,
            mean_align=mean.step - grid,
            mean_bits=mean.dtype.bitwidth(),
            centred_bits=centred.dtype.bitwidth(),
            centred_shift=centred.step - grid,
            headroom=headroom,
            out_shift=shift + headroom,
            inverse_table=table,
        )


def match(view: GraphView, quant: NodeProto) -> Tensors:
    """Match a LayerNorm, from the last ``Quant`` back to the input.

    Raises:
        NoMatch: no LayerNorm.
    """
    product = view.producer(quant.input[0], "Mul")
    centred, inverse = _sides(view, product)
    squares = sum_behind(view, inverse)
    square = view.producer(view.producer(squares, "ReduceSum").input[0], "Mul")
    if list(square.input) != [centred, centred]:
        raise NoMatch
    x, mean = view.producer(view.producer(centred, "Quant").input[0], "Sub").input
    total, factor = view.split_constant(view.producer(view.producer(mean, "Quant").input[0], "Mul"))
    reduction = view.producer(total, "ReduceSum")
    if reduction.input[0] != x or view.axes(reduction) != [-1]:
        raise NoMatch
    return Tensors(x, mean, factor, centred, squares, inverse)


def _sides(view: GraphView, product: NodeProto) -> tuple[str, str]:
    """The codes and the floating-point factor of the last product."""
    for codes, factor in (tuple(product.input), tuple(reversed(product.input))):
        if codes in view.formats and view.producer(factor).op_type == "FloatQuant":
            return codes, factor
    raise NoMatch

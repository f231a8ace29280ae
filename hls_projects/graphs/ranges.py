"""Range analysis of a tidied QONNX graph: proves that float32 computes every tensor exactly.

Each tensor is of one of three kinds:

* *fixed*: integers times 2^step, bounded element by element from the real weights;
* *floating*: integers of a few bits, each times its own power of two;
* *real*: on no grid, such as the result of a non-linear function. It must pass a quantizer before anything adds or
  multiplies it with another tensor.

Fixed and floating tensors of at most :data:`MAX_BITS` bits are exact in float32, whatever the order
of the additions, so that Brevitas, QONNX and integer C++ cannot disagree.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import NodeProto, ValueInfoProto, helper
from onnx.reference import ReferenceEvaluator
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.floatquant import float_quant
from qonnx.custom_op.general.quant import max_int, min_int, quant

from hls_projects.errors import InputError

MAX_BITS = 24
METADATA_KEY = "tensor_ranges"
PIXEL_MAX = 255.0

# Normal float32 numbers; subnormal ones may be flushed to zero.
MIN_STEP, MAX_MAGNITUDE = -126, 2.0**127
# The step of an element that is always zero, which lies on every grid and makes none finer.
FREE_STEP = 1 << 15


@dataclass(frozen=True, eq=False)
class TensorRange:
    """Bounds and grid of a tensor that hold for every image; made by :meth:`fixed`, :meth:`floating`, :meth:`constant`.

    Args:
        kind: ``"fixed"``, ``"floating"`` or ``"real"``.
        lo, hi: bounds in real units; scalars, or arrays broadcastable to the tensor's shape.
        step: log2 of the grid, in the same shapes; of a floating tensor, that of its finest value.
        peak: largest magnitude that a partial sum reaches, at least those of ``lo`` and ``hi``.
        significant_bits: of a floating tensor, else None.
    """

    kind: str
    lo: NDArray[np.float64]
    hi: NDArray[np.float64]
    step: NDArray[np.int64]
    peak: NDArray[np.float64]
    significant_bits: int | None = None

    @classmethod
    def fixed(cls, lo: ArrayLike, hi: ArrayLike, step: ArrayLike, peak: ArrayLike = 0.0) -> TensorRange:
        """Integers times 2^``step`` from ``lo`` to ``hi``."""
        lo, hi, peak, step = (_shrink(np.asarray(array)) for array in (lo, hi, peak, step))
        peak = np.maximum(np.maximum(np.abs(lo), np.abs(hi)), peak)
        return cls("fixed", lo, hi, _shrink(np.where(peak == 0, FREE_STEP, step)), peak)

    @classmethod
    def floating(cls, bits: int, lo: ArrayLike, hi: ArrayLike, step: ArrayLike) -> TensorRange:
        """Values of ``bits`` significant bits from ``lo`` to ``hi``, multiples of 2^``step``."""
        return dataclasses.replace(cls.fixed(lo, hi, step), kind="floating", significant_bits=bits)

    @classmethod
    def constant(cls, values: NDArray[Any]) -> TensorRange:
        """Known values, each on its own finest grid."""
        return cls.fixed(np.float64(values), np.float64(values), lowest_bit_log2(values))

    @property
    def is_constant(self) -> bool:
        """Whether all images have the same values."""
        return self.kind == "fixed" and np.array_equal(self.lo, self.hi)

    @property
    def magnitude(self) -> NDArray[np.float64]:
        """Largest absolute values."""
        return np.maximum(np.abs(self.lo), np.abs(self.hi))

    @property
    def min_step(self) -> int:
        """The finest grid of any element; 0 where all are zero."""
        step = int(np.min(self.step))
        return 0 if step == FREE_STEP else step

    @property
    def bits(self) -> int | None:
        """Smallest b such that no integer code exceeds 2^b in magnitude; None for a real tensor."""
        if self.kind != "fixed":
            return self.significant_bits
        mantissa, exponent = np.frexp(np.max(np.ldexp(self.peak, -self.step)))
        return max(0, int(exponent) - int(mantissa == 0.5))


REAL = TensorRange("real", *(np.asarray(value) for value in (-np.inf, np.inf, 0, np.inf)))


def analyse_ranges(model: ModelWrapper) -> dict[str, TensorRange]:
    """The range of the graph's input (uint8 values) and of every node's output, by tensor name.

    Raises:
        InputError: a tensor that float32 may not hold exactly, an unsupported operator or format,
            or a graph that is not tidy (dynamic shapes, missing tensors).
    """
    graph = _Graph(model)
    for node in model.graph.node:
        graph.check(node)
        result = HANDLERS[node.op_type](graph, node)
        if result.kind != "real":
            _check_exact(node, result)
        elif node.output[0] in graph.outputs:
            raise _error(node, f"value off every grid reaches graph output {node.output[0]!r}", "quantize it")
        graph.ranges[node.output[0]] = result
    return graph.ranges


def annotate_ranges(model: ModelWrapper) -> dict[str, TensorRange]:
    """Store :func:`analyse_ranges` in ``model``, as JSON under :data:`METADATA_KEY`, and return it."""
    ranges = analyse_ranges(model)
    model.set_metadata_prop(METADATA_KEY, json.dumps({name: _plain(tensor) for name, tensor in ranges.items()}))
    return ranges


def max_bits(ranges: dict[str, TensorRange]) -> int:
    """Bits of the widest fixed or floating tensor."""
    return max((tensor.bits for tensor in ranges.values() if tensor.bits is not None), default=0)


class _Graph:
    """The model with its constants decoded, and the ranges found so far."""

    def __init__(self, model: ModelWrapper) -> None:
        ports = (*model.graph.input, *model.graph.value_info, *model.graph.output)
        self.shapes = {port.name: _static_shape(port) for port in ports}
        self.constants = {item.name: model.get_initializer(item.name) for item in model.graph.initializer}
        self.shapes.update({name: array.shape for name, array in self.constants.items()})
        inputs = [port.name for port in model.graph.input if port.name not in self.constants]
        self.ranges = {name: TensorRange.fixed(0.0, PIXEL_MAX, 0) for name in inputs}
        self.outputs = {port.name for port in model.graph.output}
        self.producer = {tensor: node for node in model.graph.node for tensor in node.output}
        self.consumers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for tensor in node.input:
                self.consumers[tensor].append(node)

    def check(self, node: NodeProto) -> None:
        """Check the operator, the inputs and the shapes of ``node``.

        Raises:
            RangeError: an unknown operator, a missing tensor, a dynamic shape, a constant that is not finite.
        """
        if node.op_type not in HANDLERS:
            known = ", ".join(sorted(HANDLERS))
            raise InputError(f"operator {node.op_type} (node {node.name}) is not supported; known: {known}")
        for tensor in filter(None, node.input):
            constant = self.constants.get(tensor)
            if constant is None and tensor not in self.ranges:
                raise _error(node, f"no earlier node produces its input {tensor!r}", "tidy up the graph")
            if constant is not None and not np.all(np.isfinite(constant)):
                raise _error(node, f"constant {tensor!r} has values that are not finite", "retrain or clamp it")
        for tensor in filter(None, (*node.input, *node.output)):
            if self.shapes.get(tensor) is None:
                what = f"the shape of tensor {tensor!r} is dynamic or missing"
                raise _error(node, what, "export with fixed sizes and infer shapes")

    def range(self, node: NodeProto, index: int) -> TensorRange:
        """The range of an input."""
        name = node.input[index]
        return self.ranges[name] if name in self.ranges else TensorRange.constant(self.constants[name])

    def fixed(self, node: NodeProto, index: int) -> TensorRange:
        """The range of an input that must be fixed."""
        tensor = self.range(node, index)
        if tensor.kind != "fixed":
            raise _off_grid(node, tensor, node.input[index])
        return tensor

    def parameter(self, node: NodeProto, index: int, default: Any = None) -> Any:
        """A constant input, or ``default`` where the node leaves it out."""
        if index >= len(node.input) or not node.input[index]:
            return default
        if node.input[index] not in self.constants:
            raise _error(node, f"input {node.input[index]!r} is not a constant", "fold constants first")
        return self.constants[node.input[index]]

    def full(self, node: NodeProto, index: int, array: NDArray[Any]) -> NDArray[Any]:
        """``array`` broadcast to the shape of an input."""
        return np.broadcast_to(array, self.shapes[node.input[index]])

    def feeds_functions_only(self, node: NodeProto) -> bool:
        """Whether all that reads the output of ``node`` is an element-wise function."""
        consumers = self.consumers[node.output[0]]
        is_output = node.output[0] in self.outputs
        return bool(consumers) and not is_output and all(user.op_type in FUNCTIONS for user in consumers)


def _quant(graph: _Graph, node: NodeProto) -> TensorRange:
    scale, exponent = _scale(graph, node)
    zero_point, width = graph.parameter(node, 2), graph.parameter(node, 3)
    _rounds_to_nearest(node)
    if np.any(zero_point != 0):
        raise _error(node, f"zero point is {_brief(zero_point)}", "use symmetric quantizers, zero point 0")
    if width.size != 1 or width.item() not in range(2, MAX_BITS + 1):
        raise _error(node, f"bit width is {_brief(width)}", f"use one integer from 2 to {MAX_BITS}")
    signed, narrow = (bool(_attribute(node, name, 1)) for name in ("signed", "narrow"))
    x = graph.range(node, 0)
    if x.is_constant:
        values = np.float32(graph.full(node, 0, x.lo))
        return TensorRange.constant(quant(values, scale, zero_point, width, signed, narrow, "ROUND"))
    limits = [limit(signed, narrow, int(width.item())) for limit in (min_int, max_int)]
    lo, hi = (np.clip(codes, *limits) * np.float64(scale) for codes in (np.floor(x.lo / scale), np.ceil(x.hi / scale)))
    return TensorRange.fixed(lo, hi, exponent)


def _float_quant(graph: _Graph, node: NodeProto) -> TensorRange:
    scale, scale_exponent = _scale(graph, node)
    exponent_bits, mantissa_bits, bias, max_value = (graph.parameter(node, index) for index in (2, 3, 4, 5))
    _rounds_to_nearest(node)
    if not _attribute(node, "saturation", 1):
        raise _error(node, "it overflows to infinity or not-a-number", "use a saturating format")
    for name, value in (("exponent", exponent_bits), ("mantissa", mantissa_bits), ("bias", bias)):
        if value.size != 1 or value.item() != int(value.item()):
            raise _error(node, f"its {name} parameter is {_brief(value)}", "use one integer")
    bits = int(mantissa_bits.item()) + 1
    if TensorRange.constant(max_value).bits > bits:
        raise _error(node, f"its largest value {_brief(max_value)} has over {bits} significant bits", "lower it")

    def rounded(values: NDArray[Any]) -> NDArray[Any]:
        return float_quant(values, scale, exponent_bits, mantissa_bits, bias, max_val=max_value)

    x = graph.range(node, 0)
    if x.is_constant:
        return TensorRange.constant(rounded(np.float32(graph.full(node, 0, x.lo))))
    # Rounding is monotone; the clip only keeps infinity, the bound of a real, out of its arithmetic.
    lo, hi = (rounded(np.clip(bound, -MAX_MAGNITUDE, MAX_MAGNITUDE)) for bound in (x.lo, x.hi))
    return TensorRange.floating(bits, lo, hi, scale_exponent + 2 - int(bias.item()) - bits)


def _arithmetic(graph: _Graph, node: NodeProto) -> TensorRange:
    """Range of Add, Sub and Mul; a real tensor, or a floating one in a sum, may only meet a constant."""
    a, b = graph.range(node, 0), graph.range(node, 1)
    with_constant = a.is_constant or b.is_constant
    off_grid = next((i for i, x in enumerate((a, b)) if x.kind == "real"), None)
    if off_grid is None and node.op_type != "Mul":
        off_grid = next((i for i, x in enumerate((a, b)) if x.kind == "floating"), None)
    if off_grid is not None:
        if not with_constant:
            raise _off_grid(node, (a, b)[off_grid], node.input[off_grid])
        return REAL
    result = _product(a, b, node) if node.op_type == "Mul" else _sum(a, b, graph, node)
    # With a constant and a function after it, such as a factor 1/sqrt(d) before Exp, it is a part of that function.
    if with_constant and result.bits > MAX_BITS and graph.feeds_functions_only(node):
        return REAL
    return result


def _sum(a: TensorRange, b: TensorRange, graph: _Graph, node: NodeProto) -> TensorRange:
    step = np.minimum(a.step, b.step)
    if node.op_type == "Add":
        return TensorRange.fixed(a.lo + b.lo, a.hi + b.hi, step)
    hi = a.hi - b.lo
    if _is_own_maximum(graph.producer.get(node.input[1]), node.input[0]):
        hi = np.minimum(hi, 0.0)
    return TensorRange.fixed(a.lo - b.hi, hi, step)


def _is_own_maximum(node: NodeProto | None, tensor: str) -> bool:
    """Whether ``node`` gives the maxima of the rows of ``tensor``, with its axes kept for broadcasting."""
    is_maximum = node is not None and node.op_type == "ReduceMax" and node.input[0] == tensor
    return is_maximum and bool(_attribute(node, "keepdims", 1))


def _product(a: TensorRange, b: TensorRange, node: NodeProto) -> TensorRange:
    corners = np.broadcast_arrays(*(x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)))
    lo, hi = np.minimum.reduce(corners), np.maximum.reduce(corners)
    if node.input[0] == node.input[1]:
        lo = np.maximum(a.lo, 0.0) ** 2 + np.minimum(a.hi, 0.0) ** 2
    if "floating" in (a.kind, b.kind):
        return TensorRange.floating(a.bits + b.bits, lo, hi, a.step + b.step)
    return TensorRange.fixed(lo, hi, a.step + b.step)


def _matmul(graph: _Graph, node: NodeProto) -> TensorRange:
    """Range of x (..., K) times w (K, N); bounds are by output channel where w is constant."""
    x, w = graph.fixed(node, 0), graph.fixed(node, 1)
    depth, shape = graph.shapes[node.input[0]][-1], graph.shapes[node.input[1]]
    if not w.is_constant or len(shape) != 2:
        bound = depth * np.max(x.magnitude) * np.max(w.magnitude)
        return TensorRange.fixed(-bound, bound, np.min(x.step) + np.min(w.step))
    weights, weight_step = (np.broadcast_to(array, shape) for array in (w.lo, w.step))
    positive, negative = np.maximum(weights, 0.0), np.minimum(weights, 0.0)
    lo, hi, magnitude = (np.broadcast_to(a, (*a.shape[:-1], depth)) for a in (x.lo, x.hi, x.magnitude))
    step = np.broadcast_to(x.step, (*x.step.shape[:-1], depth)).reshape(-1, depth).min(axis=0)
    return TensorRange.fixed(
        lo @ positive + hi @ negative,
        hi @ positive + lo @ negative,
        (step[:, None] + weight_step).min(axis=0),
        magnitude @ np.abs(weights),
    )


def _conv(graph: _Graph, node: NodeProto) -> TensorRange:
    """x (1, C, H, W) under constant filters (O, C / groups, h, w): bounds for every output channel."""
    x, w = graph.fixed(node, 0), graph.fixed(node, 1)
    shape, filters = graph.shapes[node.input[0]], graph.shapes[node.input[1]]
    _check_conv(node, w, shape)
    groups = _attribute(node, "group", 1)
    bounds = {name: graph.full(node, 0, getattr(x, name)) for name in ("lo", "hi", "magnitude", "step")}
    lo, hi, magnitude, step = (
        reduce(bounds[name], axis=(0, 2, 3))
        for name, reduce in (("lo", np.min), ("hi", np.max), ("magnitude", np.max), ("step", np.min))
    )
    if any(_attribute(node, "pads", (0,))):
        lo, hi = np.minimum(lo, 0.0), np.maximum(hi, 0.0)
    # Channels that each output reads, (O, C / groups).
    outputs = np.arange(filters[0])[:, None] // (filters[0] // groups)
    read = outputs * filters[1] + np.arange(filters[1])
    weights, weight_step = (np.broadcast_to(array, filters).reshape(*filters[:2], -1) for array in (w.lo, w.step))
    positive, negative = np.maximum(weights, 0.0).sum(axis=2), np.minimum(weights, 0.0).sum(axis=2)
    found = TensorRange.fixed(
        *(
            bound.reshape(1, -1, 1, 1)
            for bound in (
                (lo[read] * positive + hi[read] * negative).sum(axis=1),
                (hi[read] * positive + lo[read] * negative).sum(axis=1),
                (step[read] + weight_step.min(axis=2)).min(axis=1),
                (magnitude[read] * (positive - negative)).sum(axis=1),
            )
        )
    )
    return found if len(node.input) < 3 else _with_bias(graph, node, found)


def _check_conv(node: NodeProto, weights: TensorRange, shape: tuple[int, ...]) -> None:
    if not weights.is_constant or len(shape) != 4:
        raise _error(node, "it is no convolution of an image with constant filters", "use Conv of two dimensions")
    if any(step != 1 for step in _attribute(node, "dilations", (1,))):
        raise _error(node, "its filters are dilated", "use dilation 1")
    if _attribute(node, "auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise _error(node, "its padding is left to the reader", "write pads out")


def _with_bias(graph: _Graph, node: NodeProto, x: TensorRange) -> TensorRange:
    bias = graph.fixed(node, 2)
    lo, hi, magnitude, step = (
        np.broadcast_to(array, graph.shapes[node.input[2]]).reshape(1, -1, 1, 1)
        for array in (bias.lo, bias.hi, bias.magnitude, bias.step)
    )
    return TensorRange.fixed(x.lo + lo, x.hi + hi, np.minimum(x.step, step), x.peak + magnitude)


def _reduce_sum(graph: _Graph, node: NodeProto) -> TensorRange:
    x, options = graph.fixed(node, 0), _axes(graph, node)
    lo, hi, magnitude, step = (graph.full(node, 0, array) for array in (x.lo, x.hi, x.magnitude, x.step))
    return TensorRange.fixed(lo.sum(**options), hi.sum(**options), step.min(**options), magnitude.sum(**options))


def _reduce_extreme(graph: _Graph, node: NodeProto) -> TensorRange:
    x, options = graph.range(node, 0), _axes(graph, node)
    if x.kind == "real":
        raise _off_grid(node, x, node.input[0])
    extreme = {"ReduceMax": np.max, "ReduceMin": np.min}[node.op_type]
    lo, hi, step = (graph.full(node, 0, array) for array in (x.lo, x.hi, x.step))
    return _like(x, extreme(lo, **options), extreme(hi, **options), step.min(**options))


def _shape_op(graph: _Graph, node: NodeProto) -> TensorRange:
    """Range of an operator that only moves elements, which moves bounds and steps in the same way."""
    count = len(node.input) if node.op_type == "Concat" else 1
    tensors = [graph.range(node, index) for index in range(count)]
    for index, tensor in enumerate(tensors):
        if tensor.kind == "real":
            raise _off_grid(node, tensor, node.input[index])
    parameters = {node.input[i]: graph.parameter(node, i) for i in range(count, len(node.input)) if node.input[i]}
    evaluator = ReferenceEvaluator(node)

    def moved(field: str) -> NDArray[Any]:
        data = {node.input[i]: graph.full(node, i, getattr(x, field)) for i, x in enumerate(tensors)}
        return evaluator.run(None, data | parameters)[0]

    widest = max(tensors, key=lambda tensor: tensor.bits)
    floating = any(tensor.kind == "floating" for tensor in tensors)
    like = dataclasses.replace(widest, kind="floating", significant_bits=widest.bits) if floating else widest
    return _like(like, moved("lo"), moved("hi"), moved("step"))


def _pad(graph: _Graph, node: NodeProto) -> TensorRange:
    value, mode = graph.parameter(node, 2, np.zeros(())), _attribute(node, "mode", b"constant")
    if mode != b"constant" or np.any(value != 0):
        raise _error(node, f"it pads by {mode.decode()} with {_brief(value)}", "pad with the constant 0")
    return _shape_op(graph, node)


def _relu(graph: _Graph, node: NodeProto) -> TensorRange:
    x = graph.range(node, 0)
    return REAL if x.kind == "real" else _like(x, np.maximum(x.lo, 0.0), np.maximum(x.hi, 0.0), x.step)


def _negate(graph: _Graph, node: NodeProto) -> TensorRange:
    x = graph.range(node, 0)
    return REAL if x.kind == "real" else _like(x, -x.hi, -x.lo, x.step)


def _function(graph: _Graph, node: NodeProto) -> TensorRange:
    """Range of an element-wise function of one tensor, whose other inputs must be constant."""
    tensors = [(name, graph.range(node, index)) for index, name in enumerate(node.input) if name]
    dynamic = [(name, tensor) for name, tensor in tensors if not tensor.is_constant]
    if len(dynamic) > 1:
        raise _error(node, f"it is a function of {len(dynamic)} tensors", "quantize between functions of one tensor")
    return REAL


FUNCTIONS = frozenset(
    ("Abs", "Clip", "Div", "Erf", "Exp", "Gelu", "Log", "Max", "Min", "Pow", "Reciprocal", "Sigmoid", "Sqrt", "Tanh")
)
HANDLERS: dict[str, Callable[[_Graph, NodeProto], TensorRange]] = {
    **dict.fromkeys(FUNCTIONS, _function),
    **dict.fromkeys(("Add", "Sub", "Mul"), _arithmetic),
    **dict.fromkeys(("Concat", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"), _shape_op),
    "Conv": _conv,
    "FloatQuant": _float_quant,
    "MatMul": _matmul,
    "Neg": _negate,
    "Pad": _pad,
    "Quant": _quant,
    "ReduceMax": _reduce_extreme,
    "ReduceMin": _reduce_extreme,
    "ReduceSum": _reduce_sum,
    "Relu": _relu,
}


def _like(x: TensorRange, lo: NDArray[Any], hi: NDArray[Any], step: NDArray[Any]) -> TensorRange:
    """A range of the kind of ``x`` with other bounds and steps."""
    return TensorRange.floating(x.bits, lo, hi, step) if x.kind == "floating" else TensorRange.fixed(lo, hi, step)


def _check_exact(node: NodeProto, result: TensorRange) -> None:
    if result.bits > MAX_BITS:
        what = f"its {result.kind} result needs {result.bits} bits, over the {MAX_BITS} that float32 adds exactly"
        raise _error(node, what, "use fewer activation bits, or weights of a narrower range, on its inputs")
    if result.min_step < MIN_STEP or np.max(result.peak) > MAX_MAGNITUDE:
        what = f"its result has a step of 2^{result.min_step} and a peak of {np.max(result.peak):.3g}"
        raise _error(node, f"{what}, beyond float32's exponents", "rescale its inputs")


def _scale(graph: _Graph, node: NodeProto) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The scale of a quantizer, and its log2."""
    scale = graph.parameter(node, 1)
    mantissa, exponent = np.frexp(scale)
    if np.any(mantissa != 0.5):
        raise _error(node, f"scale {_brief(scale)} is not a power of two", "restrict scales to powers of two")
    return scale, exponent.astype(np.int64) - 1


def _rounds_to_nearest(node: NodeProto) -> None:
    mode = _attribute(node, "rounding_mode", b"ROUND").decode()
    if mode.upper() != "ROUND":
        raise _error(node, f"rounding mode is {mode}", "use ROUND, half to even")


def _axes(graph: _Graph, node: NodeProto) -> dict[str, Any]:
    """numpy's arguments for a reduction; old opsets store its axes in an attribute, newer ones in an input."""
    axes = graph.parameter(node, 1, _attribute(node, "axes", ()))
    axes = tuple(int(axis) for axis in np.ravel(axes))
    if not axes and _attribute(node, "noop_with_empty_axes", 0):
        raise _error(node, "it reduces no axis", "remove the node")
    return {"axis": axes or None, "keepdims": bool(_attribute(node, "keepdims", 1))}


def _static_shape(port: ValueInfoProto) -> tuple[int, ...] | None:
    """The declared shape; None unless every size is a positive number."""
    if not port.type.tensor_type.HasField("shape"):
        return None
    shape = tuple(size.dim_value for size in port.type.tensor_type.shape.dim)
    return None if 0 in shape else shape


def _attribute(node: NodeProto, name: str, default: Any) -> Any:
    return next((helper.get_attribute_value(item) for item in node.attribute if item.name == name), default)


def lowest_bit_log2(values: NDArray[Any]) -> NDArray[np.int64]:
    """log2 of the lowest set bit of each element; undefined for zero."""
    mantissa, exponent = np.frexp(np.float64(values))
    integer = np.ldexp(mantissa, 53).astype(np.int64)
    return exponent - 54 + np.frexp((integer & -integer).astype(np.float64))[1].astype(np.int64)


def _shrink(array: NDArray[Any]) -> NDArray[Any]:
    """``array``, or a scalar where all of its elements are equal."""
    array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float64)
    return array.reshape(-1)[0] if array.size and np.all(array == array.flat[0]) else array


def _plain(tensor: TensorRange) -> dict[str, Any]:
    """The JSON form of a range; that of a real tensor has no bounds."""
    if tensor.kind == "real":
        return {"kind": "real", "bits": None, "step_log2": None, "lo": None, "hi": None}
    lo, hi = float(np.min(tensor.lo)), float(np.max(tensor.hi))
    return {"kind": tensor.kind, "bits": tensor.bits, "step_log2": tensor.min_step, "lo": lo, "hi": hi}


def _brief(values: NDArray[Any]) -> str:
    return np.array2string(np.ravel(values), threshold=4, edgeitems=2)


def _error(node: NodeProto, what: str, remedy: str) -> InputError:
    return InputError(f"{node.op_type} node {node.name!r}: {what}; {remedy}")


def _off_grid(node: NodeProto, tensor: TensorRange, name: str) -> InputError:
    what = "value off every grid" if tensor.kind == "real" else "value of varying grid (FloatQuant)"
    return _error(node, f"{what} reaches {node.op_type} by input {name!r}", "put a Quant node before it")

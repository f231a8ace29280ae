"""A small multilayer perceptron for the benchmark, once as stock hls4ml takes it and once as hardware operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.basic import qonnx_make_model

from hls_projects.integer import decode_pot, encode_pot, exact_matmul, requantize, smallest_dtype
from hls_projects.operators import DOMAIN, ActivationTable, Head, PotLinear

EXPONENT_BITS = 3
# Outputs of a layer that are worked on in parallel.
ELEMENTS = 64
WEIGHT_BITS = 8  # holds the integers that E3M0 codes stand for, -64 to 64
CODE = DataType["UINT8"]  # of the input, and after ReLU
SUM = DataType["INT8"]  # after a linear layer
QONNX_DOMAIN = "qonnx.custom_op.general"
SOURCE, SINK = "x", "logits"
# hls4ml would leave these at fixed<16,6>, which holds neither; the bias is zero and takes no more.
PRECISIONS = {SOURCE: {"result": "ufixed<8,8>"}, "relu": {"result": "ufixed<8,8>"}, "linear": {"bias": "fixed<1,1>"}}


@dataclass(frozen=True)
class Mlp:
    """Linear layers without bias; between two of them requantization to eight bits, then ReLU.

    Args:
        weights: (n_in, n_out) of each layer, integers that are zero or a power of two up to 64.
        shifts: the sums of a layer lose this many bits, rounded half to even; those of the last none.
    """

    weights: tuple[np.ndarray, ...]
    shifts: tuple[int, ...]

    @classmethod
    def random(cls, sizes: Sequence[int], seed: int = 0) -> Mlp:
        """Random weights; a shift leaves a layer's sums one bit too large, so that some saturate."""
        random = np.random.default_rng(seed)
        codes = [random.integers(0, 16, shape) for shape in pairwise(sizes)]
        weights = tuple(decode_pot(layer, EXPONENT_BITS, 0) for layer in codes)
        x, shifts = vectors(sizes[0], 256, seed).astype(np.int64), []
        for layer in weights[:-1]:
            peak = int(np.abs(exact_matmul(x, layer)).max())
            shifts.append(max(peak.bit_length() - SUM.bitwidth(), 0))
            x = _hidden(x, layer, shifts[-1])
        return cls(weights, (*shifts, 0))

    @property
    def macs(self) -> int:
        """Multiply-accumulates a vector."""
        return sum(layer.size for layer in self.weights)

    def execute(self, x: np.ndarray) -> np.ndarray:
        """From the definition: uint8 (N, n_in) to int64 (N, n_out)."""
        x = x.astype(np.int64)
        for layer, shift in zip(self.weights[:-1], self.shifts, strict=False):
            x = _hidden(x, layer, shift)
        return exact_matmul(x, self.weights[-1])

    def qonnx(self) -> ModelWrapper:
        """The network with ``Quant`` nodes; every activation has scale 1, a weight its layer's shift."""
        nodes, constants, source = [], {}, SOURCE
        last = len(self.weights) - 1
        for index, (layer, shift) in enumerate(zip(self.weights, self.shifts, strict=True)):
            scale = 2.0**-shift
            constants[f"weights{index}"] = layer * scale
            nodes.append(_quant(f"weights{index}", f"quantized{index}", constants, scale, WEIGHT_BITS))
            sums = SINK if index == last else f"sums{index}"
            nodes.append(helper.make_node("MatMul", [source, f"quantized{index}"], [sums], name=f"linear{index}"))
            if index < last:
                nodes.append(_quant(sums, f"codes{index}", constants, 1.0, SUM.bitwidth()))
                source = f"positive{index}"
                nodes.append(helper.make_node("Relu", [f"codes{index}"], [source], name=f"relu{index}"))
        initializers = [numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()]
        return self._model(nodes, [1, len(self.weights[0])], initializers)

    def lowered(self) -> ModelWrapper:
        """The network as hardware operators on one token."""
        nodes, source = [], SOURCE
        for index, (layer, shift) in enumerate(zip(self.weights[:-1], self.shifts, strict=False)):
            nodes.append(_linear(PotLinear, f"linear{index}", source, f"codes{index}", SUM, layer, shift))
            source = f"positive{index}"
            nodes.append(_relu(f"relu{index}", f"codes{index}", source, layer.shape[1]))
        last = self.weights[-1]
        peak = int(CODE.max()) * int(np.abs(last).sum(axis=0).max())
        dtype = smallest_dtype(-peak, peak)
        nodes.append(_linear(Head, "head", source, SINK, dtype, last, 0, scale_log2=0))
        # The last axis is a word of the stream: one element.
        return self._model(nodes, [1, len(self.weights[0]), 1], [])

    def _model(self, nodes: list[NodeProto], shape: list[int], initializers: list[TensorProto]) -> ModelWrapper:
        ends = (SOURCE, shape), (SINK, [1, self.weights[-1].shape[1]])
        ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
        graph = helper.make_graph(nodes, "mlp", ports[:1], ports[1:], initializers)
        opsets = [helper.make_opsetid(*opset) for opset in (("", 13), (DOMAIN, 1), (QONNX_DOMAIN, 1))]
        return ModelWrapper(qonnx_make_model(graph, opset_imports=opsets)).transform(InferShapes())


def vectors(n_in: int, count: int, seed: int = 0) -> np.ndarray:
    """uint8 (count, n_in): noise, the first two all 0 and all 255."""
    x = np.random.default_rng(seed).integers(0, 256, (count, n_in), dtype=np.uint8)
    x[:2] = [[0], [255]][:count]
    return x


def _hidden(x: np.ndarray, weights: np.ndarray, shift: int) -> np.ndarray:
    return np.maximum(requantize(exact_matmul(x, weights), shift, SUM), 0)


def _linear(
    operator: type[PotLinear],
    name: str,
    source: str,
    sink: str,
    out_dtype: BaseDataType,
    weights: np.ndarray,
    shift: int,
    **more: int,
) -> NodeProto:
    n_in, n_out = weights.shape
    none = np.zeros(n_out, dtype=np.int64)
    sizes = {"n_tokens": 1, "n_in": n_in, "n_out": n_out, "exponent_bits": EXPONENT_BITS, "mantissa_bits": 0}
    sizes["pe"] = min(n_out, ELEMENTS)
    arrays = {"bias": none, "acc_shift": none, "out_shift": none + shift}
    codes = encode_pot(weights.T, EXPONENT_BITS, 0)
    types = {"in_dtypes": [CODE], "out_dtype": out_dtype}
    return operator.make(name, [source], sink, **types, **sizes, **arrays, codes=codes, **more)


def _relu(name: str, source: str, sink: str, n_in: int) -> NodeProto:
    table = np.maximum(np.arange(int(SUM.min()), int(SUM.max()) + 1), 0)
    types = {"in_dtypes": [SUM], "out_dtype": CODE}
    return ActivationTable.make(name, [source], sink, **types, n_tokens=1, n_in=n_in, n_codes=len(table), table=table)


def _quant(source: str, name: str, constants: dict[str, np.ndarray | float], scale: float, bits: int) -> NodeProto:
    """A signed ``Quant`` node; its ``constants`` are added to those of the graph."""
    settings = {f"{name}_scale": scale, f"{name}_zero_point": 0.0, f"{name}_bits": float(bits)}
    constants |= settings
    attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", "domain": QONNX_DOMAIN}
    return helper.make_node("Quant", [source, *settings], [name], name=f"{name}_quant", **attributes)

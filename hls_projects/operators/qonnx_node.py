"""The side of an operator that qonnx sees: a node with typed attributes, shapes and data types."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import ClassVar

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp

from hls_projects.operators.attributes import NodeAttributes

DOMAIN = "hls_projects.operators"

Folding = dict[str, int | str]
"""Attributes of a node by name that say how much of it works in parallel."""


class QonnxNode(CustomOp):
    """An integer operator as qonnx's custom operation.

    A subclass lists its attributes:

    - ``sizes``: integers that are set when the node is made;
    - ``folding``: integers that change no value, only how many elements work in parallel; 1 by default, except
      ``packed``, which is 0 by default and 1 where a DSP does two products;
    - ``arrays``: integer tensors.

    Every node carries the qonnx data types of its streams in ``in_dtypes`` and ``out_dtype``. Tensors are float32
    containers of integers in the ONNX file, as in FINN.
    """

    sizes: ClassVar[tuple[str, ...]] = ()
    folding: ClassVar[tuple[str, ...]] = ()
    arrays: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of every input without the batch; its elements flow in C order."""

    @abstractmethod
    def output_shape(self) -> tuple[int, ...]:
        """Shape without the batch; its elements flow in C order."""

    @abstractmethod
    def execute(self, *inputs: np.ndarray) -> np.ndarray:
        """Integer semantics: int64 code tensors with a batch axis in, one out."""

    @classmethod
    def make(
        cls,
        name: str,
        inputs: list[str],
        output: str,
        *,
        in_dtypes: list[BaseDataType],
        out_dtype: BaseDataType,
        **attributes: int | str | np.ndarray,
    ) -> NodeProto:
        """A node of this operator."""

        def plain(name: str, value: int | str | np.ndarray) -> int | str | TensorProto:
            if name in cls.arrays:
                return numpy_helper.from_array(np.asarray(value, dtype=np.int64), name)
            return value if isinstance(value, str) else int(value)

        return helper.make_node(
            cls.__name__,
            inputs,
            [output],
            name=name,
            domain=DOMAIN,
            in_dtypes=[dtype.name for dtype in in_dtypes],
            out_dtype=out_dtype.name,
            **{name: plain(name, value) for name, value in attributes.items()},
        )

    @cached_property
    def _attributes(self) -> NodeAttributes:
        return NodeAttributes(self.onnx_node, self.get_nodeattr)

    def size(self, name: str) -> int:
        """An integer attribute."""
        if name in self.fold_attributes():
            return int(self._attributes.current(name))
        return self._attributes.once(name, int)

    def word(self, name: str) -> str:
        """A string attribute."""
        return str(self._attributes.current(name))

    def array(self, name: str) -> np.ndarray:
        """A tensor attribute, int64, read-only."""
        return self._attributes.once(name, _read_only)

    def in_dtype(self, index: int = 0) -> BaseDataType:
        """Type of an input's codes."""
        return self._attributes.once("in_dtypes", lambda names: [DataType[name] for name in names])[index]

    @property
    def out_dtype(self) -> BaseDataType:
        """Type of the output's codes."""
        return self._attributes.once("out_dtype", lambda name: DataType[name])

    def fold_attributes(self) -> tuple[str, ...]:
        """Names of all attributes that the folding is made of."""
        return self.folding

    def folding_now(self) -> Folding:
        """The folding that the node has."""
        return {name: self.get_nodeattr(name) for name in self.fold_attributes()}

    def fold(self, folding: Folding) -> None:
        """Give the node a folding, which changes what it costs and no value."""
        for name, value in folding.items():
            self.set_nodeattr(name, value)

    def get_nodeattr_types(self) -> dict[str, tuple]:
        common = {"in_dtypes": ("strings", True, []), "out_dtype": ("s", True, "")}
        sizes = dict.fromkeys(self.sizes, ("i", True, 0))
        sizes |= {name: ("i", False, 0 if name == "packed" else 1) for name in self.folding}
        return common | sizes | {name: ("t", True, np.zeros(0)) for name in self.arrays}

    def set_nodeattr(self, name: str, value: int | str) -> None:
        if not self._attributes.replace(name, value):
            super().set_nodeattr(name, value)

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        batch = model.get_tensor_shape(model.graph.input[0].name)[0]
        return self.make_const_shape_op([batch, *self.output_shape()])

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        model.set_tensor_datatype(self.onnx_node.output[0], self.out_dtype)

    def verify_node(self) -> None:
        """Check that every input has a data type and a shape.

        Raises:
            ValueError: one is missing.
        """
        counts = len(self.onnx_node.input), len(self.get_nodeattr("in_dtypes")), len(self.input_shapes())
        if len(set(counts)) != 1:
            raise ValueError(f"{self.onnx_node.name}: {counts} inputs, data types and shapes")

    def execute_node(self, context: dict[str, np.ndarray], graph: object) -> None:
        inputs = [context[name].astype(np.int64) for name in self.onnx_node.input]
        context[self.onnx_node.output[0]] = self.execute(*inputs).astype(np.float32)


def _read_only(values: np.ndarray) -> np.ndarray:
    array = values.astype(np.int64)
    array.setflags(write=False)
    return array

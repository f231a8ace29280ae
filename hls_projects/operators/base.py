"""What every hardware operator declares, once, for qonnx, hls4ml and the kernel alike."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp

from hls_projects.dataflow.program import Program, Read, Repeat, Wait, Write
from hls_projects.integer import smallest_dtype
from hls_projects.rtl.twin import Twin

DOMAIN = "hls_projects.operators"


class HardwareOperator(CustomOp):
    """A streaming operator on integer codes, one token a FIFO word.

    A subclass is the one place that holds an operator's QONNX semantics, the hls4ml layer and the
    call of its kernel. It declares:

    - ``kernel``: the header beside the subclass and the C++ function in it;
    - ``sizes``: integer attributes that become constants of the kernel's configuration;
    - ``folding``: how many elements work in parallel, by axis; attributes like ``sizes``, 1 by default,
      which change no value;
    - ``arrays``: tensor attributes that the kernel takes as arguments, in this order;
    - :meth:`input_shapes`, :meth:`output_shape`, :meth:`types`, :meth:`execute` and :meth:`program`.

    Every node carries the qonnx data types of its streams in ``in_dtypes`` and ``out_dtype``.
    Tensors are float32 containers of integers in the ONNX file, as FINN has it.
    """

    kernel: ClassVar[str]
    sizes: ClassVar[tuple[str, ...]] = ()
    folding: ClassVar[tuple[str, ...]] = ()
    arrays: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of every input without the batch; the last axis is one FIFO word."""

    @abstractmethod
    def output_shape(self) -> tuple[int, ...]:
        """Shape without the batch; the last axis is one FIFO word."""

    @abstractmethod
    def execute(self, *inputs: np.ndarray) -> np.ndarray:
        """Integer semantics: int64 code tensors with a batch axis in, one out."""

    @abstractmethod
    def program(self) -> Program:
        """What the kernel does for one picture, clock by clock; its ports are ``in0``, ``in1`` and ``out``.

        The kernel reads and writes in this order, and its header gives the same cycles as a formula,
        to which every word that is read or written adds one.
        """

    def twin(self) -> Twin:
        """The operator in Verilog: the module of ``<kernel>.v`` beside the kernel, its parameters and memories."""
        raise NotImplementedError(f"{type(self).__name__} has no twin in Verilog")

    def in_word(self, index: int = 0) -> int:
        """Elements of a word of the twin's input; an input is a stream of its elements in C order."""
        return 1

    def out_word(self) -> int:
        """Elements of a word of the twin's output."""
        return 1

    def as_stream(self, values: np.ndarray) -> np.ndarray:
        """The QONNX tensor of this operator's output as the stream has it, with the batch.

        In QONNX a head is an axis of the tensor, (B, H, T, C), in the stream a stretch of the word.
        """
        moved = values.transpose(0, 2, 1, 3) if values.ndim == 4 else values
        return moved.reshape(-1, *self.output_shape())

    def types(self) -> dict[str, BaseDataType]:
        """Internal C++ types of the kernel by name, such as ``accum_t``."""
        return {}

    def macs(self) -> int:
        """Multiply-accumulates of its matrix product for one picture; 0 where it has none."""
        return 0

    def array_dtype(self, name: str) -> BaseDataType:
        """Type of an array argument; the narrowest that holds its values unless overridden."""
        array = self.array(name)
        return smallest_dtype(int(array.min()), int(array.max()))

    def size(self, name: str) -> int:
        return int(self.get_nodeattr(name))

    def array(self, name: str) -> np.ndarray:
        return self.get_nodeattr(name).astype(np.int64)

    def in_dtype(self, index: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("in_dtypes")[index]]

    @property
    def out_dtype(self) -> BaseDataType:
        return DataType[self.get_nodeattr("out_dtype")]

    @classmethod
    def header(cls) -> Path:
        """The kernel's C++ header."""
        return Path(__file__).parent / cls.kernel / f"{cls.kernel}.h"

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

        def plain(key: str, value: int | str | np.ndarray) -> int | str | TensorProto:
            if key in cls.arrays:
                return numpy_helper.from_array(np.asarray(value, dtype=np.int64), key)
            return value if isinstance(value, str) else int(value)

        return helper.make_node(
            cls.__name__,
            inputs,
            [output],
            name=name,
            domain=DOMAIN,
            in_dtypes=[dtype.name for dtype in in_dtypes],
            out_dtype=out_dtype.name,
            **{key: plain(key, value) for key, value in attributes.items()},
        )

    # qonnx's interface

    def get_nodeattr_types(self) -> dict[str, tuple]:
        common = {"in_dtypes": ("strings", True, []), "out_dtype": ("s", True, "")}
        sizes = dict.fromkeys(self.sizes, ("i", True, 0)) | dict.fromkeys(self.folding, ("i", False, 1))
        return common | sizes | {name: ("t", True, np.zeros(0)) for name in self.arrays}

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        batch = model.get_tensor_shape(model.graph.input[0].name)[0]
        return self.make_const_shape_op([batch, *self.output_shape()])

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        model.set_tensor_datatype(self.onnx_node.output[0], self.out_dtype)

    def verify_node(self) -> None:
        """Every input has a data type and a shape.

        Raises:
            ValueError: one is missing.
        """
        counts = len(self.onnx_node.input), len(self.get_nodeattr("in_dtypes")), len(self.input_shapes())
        if len(set(counts)) != 1:
            raise ValueError(f"{self.onnx_node.name}: {counts} inputs, data types and shapes")

    def execute_node(self, context: dict[str, np.ndarray], graph: object) -> None:
        inputs = [context[name].astype(np.int64) for name in self.onnx_node.input]
        context[self.onnx_node.output[0]] = self.execute(*inputs).astype(np.float32)


def word_by_word(count: int, cycles: int, inputs: int = 1) -> Program:
    """A word of every input, ``cycles`` of work, a word of output; ``count`` times."""
    reads = (Read(f"in{index}") for index in range(inputs))
    return (Repeat(count, (*reads, Wait(cycles), Write("out"))),)


def signed_width(magnitude: int, *, shifts: int = 0) -> BaseDataType:
    """A signed type that holds ± ``magnitude`` and can be shifted right by ``shifts`` with rounding."""
    return DataType[f"INT{max(int(magnitude).bit_length() + 1, shifts + 2)}"]


def magnitude(dtype: BaseDataType) -> int:
    """Largest absolute value of a code."""
    return max(abs(int(dtype.min())), abs(int(dtype.max())))


def shift_dtype(*shifts: int) -> BaseDataType:
    """An unsigned type that holds every one of ``shifts``."""
    return smallest_dtype(0, max(shifts))

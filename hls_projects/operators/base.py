"""What every hardware operator declares, once, for qonnx, hls4ml and the kernel alike."""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp

from hls_projects.cost import Cost, CostError, Demand, resources
from hls_projects.dataflow.program import Program, Read, Repeat, Together, Wait, Write, busy_cycles, claim, fill
from hls_projects.integer import smallest_dtype
from hls_projects.verilog.twin import Twin

DOMAIN = "hls_projects.operators"


Folding = dict[str, int | str]
"""Attributes of a node by name that say how much of it works in parallel."""


@dataclass(frozen=True)
class Stage:
    """A part of an operator that works at the same time as its other parts.

    Args:
        name: unique in the operator; empty where it is the whole.
        program: for one image. Its ports are ``in0``, ``in1`` and ``out`` of the operator, and the two
            ends of the blocks that join it to other stages.
    """

    name: str
    program: Program


class HardwareOperator(CustomOp):
    """A streaming operator on integer codes, an element a FIFO word.

    A subclass is the one place that holds an operator's QONNX semantics, the hls4ml layer and the
    call of its kernel. It declares:

    - ``kernel``: the header beside the subclass and the C++ function in it;
    - ``sizes``: integer attributes that become constants of the kernel's configuration;
    - ``folding``: how many elements work in parallel, by axis; attributes like ``sizes``, 1 by default,
      which change no value; ``packed`` among them, 0 by default, is 1 where a DSP does two products;
    - ``arrays``: tensor attributes that the kernel takes as arguments, in this order;
    - :meth:`input_shapes`, :meth:`output_shape`, :meth:`types`, :meth:`execute`, :meth:`stages`, :meth:`twin`
      and :meth:`demand`.

    Every node carries the qonnx data types of its streams in ``in_dtypes`` and ``out_dtype``.
    Tensors are float32 containers of integers in the ONNX file, as FINN has it.
    """

    kernel: ClassVar[str]
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

    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """What the operator does for one image, cycle by cycle: the one place with its cycles.

        They are the twin's. The C++ moves the same words and blocks in the same order, if not in the same
        cycles, unless :meth:`kernel_stages` says otherwise.
        """

    def kernel_stages(self) -> tuple[Stage, ...]:
        """The processes of the C++ kernel in the order of their calls, every block with two buffers.

        What they move, and in which order, decides at which depths of its FIFOs the C++ stands still.
        """
        return self.stages()

    def buffers(self, block: str) -> int:
        """Buffers of a block between two stages: one is filled while the other is read."""
        return 2

    def block_latency(self, block: str) -> int:
        """Cycles from the last write into a block to the first in which it can be read, but for one."""
        return 0

    def output_latency(self) -> int:
        """Cycles from the write of an element in :meth:`stages` to the word in the FIFO: registers on its way."""
        return 1

    def in_word(self, index: int = 0) -> int:
        """Elements of a word of an input's stream."""
        return 1

    def out_word(self) -> int:
        """Elements of a word of the output's stream."""
        return 1

    def check_folding(self) -> None:
        """Every attribute of ``folding`` has a value that the kernel can work with.

        Raises:
            ValueError: one has not.
        """
        for name in self.folding:
            if self.size(name) < 1:
                raise self.misfit(name, "at least 1")

    def check_divisor(self, name: str, whole: str) -> None:
        """The attribute of folding ``name`` divides the size ``whole``.

        Raises:
            ValueError: it does not.
        """
        if self.size(name) < 1 or self.size(whole) % self.size(name):
            raise self.misfit(name, f"a divisor of {whole}, {self.size(whole)}")

    def check_choice(self, name: str, *choices: int | str) -> None:
        """The attribute ``name`` is one of ``choices``.

        Raises:
            ValueError: it is not.
        """
        if self.get_nodeattr(name) not in choices:
            raise self.misfit(name, " or ".join(map(str, choices)))

    def misfit(self, name: str, wanted: str) -> ValueError:
        """What to raise where the attribute ``name`` is not as ``wanted``."""
        return ValueError(f"node {self.onnx_node.name}: {name} must be {wanted}, not {self.get_nodeattr(name)}")

    def twin(self) -> Twin:
        """The operator in Verilog: the module of ``<kernel>.sv`` beside the kernel, its parameters and memories."""
        raise NotImplementedError(f"{type(self).__name__} has no twin in Verilog")

    def cost(self) -> Cost:
        """Cycles of the slowest stage, and resources by the calibration (:mod:`hls_projects.cost`).

        Raises:
            CostError: the operator was not calibrated.
        """
        return Cost(self.cycles(), resources(self.demand()))

    def cycles(self) -> int:
        """Of the slowest stage."""
        return max(busy_cycles(stage.program) for stage in self.stages())

    def demand(self) -> Demand:
        """What the twin's resources follow from; cheap, for a solver asks often."""
        raise CostError(f"{type(self).__name__} does not declare what its resources follow from")

    def constants(self) -> dict[str, int]:
        """Constants of the kernel's configuration that follow from sizes and arrays."""
        return {}

    def stream_shape(self, shape: tuple[int, ...], word: int) -> tuple[int, ...]:
        """The shape of a tensor as words of ``word`` elements; the last axis is a word."""
        return (math.prod(shape) // word, word)

    def kernel_array(self, name: str) -> np.ndarray:
        """An array as the kernel reads it, flat."""
        return self.array(name).reshape(-1)

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

    def likeness(self) -> Hashable:
        """What the cycles of its foldings follow from, and about what they cost: the same where operators are alike."""
        types = (*(self.in_dtype(index).name for index in range(len(self.input_shapes()))), self.out_dtype.name)
        return (type(self), *(self.size(name) for name in self.sizes), *types)

    def foldings(self) -> Iterator[Folding]:
        """Every folding that is worth a thought, the plainest first."""
        yield {}

    def as_stream(self, values: np.ndarray) -> np.ndarray:
        """The QONNX tensor of this operator's output as the stream has it, with the batch.

        In QONNX a head is an axis of the tensor, (B, H, T, C), in the stream a stretch of the token.
        """
        moved = values.transpose(0, 2, 1, 3) if values.ndim == 4 else values
        return moved.reshape(-1, *self.output_shape())

    def types(self) -> dict[str, BaseDataType]:
        """Internal C++ types of the kernel by name, such as ``accum_t``."""
        return {}

    def macs(self) -> int:
        """Multiply-accumulates of its matrix product for one image; 0 where it has none."""
        return 0

    def storage_bits(self) -> int:
        """Bits of the tokens that the kernel keeps for later ones, keys or values; 0 where it keeps none."""
        return 0

    def array_dtype(self, name: str) -> BaseDataType:
        """Type of an array argument; the narrowest that holds its values unless overridden."""
        array = self.array(name)
        return smallest_dtype(int(array.min()), int(array.max()))

    def size(self, name: str) -> int:
        """An integer attribute."""
        if name in self.fold_attributes():
            found = self._attribute(name)
            return int(self.get_nodeattr(name) if found is None else found.i)
        if name not in self._kept:
            self._kept[name] = int(self.get_nodeattr(name))
        return self._kept[name]

    def word(self, name: str) -> str:
        """A string attribute."""
        found = self._attribute(name)
        return self.get_nodeattr(name) if found is None else found.s.decode()

    def _attribute(self, name: str) -> AttributeProto | None:
        """One that the node has; get_nodeattr makes a table of all of them each time."""
        if name not in self._found:
            found = next((attribute for attribute in self.onnx_node.attribute if attribute.name == name), None)
            if found is None:
                return None
            # The node's own, whose value may change.
            self._found[name] = found
        return self._found[name]

    @cached_property
    def _found(self) -> dict[str, AttributeProto]:
        return {}

    def array(self, name: str) -> np.ndarray:
        """A tensor attribute, int64."""
        if name not in self._kept:
            self._kept[name] = self.get_nodeattr(name).astype(np.int64)
            self._kept[name].setflags(write=False)
        return self._kept[name]

    def set_nodeattr(self, name: str, value: int | str) -> None:
        self._kept.pop(name, None)
        found = self._attribute(name) if name in self.fold_attributes() else None
        # As qonnx does it, but for its table of all attributes.
        if found is not None and found.type == AttributeProto.INT and isinstance(value, int):
            found.i = value
        elif found is not None and found.type == AttributeProto.STRING and isinstance(value, str):
            found.s = value.encode()
        else:
            super().set_nodeattr(name, value)

    @cached_property
    def _kept(self) -> dict[str, Any]:
        """What was read from the node: reading takes qonnx long."""
        return {}

    def in_dtype(self, index: int = 0) -> BaseDataType:
        if "in_dtypes" not in self._kept:
            self._kept["in_dtypes"] = [DataType[name] for name in self.get_nodeattr("in_dtypes")]
        return self._kept["in_dtypes"][index]

    @property
    def out_dtype(self) -> BaseDataType:
        if "out_dtype" not in self._kept:
            self._kept["out_dtype"] = DataType[self.get_nodeattr("out_dtype")]
        return self._kept["out_dtype"]

    @classmethod
    def header(cls) -> Path:
        """The kernel's C++ header."""
        return Path(__file__).parent / cls.kernel / f"{cls.kernel}.h"

    @classmethod
    def verilog_folder(cls) -> Path:
        """The folder with the operator's Verilog modules."""
        return cls.header().parent / "verilog"

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

    # qonnx's interface

    def get_nodeattr_types(self) -> dict[str, tuple]:
        common = {"in_dtypes": ("strings", True, []), "out_dtype": ("s", True, "")}
        sizes = dict.fromkeys(self.sizes, ("i", True, 0))
        sizes |= {name: ("i", False, 0 if name == "packed" else 1) for name in self.folding}
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


Ports = tuple[Read | Write, ...]


def stretch(count: int, every: Ports = (), *, first: Ports = (), last: Ports = ()) -> Program:
    """A stretch of ``count`` cycles, at least one.

    Args:
        every: what moves in every cycle.
        first, last: what moves in the first and in the last cycle besides.
    """
    if count == 1:
        return (one_cycle((*first, *every, *last)),)
    middle = Repeat(count - 2, (one_cycle(every),)) if every else Wait(count - 2)
    return (one_cycle((*first, *every)), middle, one_cycle((*every, *last)))


def one_cycle(ports: Ports) -> Together | Wait:
    """One cycle, in which ``ports`` move, or nothing does."""
    return Together(ports) if ports else Wait(1)


def moving(least: int, *moves: Mapping[int, Ports]) -> Program:
    """What moves in which cycle, from clock 0 to the last one in which something does, at least ``least`` cycles."""
    moved: dict[int, Ports] = {}
    for each in moves:
        for place, ports in each.items():
            if ports:
                moved[place] = (*moved.get(place, ()), *ports)
    length = max(least, *(place + 1 for place in moved))
    runs = itertools.groupby(moved.get(place, ()) for place in range(length))
    counts = ((ports, len(list(run))) for ports, run in runs)
    return tuple(Repeat(count, (one_cycle(ports),)) if ports else Wait(count) for ports, count in counts)


def block_of(count: int, every: Ports, block: str) -> Program:
    """``count`` cycles that fill a block."""
    return stretch(count, every, first=(claim(block),), last=(fill(block),))


def around(count: int, part: Callable[[Ports, Ports], Program], first: Ports, last: Ports) -> Program:
    """``count`` times ``part``, which is given what else moves in its first and last cycle."""
    if count == 1:
        return part(first, last)
    return (*part(first, ()), Repeat(count - 2, part((), ())), *part((), last))


def elementwise(count: int, inputs: int = 1) -> tuple[Stage, ...]:
    """An element of every input and of the output in each of ``count`` cycles."""
    reads = tuple(Read(f"in{index}") for index in range(inputs))
    return (Stage("", (Repeat(count, (Together((*reads, Write("out"))),)),)),)


def divisors(number: int) -> list[int]:
    """Ascending."""
    return [part for part in range(1, number + 1) if number % part == 0]


def signed_width(magnitude: int, *, shifts: int = 0) -> BaseDataType:
    """A signed type that holds ± ``magnitude`` and can be shifted right by ``shifts`` with rounding."""
    return DataType[f"INT{max(int(magnitude).bit_length() + 1, shifts + 2)}"]


def magnitude(dtype: BaseDataType) -> int:
    """Largest absolute value of a code."""
    return max(abs(int(dtype.min())), abs(int(dtype.max())))


def shift_dtype(*shifts: int) -> BaseDataType:
    """An unsigned type that holds every one of ``shifts``."""
    return smallest_dtype(0, max(shifts))

"""What every hardware operator declares, once, for qonnx, hls4ml, the simulations and the kernels."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from qonnx.core.datatype import BaseDataType

from hls_projects.cost import Cost, Demand, resources
from hls_projects.dataflow.patterns import Stage
from hls_projects.dataflow.program import busy_cycles
from hls_projects.errors import InputError
from hls_projects.integer import smallest_dtype
from hls_projects.operators.checks import check_positive
from hls_projects.operators.qonnx_node import DOMAIN, Folding, QonnxNode
from hls_projects.verilog.twin import Twin

__all__ = ["DOMAIN", "Folding", "HardwareOperator", "Stage", "stream_shape"]


class HardwareOperator(QonnxNode):
    """A streaming operator on integer codes, an element a FIFO word.

    A subclass is the one module that holds an operator's QONNX semantics, the hls4ml layer and the call of its
    kernel. It declares its attributes (see :class:`QonnxNode`) and:

    - ``kernel``: the header beside the subclass and the C++ function in it, which takes ``sizes`` and ``folding``
      as constants of its configuration and ``arrays`` as arguments, in their order;
    - :meth:`input_shapes`, :meth:`output_shape`, :meth:`types` and :meth:`execute`: what it computes;
    - :meth:`stages`, :meth:`twin` and :meth:`demand`: its cycles, its Verilog and its resources.
    """

    kernel: ClassVar[str]

    @classmethod
    def header(cls) -> Path:
        """The kernel's C++ header."""
        return Path(__file__).parent / cls.kernel / f"{cls.kernel}.h"

    @classmethod
    def verilog_folder(cls) -> Path:
        """The folder with the operator's Verilog modules."""
        return cls.header().parent / "verilog"

    # Values

    def types(self) -> dict[str, BaseDataType]:
        """Internal C++ types of the kernel by name, such as ``accum_t``."""
        return {}

    def constants(self) -> dict[str, int]:
        """Constants of the kernel's configuration that follow from sizes and arrays."""
        return {}

    def kernel_array(self, name: str) -> np.ndarray:
        """An array as the kernel reads it, flat."""
        return self.array(name).reshape(-1)

    def array_dtype(self, name: str) -> BaseDataType:
        """Type of an array argument; the narrowest that holds its values unless overridden."""
        array = self.array(name)
        return smallest_dtype(int(array.min()), int(array.max()))

    def as_stream(self, values: np.ndarray) -> np.ndarray:
        """The QONNX tensor of this operator's output in the order of the stream, with the batch.

        In QONNX a head is an axis of the tensor, (B, H, T, C); in the stream it is a range of the token's elements.
        """
        moved = values.transpose(0, 2, 1, 3) if values.ndim == 4 else values
        return moved.reshape(-1, *self.output_shape())

    def in_word(self, index: int = 0) -> int:
        """Elements of a word of an input's stream."""
        return 1

    def out_word(self) -> int:
        """Elements of a word of the output's stream."""
        return 1

    # Cycles

    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """What the operator does for one image, cycle by cycle, as its Verilog module does it.

        All cycles follow from these programs, :meth:`buffers` and the latencies: the simulation derives the interval
        between images and the depths of FIFOs from them. The C++ moves the same words and blocks in the same order,
        if not in the same cycles, unless :meth:`kernel_stages` says otherwise.
        """

    def kernel_stages(self) -> tuple[Stage, ...]:
        """The processes of the C++ kernel in the order of their calls, every block with two buffers.

        What they move, and in which order, decides at which FIFO depths the C++ deadlocks.
        """
        return self.stages()

    def buffers(self, block: str) -> int:
        """Buffers of a block between two stages: one is filled while another is read."""
        return 2

    def block_latency(self, block: str) -> int:
        """Cycles from the last write of a block to the first cycle in which it can be read, minus one."""
        return 0

    def output_latency(self) -> int:
        """Cycles from the write of an element in :meth:`stages` to the word in the FIFO: registers on its way."""
        return 1

    def cycles(self) -> int:
        """Cycles between images where the streams never stall: those of the slowest stage.

        An operator whose stages wait for one another for longer than that overrides this.
        """
        return max(busy_cycles(stage.program) for stage in self.stages())

    # Foldings and what they cost

    def check_folding(self) -> None:
        """Check that every attribute of the folding has a value that the kernel can work with.

        Raises:
            ValueError: one has not.
        """
        check_positive(self, *self.folding)

    def foldings(self) -> Iterator[Folding]:
        """Every folding that is worth considering, the plainest first."""
        yield {}

    def equivalence_key(self) -> Hashable:
        """Everything that decides the cycles of every folding, and nearly everything that decides its resources.

        Operators with equal keys share one list of foldings; see :class:`hls_projects.folding.choices.EqualOperators`.
        """
        types = (*(self.in_dtype(index).name for index in range(len(self.input_shapes()))), self.out_dtype.name)
        return (type(self), *(self.size(name) for name in self.sizes), *types)

    def cost(self) -> Cost:
        """Cycles between images, and resources by the calibration (:mod:`hls_projects.cost`).

        Raises:
            InputError: the operator was not calibrated.
        """
        return Cost(self.cycles(), resources(self.demand()))

    def demand(self) -> Demand:
        """What the resources of the Verilog module follow from; cheap, because a solver asks for every folding."""
        raise InputError(f"{type(self).__name__} does not declare what its resources follow from")

    def macs(self) -> int:
        """Multiply-accumulates of its matrix product for one image; 0 where it has none."""
        return 0

    def storage_bits(self) -> int:
        """Bits of the tokens that the kernel stores for later ones, keys or values; 0 where it stores none."""
        return 0

    def twin(self) -> Twin:
        """The operator in Verilog: the module of ``<kernel>.sv`` beside the kernel, its parameters and memories."""
        raise NotImplementedError(f"{type(self).__name__} has no twin in Verilog")


def stream_shape(shape: tuple[int, ...], word: int) -> tuple[int, ...]:
    """The shape of a tensor as (words, ``word`` elements of a word)."""
    return (math.prod(shape) // word, word)

"""The base of attention's two products: every query with the keys, or values, of its window."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from qonnx.core.datatype import BaseDataType

from hls_projects.cost import Demand
from hls_projects.dataflow.patterns import Ports, around, block_of, stretch
from hls_projects.dataflow.program import Program, Read, Repeat, Write, claim, fill, free, take
from hls_projects.integer import divisors, magnitude, shift_dtype, signed_width
from hls_projects.operators.attention.demand import demand
from hls_projects.operators.attention.geometry import PACKED_PRODUCT, PACKED_SHIFT, PACKED_STORED_WIDTH, Geometry
from hls_projects.operators.attention.window import WINDOW_SIZES, WindowedOperator
from hls_projects.operators.base import Folding, Stage
from hls_projects.operators.checks import check_choice, check_divisor
from hls_projects.verilog.twin import Twin

# Cycles from the last step of a group's sums to the first sum in the memory of results (attention_core.sv); packed
# products take one more.
SUM_CYCLES = 9
# Groups that may be on their way at once. They are registers of a pipeline, so none ever waits for a buffer.
GROUPS_ON_THEIR_WAY = SUM_CYCLES + 3


class AttentionProduct(WindowedOperator):
    """Sums of products of a query's codes with the codes stored for its window, requantized.

    Input 0 has the queries. Its codes are *shared*: every sum of a head multiplies the same one. Input 1 has the keys
    or values, which are *stored* for a whole window. A subclass declares ``kernel``, its shapes, its ``execute`` and:

    - ``lanes``: the attribute of folding that says how many sums of a head are computed together, and the size that
      it divides;
    - ``sum_over_keys``: whether a sum runs over the keys of the window and not over the channels of a head.

    Both subclasses have the kernel header ``attention.h`` and the Verilog module ``attention_core``.
    """

    sizes = (*WINDOW_SIZES, "n_heads", "head_dim", "out_shift")
    lanes: ClassVar[tuple[str, str]]
    sum_over_keys: ClassVar[bool]

    @classmethod
    def header(cls) -> Path:
        return Path(__file__).with_name("attention.h")

    @property
    @abstractmethod
    def n_products(self) -> int:
        """Products of a sum, at most."""

    def macs(self) -> int:
        return self.window.scores() * self.size("n_heads") * self.size("head_dim")

    def storage_bits(self) -> int:
        """A window of keys or values, and the load that arrives while this one is served."""
        slots = self.window.n_window + self.window.load_size
        _, (_, elements) = self.input_shapes()
        return slots * elements * self.in_dtype(1).bitwidth()

    def types(self) -> dict[str, BaseDataType]:
        shift = self.size("out_shift")
        peak = self.n_products * self._product_peak()
        return {"accum_t": signed_width(peak, shifts=shift), "shift_t": shift_dtype(shift)}

    def _product_peak(self) -> int:
        return magnitude(self.in_dtype(0)) * magnitude(self.in_dtype(1))

    # Folding

    def check_folding(self) -> None:
        check_choice(self, "packed", 0, 1)
        check_divisor(self, "parallel_heads", "n_heads")
        check_divisor(self, *self.lanes)

    def foldings(self) -> Iterator[Folding]:
        lanes, whole = self.lanes
        for heads in divisors(self.size("n_heads")):
            for count in divisors(self.size(whole)):
                for packed in (0, 1):
                    yield {"parallel_heads": heads, lanes: count, "packed": packed}

    @property
    def geometry(self) -> Geometry:
        """Computed once for each folding that the node has had."""
        folding = tuple(self.size(name) for name in self.folding)
        if folding not in self._geometries:
            self._geometries[folding] = self._compute_geometry()
        return self._geometries[folding]

    @cached_property
    def _geometries(self) -> dict[tuple[int, ...], Geometry]:
        return {}

    def set_nodeattr(self, name: str, value: int | str) -> None:
        super().set_nodeattr(name, value)
        if name not in self.folding:
            self._geometries.clear()

    def _compute_geometry(self) -> Geometry:
        window, shift = self.window, self.size("out_shift")
        lanes, _ = self.lanes
        channels, keys = self.size("head_dim"), window.load_size
        sums, steps = (channels, keys) if self.sum_over_keys else (keys, channels)
        # Half a step of the output is added to each sum, so that dropping the low bits rounds.
        peak = self.n_products * self._product_peak() + (1 << shift >> 1)
        return Geometry(
            heads=self.size("n_heads"),
            parallel_heads=self.size("parallel_heads"),
            sums=sums,
            lanes=self.size(lanes),
            steps=steps,
            loads=window.n_window // keys,
            sum_over_keys=self.sum_over_keys,
            queries_per_load=keys,
            loads_per_image=window.n_tokens // keys,
            packed=self.size("packed"),
            shared_width=self.in_dtype(0).bitwidth(),
            shared_signed=self.in_dtype(0).signed(),
            stored_width=self.in_dtype(1).bitwidth(),
            stored_signed=self.in_dtype(1).signed(),
            sum_width=signed_width(peak, shifts=shift).bitwidth(),
            shift=shift,
            out_width=self.out_dtype.bitwidth(),
        )

    # Cycles

    def stages(self) -> tuple[Stage, ...]:
        window = self.window
        (_, query), (_, key) = self.input_shapes()
        _, result = self.output_shape()
        loads = window.n_tokens // window.load_size
        write = stretch(result, (Write("out"),), first=(take("rows"),), last=(free("rows"),))
        programs = {
            "load_windows": (Repeat(loads, block_of(window.load_size * key, (Read("in1"),), "windows")),),
            "load_queries": (Repeat(window.n_tokens, block_of(query, (Read("in0"),), "queries")),),
            "multiply": (Repeat(loads, self._multiply(window.n_tokens // loads)),),
            "requantize": (Repeat(window.n_tokens, self._requantize()),),
            "write": (Repeat(window.n_tokens, write),),
        }
        return tuple(Stage(name, program) for name, program in programs.items())

    def _multiply(self, queries: int) -> Program:
        """The groups of sums of all queries of a load."""

        def group(first: Ports, last: Ports) -> Program:
            handed_over = (claim("groups"), fill("groups"))
            return stretch(self.geometry.group_steps, first=first, last=(*handed_over, *last))

        def query(first: Ports, last: Ports) -> Program:
            return around(self.geometry.query_groups, group, (take("queries"), *first), (free("queries"), *last))

        return around(queries, query, (take("windows"),), (free("windows"),))

    def _requantize(self) -> Program:
        """The sums of a query."""

        def group(first: Ports, last: Ports) -> Program:
            return stretch(self.geometry.group_sums, first=(take("groups"), *first), last=(free("groups"), *last))

        return around(self.geometry.query_groups, group, (claim("rows"),), (fill("rows"),))

    def buffers(self, block: str) -> int:
        counts = {
            "groups": GROUPS_ON_THEIR_WAY,
            "queries": 1 << self.geometry.query_block_bits,
            "rows": 1 << self.geometry.result_block_bits,
        }
        return counts.get(block) or super().buffers(block)

    def block_latency(self, block: str) -> int:
        return SUM_CYCLES + self.size("packed") if block == "groups" else super().block_latency(block)

    # Verilog

    def twin(self) -> Twin:
        """The module ``attention_core`` with the geometry as its parameters.

        Raises:
            ValueError: the module does not have these types or this folding.
        """
        self._check_module()
        return Twin("attention_core", self.geometry.parameters())

    def demand(self) -> Demand:
        self._check_module()
        return demand(type(self).__name__, self.geometry)

    def _check_module(self) -> None:
        """Raise a ValueError where the module has not these types or this folding."""
        name, stored, shift = self.onnx_node.name, self.in_dtype(1), self.size("out_shift")
        if not self.out_dtype.signed():
            raise ValueError(f"{name}: in Verilog its output is signed, not {self.out_dtype.name}")
        for attribute, limit in (("parallel_heads", "n_heads"), self.lanes):
            value, most = self.size(attribute), self.size(limit)
            if not 1 <= value <= most:
                raise ValueError(f"{name}: {attribute} is {value}; give 1 to {most}, its {limit}")
        fits = stored.signed() and stored.bitwidth() <= PACKED_STORED_WIDTH and self._product_peak() < PACKED_PRODUCT
        if self.size("packed") and not (fits and shift <= PACKED_SHIFT):
            types = f"{self.in_dtype(0).name} times {stored.name} shifted by {shift}"
            raise ValueError(f"{name}: two products of {types} do not fit a DSP; set packed to 0")

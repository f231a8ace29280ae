"""What the Verilog twins of attention's two products share: their parameters, and the foldings that they have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hls_projects.cost import BlockRam, Demand, lut_ram
from hls_projects.operators.base import magnitude, signed_width
from hls_projects.operators.window import WindowedOperator
from hls_projects.verilog.twin import code_type

# Two products in a DSP: hls_projects/verilog/modules/multiply_accumulate_pair.v says why.
PACKED_WIDTH, PACKED_PRODUCT, PACKED_SHIFT = 8, 1 << 15, 15
# Bits of the lower sum in the DSP.
PACKED_LOW = 16
# Address bits of the blocks of queries and of results, four of each.
BLOCK_BITS = 2
# A query, and its results, of so many address bits have two blocks, in LUTs; the latter where they are read in half of
# a query's work.
LUT_BITS, RESULT_LUT_BITS = 5, 7
# Cycles from the last step of a group's sums to the first one of them, but for one more where products are packed.
SUM_CYCLES = 9
# Sums that are on their way make nothing wait.
GROUPS = SUM_CYCLES + 3


def product_parameters(operator: WindowedOperator, inputs: str, n_products: int) -> dict[str, int]:
    """Parameters of the module.

    Args:
        inputs: the letters of its two inputs in the names of parameters.
        n_products: that a sum has at most.

    Raises:
        ValueError: a type or a folding that the module does not have.
    """
    _check(operator)
    sizes = ("n_heads", "head_dim", "n_tokens", "load_size", "n_window", "out_shift", *operator.folding)
    parameters = {name.upper(): operator.size(name) for name in sizes}
    for index, letter in enumerate(inputs):
        parameters |= code_type(letter, operator.in_dtype(index))
    # To a sum half a step of the output is added, for its rounding.
    shift = operator.size("out_shift")
    peak = n_products * _product(operator) + (1 << shift >> 1)
    widths = {"SUM_WIDTH": signed_width(peak, shifts=shift).bitwidth(), "OUT_WIDTH": operator.out_dtype.bitwidth()}
    return parameters | widths


@dataclass(frozen=True)
class Loops:
    """How the module goes over a query's sums.

    Args:
        passes: over the heads, ``heads`` at a time.
        groups: of ``lanes`` sums of a head, for one load of keys.
        outer, inner: a window's loads, which follow each other as scores of their own and within a sum of values.
        steps: products of a sum for one load.
    """

    passes: int
    heads: int
    groups: int
    lanes: int
    outer: int
    inner: int
    steps: int

    @classmethod
    def of(cls, operator: WindowedOperator) -> Loops:
        heads, lanes = (operator.size(name) for name in operator.folding[:2])
        load, channels = operator.size("load_size"), operator.size("head_dim")
        units = operator.size("n_window") // load
        of_values = operator.folding[1] == "parallel_channels"
        sums, steps = (channels, load) if of_values else (load, channels)
        inner, outer = (units, 1) if of_values else (1, units)
        return cls(-(-operator.size("n_heads") // heads), heads, -(-sums // lanes), lanes, outer, inner, steps)

    @property
    def units(self) -> int:
        """Loads of a window."""
        return self.outer * self.inner

    @property
    def work(self) -> int:
        """Cycles of a query."""
        return self.passes * self.outer * self.groups * max(self.inner * self.steps, self.heads * self.lanes)

    @property
    def query(self) -> int:
        """Address bits of a query in the memory of the shared elements."""
        return _bits(self.passes) + _bits(self.inner) + _bits(self.steps)

    @property
    def result(self) -> int:
        """Address bits of a query in the memory of the results."""
        return sum(map(_bits, (self.passes, self.heads, self.lanes, self.groups, self.outer)))

    @property
    def query_in_luts(self) -> bool:
        return self.query <= LUT_BITS

    @property
    def results_in_luts(self) -> bool:
        return self.result <= RESULT_LUT_BITS and self.work >= 2 << self.result

    @property
    def stored_bits(self) -> int:
        """Address bits of the memory of the stored elements."""
        return _bits(self.passes) + _bits(self.units + 1) + _bits(self.groups) + _bits(self.steps)

    @property
    def shared_bits(self) -> int:
        """Address bits of the memory of the shared elements."""
        return self.query + _block_bits(self.query_in_luts)

    @property
    def result_bits(self) -> int:
        """Address bits of the results' memory."""
        return self.result + _block_bits(self.results_in_luts)


def stage_cycles(operator: WindowedOperator) -> dict[str, int]:
    """Cycles of the module's stages, which all run at the same time.

    Returns:
        ``load_keys``: of ``load_size`` keys, or values, once for as many queries; ``load``, ``work`` and ``store``:
        of one query. An image of ``n_tokens`` queries takes ``n_tokens`` times the slowest of the last three,
        or its loads of keys if they take longer.
    """
    heads, channels, window, load = (operator.size(name) for name in ("n_heads", "head_dim", "n_window", "load_size"))
    scores = operator.folding[1] == "parallel_keys"
    return {
        "load_keys": load * heads * channels,
        "load": heads * (channels if scores else window),
        "work": Loops.of(operator).work,
        "store": heads * (window if scores else channels),
    }


def _product(operator: WindowedOperator) -> int:
    return magnitude(operator.in_dtype(0)) * magnitude(operator.in_dtype(1))


def _check(operator: WindowedOperator) -> None:
    """Refuse what the module does not have."""
    name, stored, shift = operator.onnx_node.name, operator.in_dtype(1), operator.size("out_shift")
    if not operator.out_dtype.signed():
        raise ValueError(f"{name}: in Verilog its output is signed, not {operator.out_dtype.name}")
    limits = {"parallel_heads": "n_heads", "parallel_keys": "load_size", "parallel_channels": "head_dim"}
    for fold in operator.folding[:-1]:
        most = operator.size(limits[fold])
        if not 1 <= operator.size(fold) <= most:
            raise ValueError(f"{name}: {fold} is {operator.size(fold)}; give 1 to {most}, its {limits[fold]}")
    fits = stored.signed() and stored.bitwidth() <= PACKED_WIDTH and _product(operator) < PACKED_PRODUCT
    if operator.size("packed") and not (fits and shift <= PACKED_SHIFT):
        types = f"{operator.in_dtype(0).name} times {stored.name} shifted by {shift}"
        raise ValueError(f"{name}: two products of {types} do not fit a DSP; set packed to 0")


@dataclass(frozen=True)
class Shape:
    """Sizes of the module that ``attention_core.sv`` derives from its parameters, for its cost.

    Args:
        slices: DSPs of a head; ``quads`` fours of them, of which one sum leaves at a time.
        word: bits of a DSP's sums that are held until they leave; ``wraps`` of them are counted beside a packed one.
    """

    loops: Loops
    slices: int
    quads: int
    word: int
    wraps: int

    @classmethod
    def of(cls, operator: WindowedOperator, parameters: Mapping[str, int]) -> Shape:
        """From the parameters of its twin."""
        loops, packed = Loops.of(operator), parameters["PACKED"]
        slices = -(-loops.lanes // 2) if packed else loops.lanes
        return cls(
            loops,
            slices=slices,
            quads=-(-slices // 4),
            word=1 + parameters["SUM_WIDTH"] * (1 + packed) - parameters["OUT_SHIFT"],
            wraps=max(parameters["SUM_WIDTH"] - PACKED_LOW, 1) * packed,
        )

    def demand(self, operator: WindowedOperator) -> Demand:
        """See :meth:`hls_projects.operators.base.HardwareOperator.demand`."""
        dsps = self.loops.heads * self.slices
        return Demand(type(operator).__name__, self._features(operator), self._block_rams(operator), dsps)

    def _features(self, operator: WindowedOperator) -> dict[str, float]:
        loops, packed = self.loops, operator.size("packed")
        sums = loops.heads * self.slices
        shared, result = operator.in_dtype(0).bitwidth(), operator.out_dtype.bitwidth()
        return {
            "one": 1,
            "address_bits": loops.stored_bits + loops.shared_bits,
            "shared_luts": loops.query_in_luts * loops.heads * lut_ram(shared, 1 << loops.shared_bits),
            "result_address_bits": loops.result_bits,
            "result_luts": loops.results_in_luts * lut_ram(result, 1 << loops.result_bits),
            "lanes": loops.heads * loops.lanes,
            "heads": loops.heads,
            "held_bits": sums * self.word,
            "chosen_bits": loops.heads * self.quads * self.word,
            "pairs": sums * packed,
            "wrap_bits": sums * self.wraps,
            "word_bits": self.word,
            "joined_bits": self.word * math.ceil(loops.heads * self.quads / 6),
            "several_loads": int(operator.size("n_window") > operator.size("load_size")),
        }

    def _block_rams(self, operator: WindowedOperator) -> float:
        """Of the stored, the shared and the resulting elements."""
        loops = self.loops
        shared, stored = (operator.in_dtype(index).bitwidth() for index in (0, 1))
        queries = 0.0 if loops.query_in_luts else element_rams(shared, loops.heads, loops.shared_bits)
        result = operator.out_dtype.bitwidth()
        results = 0.0 if loops.results_in_luts else element_rams(result, 1, loops.result_bits)
        return element_rams(stored, loops.heads * loops.lanes, loops.stored_bits) + queries + results


def element_rams(width: int, elements: int, address: int) -> float:
    """Block RAMs of ``element_ram.sv``."""
    return BlockRam.of(width * elements, 1 << address, element=width).BRAM36


def buffers(operator: WindowedOperator, block: str) -> int | None:
    """See :meth:`hls_projects.operators.base.HardwareOperator.buffers`; None where it is what others have."""
    if block == "groups":
        return GROUPS
    if block == "queries":
        return 1 << _block_bits(Loops.of(operator).query_in_luts)
    return 1 << _block_bits(Loops.of(operator).results_in_luts) if block == "rows" else None


def _bits(count: int) -> int:
    return (count - 1).bit_length()


def _block_bits(in_luts: bool) -> int:
    """Address bits of the blocks of a memory."""
    return 1 if in_luts else BLOCK_BITS


def sum_cycles(operator: WindowedOperator) -> int:
    """Cycles from the last step of a group's sums to the first one of them."""
    return SUM_CYCLES + operator.size("packed")

"""What the Verilog twins of attention's two products share: their parameters, and the foldings that they have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hls_projects.cost import BlockRam, Demand, lut_ram
from hls_projects.operators.base import magnitude, signed_width
from hls_projects.operators.window import WindowedOperator
from hls_projects.rtl.twin import code_type

# Two products in a DSP: hls_projects/rtl/multiply_accumulate_pair.v says why.
PACKED_WIDTH, PACKED_PRODUCT, PACKED_SHIFT = 8, 1 << 15, 15
# Bits of the lower sum in the DSP.
PACKED_LOW = 16
# Address bits of the blocks of queries and of results, four of each.
BLOCK_BITS = 2
# A query, and its results, of so many address bits have two blocks, in LUTs; the latter where they are read in half of
# a query's work.
LUT_BITS, RESULT_LUT_BITS = 5, 7
# Clocks from the last step of a group's sums to the first one of them, but for one more where products are packed.
SUM_CLOCKS = 9
# Sums that are on their way make nothing wait.
GROUPS = SUM_CLOCKS + 3


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


def stage_clocks(operator: WindowedOperator) -> dict[str, int]:
    """Clocks of the module's stages, which all run at the same time.

    Returns:
        ``load_keys``: of ``load_size`` keys, or values, once for as many queries; ``load``, ``work`` and ``store``:
        of one query. A picture of ``n_tokens`` queries takes ``n_tokens`` times the slowest of the last three,
        or its loads of keys if they take longer.
    """
    heads, channels, window, load = (operator.size(name) for name in ("n_heads", "head_dim", "n_window", "load_size"))
    parallel_heads, lanes = (operator.size(name) for name in operator.folding[:2])
    scores = operator.folding[1] == "parallel_keys"
    # A load's keys, or the channels, pass over the lanes in groups.
    sums = window // load * -(-load // lanes) if scores else -(-channels // lanes)
    work = -(-heads // parallel_heads) * sums * max(channels if scores else window, parallel_heads * lanes)
    return {
        "load_keys": load * heads * channels,
        "load": heads * (channels if scores else window),
        "work": work,
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
    """Sizes of the module that ``attention_core.v`` derives from its parameters, for its cost.

    Args:
        heads: that are worked on in parallel; ``lanes`` sums of each.
        slices: DSPs of a head; ``quads`` fours of them, of which one sum leaves at a time.
        word: bits of a DSP's sums that are held until they leave; ``wraps`` of them are counted beside a packed one.
        stored: address bits of the memory; query, result: of one query in those of the shared elements and of results.
    """

    heads: int
    lanes: int
    slices: int
    quads: int
    word: int
    wraps: int
    stored: int
    query: int
    result: int
    results_in_luts: bool

    @classmethod
    def of(cls, operator: WindowedOperator, parameters: Mapping[str, int]) -> Shape:
        """From the parameters of its twin."""
        heads, packed = parameters["PARALLEL_HEADS"], parameters["PACKED"]
        lanes = operator.folding[1]
        passes = -(-parameters["N_HEADS"] // heads)
        units = parameters["N_WINDOW"] // parameters["LOAD_SIZE"]
        parallel = parameters[lanes.upper()]
        sizes = ("head_dim", "load_size") if lanes == "parallel_channels" else ("load_size", "head_dim")
        sums, steps = (operator.size(name) for name in sizes)
        slices = -(-parallel // 2) if packed else parallel
        query, result, results_in_luts = _blocks(operator)
        return cls(
            heads=heads,
            lanes=parallel,
            slices=slices,
            quads=-(-slices // 4),
            word=1 + parameters["SUM_WIDTH"] * (1 + packed) - parameters["OUT_SHIFT"],
            wraps=max(parameters["SUM_WIDTH"] - PACKED_LOW, 1) * packed,
            stored=_bits(passes) + _bits(units + 1) + _bits(-(-sums // parallel)) + _bits(steps),
            query=query,
            result=result,
            results_in_luts=results_in_luts,
        )

    @property
    def in_luts(self) -> bool:
        """Whether the shared elements lie in LUTs."""
        return self.query <= LUT_BITS

    @property
    def result_bits(self) -> int:
        """Address bits of the results' memory."""
        return self.result + _block_bits(self.results_in_luts)

    def demand(self, operator: WindowedOperator) -> Demand:
        """See :meth:`hls_projects.operators.base.HardwareOperator.demand`."""
        return Demand(
            type(operator).__name__, self._features(operator), self._block_rams(operator), self.heads * self.slices
        )

    def _features(self, operator: WindowedOperator) -> dict[str, float]:
        packed, sums = operator.size("packed"), self.heads * self.slices
        return {
            "one": 1,
            "address_bits": self.stored + _block_bits(self.in_luts) + self.query,
            "shared_luts": self.in_luts * self.heads * lut_ram(operator.in_dtype(0).bitwidth(), 1 << self.query + 1),
            "result_address_bits": self.result_bits,
            "result_luts": self.results_in_luts * lut_ram(operator.out_dtype.bitwidth(), 1 << self.result_bits),
            "lanes": self.heads * self.lanes,
            "heads": self.heads,
            "held_bits": sums * self.word,
            "chosen_bits": self.heads * self.quads * self.word,
            "pairs": sums * packed,
            "wrap_bits": sums * self.wraps,
            "word_bits": self.word,
            "joined_bits": self.word * math.ceil(self.heads * self.quads / 6),
            "several_loads": int(operator.size("n_window") > operator.size("load_size")),
        }

    def _block_rams(self, operator: WindowedOperator) -> float:
        """Of the stored, the shared and the resulting elements."""
        shared, stored = (operator.in_dtype(index).bitwidth() for index in (0, 1))
        in_blocks = 0.0 if self.in_luts else element_rams(shared, self.heads, BLOCK_BITS + self.query)
        results = 0.0 if self.results_in_luts else element_rams(operator.out_dtype.bitwidth(), 1, self.result_bits)
        return element_rams(stored, self.heads * self.lanes, self.stored) + in_blocks + results


def element_rams(width: int, elements: int, address: int) -> float:
    """Block RAMs of ``element_ram.v``."""
    return BlockRam.of(width * elements, 1 << address, element=width).BRAM36


def buffers(operator: WindowedOperator, block: str) -> int | None:
    """See :meth:`hls_projects.operators.base.HardwareOperator.buffers`; None where it is what others have."""
    if block == "groups":
        return GROUPS
    if block not in ("queries", "rows"):
        return None
    query, _, results_in_luts = _blocks(operator)
    return 1 << _block_bits(query <= LUT_BITS if block == "queries" else results_in_luts)


def _blocks(operator: WindowedOperator) -> tuple[int, int, bool]:
    """Address bits of a query's shared elements and of its results, and whether the results lie in LUTs."""
    heads, load = operator.size("parallel_heads"), operator.size("load_size")
    passes, units = -(-operator.size("n_heads") // heads), operator.size("n_window") // load
    lanes = operator.folding[1]
    of_values = lanes == "parallel_channels"
    sums, steps = (operator.size("head_dim"), load) if of_values else (load, operator.size("head_dim"))
    parallel = operator.size(lanes)
    groups = -(-sums // parallel)
    # A window's loads follow each other within a sum of values, and as scores of their own.
    inner, outer = (units, 1) if of_values else (1, units)
    query = _bits(passes) + _bits(inner) + _bits(steps)
    result = _bits(passes) + _bits(heads) + _bits(parallel) + _bits(groups) + _bits(outer)
    work = passes * outer * groups * max(inner * steps, heads * parallel)
    return query, result, result <= RESULT_LUT_BITS and work >= 2 << result


def _bits(count: int) -> int:
    return (count - 1).bit_length()


def _block_bits(in_luts: bool) -> int:
    """Address bits of the blocks of a memory."""
    return 1 if in_luts else BLOCK_BITS


def sum_clocks(operator: WindowedOperator) -> int:
    """Clocks from the last step of a group's sums to the first one of them."""
    return SUM_CLOCKS + operator.size("packed")

"""Features that the LUTs and flip-flops of ``attention_core`` grow with, and its block RAMs and DSPs."""

from __future__ import annotations

import math

from hls_projects.cost import BlockRam, Demand, lut_ram
from hls_projects.operators.attention.geometry import Geometry

# Words that attention_result.sv joins with one LUT a bit.
JOINED = 6


def demand(kind: str, geometry: Geometry) -> Demand:
    """See :meth:`hls_projects.operators.base.HardwareOperator.demand`.

    Args:
        kind: name of the operator.
    """
    return Demand(kind, _features(geometry), _block_rams(geometry), geometry.parallel_heads * geometry.dsps)


def _features(geometry: Geometry) -> dict[str, float]:
    heads, word = geometry.parallel_heads, geometry.word_width
    dsps, words = heads * geometry.dsps, heads * geometry.quads
    return {
        "one": 1,
        "address_bits": geometry.stored_address + geometry.shared_address,
        "shared_luts": geometry.queries_in_luts * heads * lut_ram(geometry.shared_width, 1 << geometry.shared_address),
        "result_address_bits": geometry.result_address,
        "result_luts": geometry.results_in_luts * lut_ram(geometry.out_width, 1 << geometry.result_address),
        "lanes": geometry.group_sums,
        "heads": heads,
        "held_bits": dsps * word,
        "chosen_bits": words * word,
        "pairs": dsps * geometry.packed,
        "wrap_bits": dsps * geometry.packed * geometry.wrap_width,
        "word_bits": word,
        "joined_bits": word * math.ceil(words / JOINED),
        "several_loads": int(geometry.loads > 1),
    }


def _block_rams(geometry: Geometry) -> float:
    """Block RAMs of the stored codes, of the queries and of the results."""
    stored = _element_ram(geometry.stored_width, geometry.group_sums, geometry.stored_address)
    queries = _element_ram(geometry.shared_width, geometry.parallel_heads, geometry.shared_address)
    results = _element_ram(geometry.out_width, 1, geometry.result_address)
    return stored + (0.0 if geometry.queries_in_luts else queries) + (0.0 if geometry.results_in_luts else results)


def _element_ram(width: int, elements: int, address: int) -> float:
    """Block RAMs of ``element_ram.sv``."""
    return BlockRam.of(width * elements, 1 << address, element=width).BRAM36

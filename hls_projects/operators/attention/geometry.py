"""The geometry of an attention product: loops, memories and widths, computed once for each folding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

# A DSP computes two products of signed stored codes of up to 8 bits if a product is below 2^15 and half a step of the
# output fits beside the lower sum (multiply_accumulate_pair.sv says why).
PACKED_STORED_WIDTH, PACKED_PRODUCT, PACKED_SHIFT = 8, 1 << 15, 15
# Bits of the lower of two packed sums that the DSP holds; its upper bits are counted beside the DSP.
PACKED_SUM_WIDTH = 16
# Address bits of the number of a block, of queries or of results. Four blocks lie in block RAM, two in LUT RAM.
BLOCK_RAM_BITS, LUT_RAM_BITS = 2, 1
# Largest blocks, in address bits, that lie in LUT RAM: two of queries fill a row of 64-bit LUTs.
QUERY_LUT_RAM, RESULT_LUT_RAM = 5, 7
# DSPs whose sums one LUT chooses from; attention_lanes.sv joins these quads with an OR.
QUAD = 4


@dataclass(frozen=True)
class Geometry:
    """How a product goes over its data for one folding, and the memories and widths that follow.

    The Verilog module ``attention_core`` takes these numbers as parameters (:meth:`parameters`); the stages, their
    blocks and the cost model use the same ones. The loops over a query's sums, from the outermost one::

        for each pass over the heads                    # passes; parallel_heads heads together
            for each load of keys with its own sums     # result_loads
                for each group of sums                  # groups; lanes sums of every parallel head together
                    for each load of keys within a sum  # sum_loads
                        for each step                   # steps; one product a lane

    Args:
        heads: of the attention.
        parallel_heads: heads computed together. The last pass has fewer where they do not divide ``heads``.
        sums: of a head for one load of keys. Scores have one a key, values have one a channel.
        lanes: of these sums, computed together. The last group has fewer where they do not divide ``sums``.
        steps: products of a sum for one load of keys. Scores have one a channel, values have one a key.
        loads: loads of keys in a window.
        sum_over_keys: whether sums run over the keys (values) and not over the channels (scores).
        queries_per_load: queries that are served between two loads.
        loads_per_image: loads of keys of an image.
        packed: 1 where a DSP computes two lanes, else 0.
        shared_width, shared_signed: codes of a query, each shared by all lanes of its head.
        stored_width, stored_signed: codes of the keys or values, stored for a whole window.
        sum_width: bits of a sum, which includes half a step of the output for its rounding.
        shift: the sums are divided by ``2**shift``.
        out_width: bits of a result.
    """

    heads: int
    parallel_heads: int
    sums: int
    lanes: int
    steps: int
    loads: int
    sum_over_keys: bool
    queries_per_load: int
    loads_per_image: int
    packed: int
    shared_width: int
    shared_signed: bool
    stored_width: int
    stored_signed: bool
    sum_width: int
    shift: int
    out_width: int

    # Loops

    @cached_property
    def passes(self) -> int:
        return -(-self.heads // self.parallel_heads)

    @property
    def last_heads(self) -> int:
        """Heads of the last pass."""
        return self.heads - (self.passes - 1) * self.parallel_heads

    @cached_property
    def groups(self) -> int:
        return -(-self.sums // self.lanes)

    @property
    def last_lanes(self) -> int:
        """Sums of a head in the last group."""
        return self.sums - (self.groups - 1) * self.lanes

    @property
    def sum_loads(self) -> int:
        return self.loads if self.sum_over_keys else 1

    @property
    def result_loads(self) -> int:
        return 1 if self.sum_over_keys else self.loads

    @property
    def query_groups(self) -> int:
        """Groups of sums of a query, which are computed one after another."""
        return self.passes * self.result_loads * self.groups

    @property
    def group_steps(self) -> int:
        """Steps of a group of sums."""
        return self.sum_loads * self.steps

    @property
    def group_sums(self) -> int:
        """Sums of a group, which leave the module one after another."""
        return self.parallel_heads * self.lanes

    @property
    def period(self) -> int:
        """Cycles from a group to the next one: it computes all its steps, and all sums of the one before leave."""
        return max(self.group_steps, self.group_sums)

    @property
    def query_cycles(self) -> int:
        """Cycles of a query's sums."""
        return self.query_groups * self.period

    # Memories. An address is a sequence of indices, each in as many bits as its loop needs.

    @cached_property
    def query_bits(self) -> int:
        """Address bits of a query: pass, load, step."""
        return _bits(self.passes) + _bits(self.sum_loads) + _bits(self.steps)

    @cached_property
    def result_bits(self) -> int:
        """Address bits of a query's results: pass, head, load, group, lane."""
        return sum(map(_bits, (self.passes, self.parallel_heads, self.result_loads, self.groups, self.lanes)))

    @property
    def queries_in_luts(self) -> bool:
        """Whether the queries lie in LUT RAM, because two of them fit into a row of LUTs."""
        return self.query_bits <= QUERY_LUT_RAM

    @property
    def results_in_luts(self) -> bool:
        """Whether the results lie in LUT RAM: they are few, and leave in half of the next query's cycles.

        Two blocks suffice then; else four hide the time that a query's results take to leave.
        """
        return self.result_bits <= RESULT_LUT_RAM and self.query_cycles >= 2 << self.result_bits

    @property
    def query_block_bits(self) -> int:
        """Address bits of the number of a block of queries; a block is one query."""
        return LUT_RAM_BITS if self.queries_in_luts else BLOCK_RAM_BITS

    @property
    def result_block_bits(self) -> int:
        """Address bits of the number of a block of results; a block has those of one query."""
        return LUT_RAM_BITS if self.results_in_luts else BLOCK_RAM_BITS

    @cached_property
    def shared_address(self) -> int:
        """Address bits of the memory of queries."""
        return self.query_block_bits + self.query_bits

    @cached_property
    def stored_address(self) -> int:
        """Address bits of the memory of keys or values: pass, load, group, step; one load is written meanwhile."""
        return _bits(self.passes) + _bits(self.loads + 1) + _bits(self.groups) + _bits(self.steps)

    @cached_property
    def result_address(self) -> int:
        """Address bits of the memory of results."""
        return self.result_block_bits + self.result_bits

    # Arithmetic

    @cached_property
    def dsps(self) -> int:
        """DSPs of a parallel head."""
        return -(-self.lanes // 2) if self.packed else self.lanes

    @property
    def quads(self) -> int:
        """Quads of DSPs of a parallel head."""
        return -(-self.dsps // QUAD)

    @property
    def word_width(self) -> int:
        """Bits of a DSP's sums that are held until they leave: high sum if packed, shifted low sum, its tie."""
        return self.packed * self.sum_width + self.sum_width - self.shift + 1

    @property
    def wrap_width(self) -> int:
        """Bits of a packed low sum that are counted beside its DSP."""
        return max(self.sum_width - PACKED_SUM_WIDTH, 1)

    def parameters(self) -> dict[str, int]:
        """Parameters of ``attention_core`` by name."""
        loops = {
            "PASSES": self.passes,
            "PARALLEL_HEADS": self.parallel_heads,
            "LAST_HEADS": self.last_heads,
            "GROUPS": self.groups,
            "LANES": self.lanes,
            "LAST_LANES": self.last_lanes,
            "STEPS": self.steps,
            "PERIOD": self.period,
            "SUM_LOADS": self.sum_loads,
            "RESULT_LOADS": self.result_loads,
            "SUM_OVER_KEYS": int(self.sum_over_keys),
            "QUERIES_PER_LOAD": self.queries_per_load,
            "LOADS_PER_IMAGE": self.loads_per_image,
        }
        memories = {
            "STORED_ADDRESS": self.stored_address,
            "SHARED_ADDRESS": self.shared_address,
            "SHARED_BLOCK_BITS": self.query_block_bits,
            "SHARED_IN_LUTS": int(self.queries_in_luts),
            "RESULT_ADDRESS": self.result_address,
            "RESULT_BLOCK_BITS": self.result_block_bits,
            "RESULT_IN_LUTS": int(self.results_in_luts),
        }
        arithmetic = {
            "PACKED": self.packed,
            "SHARED_WIDTH": self.shared_width,
            "SHARED_SIGNED": int(self.shared_signed),
            "STORED_WIDTH": self.stored_width,
            "STORED_SIGNED": int(self.stored_signed),
            "SUM_WIDTH": self.sum_width,
            "SHIFT": self.shift,
            "OUT_WIDTH": self.out_width,
            "DSPS": self.dsps,
            "QUADS": self.quads,
            "WORD_WIDTH": self.word_width,
            "WRAP_WIDTH": self.wrap_width,
        }
        return loops | memories | arithmetic


def _bits(count: int) -> int:
    """Bits of an index of a loop of ``count`` rounds."""
    return (count - 1).bit_length()

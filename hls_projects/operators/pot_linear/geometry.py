"""Sizes, delays and widths of a linear layer with its folding, worked out once.

Memory contents (``layout.py``), cycles (``timing.py``), resources (``demand.py``) and the parameters of
``pot_linear.sv`` all come from one :class:`Geometry`. Its words:

- **group**: ``pe`` outputs that are worked on at the same time; an image's outputs are worked on group by group.
- **elements**: ``pe`` for each of the ``tokens`` that are worked on together. Each sums one output of one token.
- **pass**: groups that are worked on together, block of inputs by block of inputs, so that a block is loaded once for
  all of them. A dense layer has one group a pass and one block, the token.
- **bucket**: a sum of the inputs whose weights have the same power of two. A group of a pass has its own set of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hls_projects.operators.pot_linear.requantization import Requantization, signed_bits
from hls_projects.operators.pot_linear.weights import BLOCK, OFFSET_BITS, PotWeights

ELEMENTS = ("shift", "bucket", "dsp")
# Element, and whether zeros are skipped.
KINDS = (("shift", 0), ("bucket", 0), ("bucket", 1), ("dsp", 0))
# A row of a sparse layer has at most STEPS_OF_BLOCK weights other than zero in a block.
STEPS_OF_BLOCK = 8
# Words of the RAM in which an element has its buckets: one LUT a bit.
BUCKET_WORDS = 32
# Elements of a leaf, which has copies of the activation and of the control (pot_linear_leaf.sv).
LEAF = 12
# Words that a level of the read-out combines into one: inputs of a LUT.
FAN_IN = 6
# Results that need not be chosen yet when the work on the next ones may end, and when buffered ones move up.
FINISH_EARLY, MOVE_EARLY = 3, 1
# Free slots that the first token's queue must have when a result is chosen for it.
RESERVED_SLOTS = 8
# Words of a LUT that is a shift register.
SHIFT_REGISTER = 32


@dataclass(frozen=True)
class Layer:
    """What no folding changes.

    Args:
        n_tokens, n_in, n_out: sizes of the streams.
        in_bits, in_signed, out_bits, out_signed: types of the codes.
        out_words: codes of an output word.
        exponent_bits, mantissa_bits, powers, block_nonzeros: of the weights, see :class:`PotWeights`.
    """

    n_tokens: int
    n_in: int
    n_out: int
    in_bits: int
    in_signed: bool
    out_bits: int
    out_signed: bool
    out_words: int
    exponent_bits: int
    mantissa_bits: int
    powers: int
    block_nonzeros: int

    @property
    def x_bits(self) -> int:
        """Bits of an input as a signed number."""
        return self.in_bits + (not self.in_signed)

    @property
    def x_bounds(self) -> tuple[int, int]:
        """Lowest and highest input."""
        return (
            (-(1 << self.in_bits - 1), (1 << self.in_bits - 1) - 1) if self.in_signed else (0, (1 << self.in_bits) - 1)
        )

    @property
    def can_skip_zeros(self) -> bool:
        """Whether the Verilog has a form that spends no cycles on zeros, for this pattern of them."""
        return self.n_in % BLOCK == 0 and self.block_nonzeros <= STEPS_OF_BLOCK


@dataclass(frozen=True)
class Widths:
    """Bits of the numbers on the way from an input to an output.

    Args:
        x: an input as a signed number.
        factor: the field of a code with the weight's odd factor.
        power: the field of a code with the weight's power, or with its bucket.
        code: a weight's code, see ``layout.py``.
        word: a code with the offset of its input in the block, where the layer is sparse.
        sum: what an element adds to.
        result: what an element gives to the requantizer.
        shift, bias: the fields of a row's constants.
        total: the result, shifted and with its bias.
    """

    x: int
    factor: int
    power: int
    code: int
    word: int
    sum: int
    result: int
    shift: int
    bias: int
    total: int

    @classmethod
    def of(
        cls, layer: Layer, weights: PotWeights, requantization: Requantization, element: str, sparse: bool
    ) -> Widths:
        """For one of :data:`KINDS`."""
        bucket, powers = element == "bucket", layer.powers
        factor = 0 if element == "dsp" else layer.mantissa_bits
        # There is one bucket more than powers: bucket 0 takes the zeros.
        power = max((powers - (not bucket)).bit_length(), 1)
        code = _dsp_code_bits(weights) if element == "dsp" else 2 + factor + power
        addend = _addend_bits(layer, element, factor, power, code)
        low, high = _sum_bounds(layer, weights, element)
        # Every addend is extended to the sum by at least one bit.
        sum_bits = max(signed_bits(low, high), addend + 1)
        result = sum_bits + (powers - 1 if bucket else 0)
        total = max(
            signed_bits(requantization.low, requantization.high),
            result + 1,
            requantization.bias_bits + 1,
            requantization.right + layer.out_bits + (not layer.out_signed),
        )
        return cls(
            x=layer.x_bits,
            factor=factor,
            power=power,
            code=code,
            word=code + OFFSET_BITS * bool(sparse),
            sum=sum_bits,
            result=result,
            shift=requantization.shift_bits,
            bias=requantization.bias_bits,
            total=total,
        )

    @property
    def product(self) -> int:
        """Bits of an input times an odd factor; 0 where there are no factors."""
        return self.x + self.factor + 1 if self.factor else 0


def _dsp_code_bits(weights: PotWeights) -> int:
    return signed_bits(int(weights.scaled.min()), int(weights.scaled.max()))


def _addend_bits(layer: Layer, element: str, factor: int, power: int, code: int) -> int:
    """Bits of what an element adds to its sum, or to a bucket."""
    if element == "dsp":
        return layer.x_bits + code
    width = layer.x_bits + (factor + 1 if factor else 0)
    if element == "bucket":
        return width
    # The power's highest bit shifts in the adder.
    return width + min(layer.powers - 1, (1 << max(power - 1, 0)) - 1)


def _sum_bounds(layer: Layer, weights: PotWeights, element: str) -> tuple[int, int]:
    """Lowest and highest sum of an element; for buckets while they are drained, lowest power first."""
    if element != "bucket":
        low, high = weights.row_bounds(*layer.x_bounds)
        return int(low.min()), int(high.max())
    lows, highs = [0], [0]
    low = high = 0
    for bucket_low, bucket_high in weights.bounds_by_power(*layer.x_bounds):
        # The sum so far leaves its lowest bit and is added to the next bucket.
        low, high = bucket_low + (low >> 1), bucket_high + (high >> 1)
        lows.append(int(low.min()))
        highs.append(int(high.max()))
    return min(lows), max(highs)


@dataclass(frozen=True)
class Geometry:
    """A layer with its folding.

    Args:
        pe: outputs that are worked on at the same time; a group.
        simd: inputs of an output that are worked on at the same time; the Verilog has 1.
        tokens: that are worked on with the same weights, 1 or 2.
        element: one of :data:`ELEMENTS`.
        sparse: whether zeros take no time.
        result_buffers: results of an element: one is read out; with 2 the next one can be finished beside it.
    """

    layer: Layer
    widths: Widths
    pe: int
    simd: int
    tokens: int
    element: str
    sparse: bool
    result_buffers: int

    @classmethod
    def of(cls, layer: Layer, widths: Widths, folding: Mapping[str, int | str]) -> Geometry:
        """From the attributes of :class:`PotLinear` that say how much works in parallel."""
        return cls(
            layer,
            widths,
            pe=int(folding["pe"]),
            simd=int(folding["simd"]),
            tokens=int(folding["parallel_tokens"]),
            element=str(folding["element"]),
            sparse=bool(folding["sparse"]),
            result_buffers=int(folding["result_buffers"]),
        )

    @property
    def elements(self) -> int:
        """Sums that are worked on at the same time."""
        return self.pe * self.tokens

    @property
    def leaves(self) -> int:
        """Leaves of up to :data:`LEAF` elements."""
        return math.ceil(self.elements / LEAF)

    @cached_property
    def groups(self) -> int:
        """Groups of ``pe`` outputs; the last may be smaller."""
        return math.ceil(self.layer.n_out / self.pe)

    @property
    def buckets(self) -> int:
        """Buckets of an element and group that are drained; 0 where the element has none."""
        return self.layer.powers if self.element == "bucket" else 0

    @property
    def drain_cycles(self) -> int:
        """Cycles after a group's steps until its sums are results: one for each bucket, else 1."""
        return max(self.buckets, 1)

    # Passes of a sparse layer

    @property
    def _most_groups(self) -> int:
        """Groups whose buckets fit into an element's RAM."""
        return max(BUCKET_WORDS >> self.layer.powers.bit_length(), 1)

    @cached_property
    def overlap(self) -> bool:
        """Whether a pass's groups are drained while the next pass is worked on.

        The two passes have two groups each, so that the RAM has room for four. It pays where a block could otherwise
        not be loaded in the cycles in which it is worked on: with two tokens, or with more groups than have room.
        """
        if not self.sparse or self._most_groups < 4 or self.layer.n_in < 2 * BLOCK:
            return False
        return self.tokens > 1 or self.groups > self._most_groups

    @cached_property
    def passes(self) -> tuple[int, ...]:
        """Groups of every pass: equally many, or one more in the first passes."""
        most = 2 if self.overlap else self._most_groups if self.sparse else 1
        count = math.ceil(self.groups / most)
        return tuple(self.groups // count + (index < self.groups % count) for index in range(count))

    @property
    def bucket_set_bits(self) -> int:
        """Address bits that tell the buckets of one group from those of the others that an element has."""
        return 2 if self.overlap else (max(self.passes) - 1).bit_length()

    @property
    def replay(self) -> bool:
        """Whether blocks of inputs are loaded from a RAM with the token, once for each pass, not from the stream."""
        return self.sparse and (self.tokens > 1 or len(self.passes) > 1)

    @property
    def blocks(self) -> int:
        """Blocks of a token's inputs."""
        return math.ceil(self.layer.n_in / BLOCK) if self.sparse else 1

    @property
    def steps(self) -> int:
        """Cycles of a group's work on a block."""
        if self.sparse:
            return max(STEPS_OF_BLOCK, self.layer.block_nonzeros)
        return math.ceil(self.layer.n_in / self.simd)

    @property
    def kernel_steps(self) -> int:
        """Weights of an output that the C++ kernel goes through."""
        return self.blocks * self.layer.block_nonzeros if self.sparse else self.layer.n_in

    @cached_property
    def order(self) -> tuple[tuple[int, int | None], ...]:
        """Work on a token: pairs of a group and a block, or of a group and None where the group is drained."""
        found: list[tuple[int, int | None]] = []
        first, deferred = 0, []
        for index, groups in enumerate(self.passes):
            own = range(first, first + groups)
            defers = self.overlap and index < len(self.passes) - 1
            for block in range(self.blocks):
                if deferred and block in (0, self.blocks // 2):
                    found.append((deferred.pop(0), None))
                for group in own:
                    found.append((group, block))
                    if block == self.blocks - 1 and not defers:
                        found.append((group, None))
            first, deferred = own.stop, list(own) if defers else []
        return tuple(found)

    # Memories

    @property
    def weight_words(self) -> int:
        """Words of the weights' memory: one a step; with buckets one of zeros a group, for the drain."""
        return self.groups * (self.blocks * self.steps + (self.element == "bucket"))

    @property
    def token_words(self) -> int:
        """Words of the RAM with two tokens, or twice two; 0 where blocks go from the stream to the elements."""
        return 0 if self.sparse and not self.replay else 2 * self.layer.n_in

    @cached_property
    def first_slots(self) -> int:
        """Slots of the queue for results of the first of two tokens, while those of the second before it leave."""
        outputs = self.layer.n_out
        if outputs <= 192:
            return SHIFT_REGISTER if outputs <= 128 else 2 * SHIFT_REGISTER
        # Results of each token come at most every other cycle, while one of the second token leaves in every cycle.
        return SHIFT_REGISTER * math.ceil((outputs / 2 + RESERVED_SLOTS) / SHIFT_REGISTER)

    @property
    def second_slots(self) -> int:
        """Slots of the queue for results of the second token, all of which wait until the first one's have left."""
        return self.layer.n_out + self.first_slots

    # Delays

    @property
    def addition_delay(self) -> int:
        """Cycles from a step to its addition: memories and leaf, a shift or a product, an odd factor."""
        return (2 if self.element == "bucket" else 3) + (self.widths.factor > 0)

    @property
    def finish_early(self) -> int:
        """Results of a group that need not be chosen yet when the work on the next group may end."""
        return min(FINISH_EARLY, self.elements - 1)

    @property
    def move_early(self) -> int:
        """Results of a group that need not be chosen yet when those of the next group move up to be read out."""
        return min(MOVE_EARLY, self.elements - 1)

    @cached_property
    def read_out_levels(self) -> int:
        """Levels of registers that combine the results of all elements into one."""
        levels, words = 1, math.ceil(self.elements / FAN_IN)
        while words > 1:
            levels, words = levels + 1, math.ceil(words / FAN_IN)
        return levels

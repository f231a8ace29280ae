"""Clocks of the linear layer's twin.

With ``pe`` elements a token has ``groups = ceil(n_out / pe)`` groups of outputs, worked on one after the other, a step
a clock; ``powers`` counts the powers of two from the layer's lowest to its highest one. ::

    steps    = n_in, or sparse 8 for every 16 inputs
    drain    = powers for the element bucket, else 1
    addition = clocks from a step to its addition: 2 for bucket, 3 for shift and dsp,
               and 1 more with mantissa bits, but for dsp
    load     = n_in clocks a token, while the token before is worked on
    work     = steps + drain clocks a group
    write    = pe clocks a group, while the next one is worked on; a group's last clock waits until the group before
               is nearly read out, so that groups are ``apart`` clocks apart at least
    apart    = pe + addition - 2 (for pe up to 3, addition + 2)

Dense, where the stream never waits: ``interval = groups * max(steps + drain, apart)`` a token.

Sparse, groups are worked on in chunks of up to ``32 >> bit_length(powers)``, block by block of 16 inputs: 8 clocks a
group of the chunk, but 16 at least, for that many inputs are loaded meanwhile; the last block's groups drain one after
the other, ``8 + drain`` clocks each, or ``apart``. Two ``result_buffers`` let one group wait. These waits depend on
each other; :func:`interval` follows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls_projects.operators.pot_linear.layout import BLOCK, KEPT, Parts, chunks

if TYPE_CHECKING:
    from hls_projects.operators.pot_linear import PotLinear

# Tokens after which the waits repeat themselves.
SETTLED = 6
# From the choice of a sum to its code at the output, but for the levels of the tree that reads it out.
REQUANTIZE = 4
FAN_IN = 6
# Choices before the last one at which the work may go on, and at which waiting results move up.
EARLY, MOVE_EARLY = 3, 1


def powers(operator: PotLinear) -> int:
    """How many powers of two there are from the layer's lowest to its highest."""
    return Parts.of(operator.weights()).powers


def drain(operator: PotLinear) -> int:
    """Clocks after the steps of a group."""
    return powers(operator) if operator.get_nodeattr("element") == "bucket" else 1


def addition(operator: PotLinear) -> int:
    """Clocks from a step to its addition."""
    element = operator.get_nodeattr("element")
    factors = element != "dsp" and operator.size("mantissa_bits") > 0
    return (2 if element == "bucket" else 3) + int(factors)


def interval(operator: PotLinear) -> int:
    """Clocks between two tokens where neither input nor output ever waits."""
    ends = _ends(operator)
    return ends[-1] - ends[-2]


def latency(operator: PotLinear) -> int:
    """Clocks from the first word of the first token to its first result, on a stream without gaps."""
    tree, inputs = 1, -(-operator.size("pe") // FAN_IN)
    while inputs > 1:
        tree, inputs = tree + 1, -(-inputs // FAN_IN)
    move = operator.size("result_buffers") - 1
    return _Clock(operator).first() + addition(operator) + 1 + move + tree + REQUANTIZE


def _ends(operator: PotLinear) -> list[int]:
    clock = _Clock(operator)
    return [clock.token() for _ in range(SETTLED)]


class _Clock:
    """Follows the work of one token after the other.

    A block of inputs is the token, or sparse its 16 inputs once a chunk. It can be loaded from the clock after the
    second last block was released, or the first clock, 0.
    """

    def __init__(self, operator: PotLinear) -> None:
        self.sparse = bool(operator.size("sparse"))
        self.chunks = chunks(operator, powers(operator))
        self.inputs = operator.size("n_in")
        self.drain, self.addition, self.pe = drain(operator), addition(operator), operator.size("pe")
        self.buffers = operator.size("result_buffers")
        self.now = 0
        self.results_free = 0
        self.read_out = -1
        self.loaded = [0]
        self.released = [-1, -1]
        self.tokens_loaded = [0]
        self.tokens_released = [-1, -1]
        self.captures: list[int] = []

    def first(self) -> int:
        """The last clock of the first group."""
        self.token()
        return self.captures[0]

    def token(self) -> int:
        """Work on a token; its last clock."""
        if not self.sparse:
            self._load(self.inputs, 0)
            for _ in self.chunks:
                self.now += self.inputs
                released = self.now - 1
                self._drain()
            self.released.append(released)
            return self.captures[-1]
        whole = self._load_token() if len(self.chunks) > 1 else 0
        blocks = self.inputs // BLOCK
        for banks in self.chunks:
            for block in range(blocks):
                self._load(BLOCK, whole)
                for _ in range(banks):
                    self.now += KEPT
                    released = self.now - 1
                    if block == blocks - 1:
                        self._drain()
                self.released.append(released - (len(self.chunks) > 1))
        if len(self.chunks) > 1:
            self.tokens_released.append(self.loaded[-1] - 1)
        return self.captures[-1]

    def _load_token(self) -> int:
        """The clock from which on the blocks of a token can be loaded."""
        start = max(self.tokens_loaded[-1], self.tokens_released[-2] + 1)
        self.tokens_loaded.append(start + self.inputs)
        return self.tokens_loaded[-1]

    def _load(self, words: int, earliest: int) -> None:
        """Wait for a block; through the token's RAM it comes a clock later."""
        start = max(self.loaded[-1], self.released[-2] + 1, earliest)
        self.loaded.append(start + words)
        self.now = max(self.now, self.loaded[-1] + (earliest > 0))

    def _drain(self) -> None:
        last = max(self.now + self.drain - 1, self.results_free)
        self.captures.append(last)
        self.now = last + 1
        known = last + self.addition
        if self.buffers == 1:
            self.read_out = known + self.pe
            told = self.read_out - min(EARLY, self.pe - 1)
        else:
            told = max(known, self.read_out - min(EARLY, self.pe - 1))
            moved = max(known, self.read_out - min(MOVE_EARLY, self.pe - 1))
            self.read_out = moved + 1 + self.pe
        self.results_free = told + 1

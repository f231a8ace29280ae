"""Cycles of the linear layer, those of its twin in Verilog.

A token has ``groups = ceil(n_out / pe)`` groups of outputs, worked on one after the other, a step a cycle, or two
tokens have them with ``parallel_tokens``; ``powers`` counts the powers of two from the layer's lowest to its highest
one. ::

    steps    = ceil(n_in / simd), or sparse 8 for every 16 inputs
    drain    = powers for the element bucket, else 1
    addition = cycles from a step to its addition: 2 for bucket, 3 for shift and dsp,
               and 1 more with mantissa bits, but for dsp
    elements = pe * parallel_tokens
    load     = n_in cycles a token, while the token or the two before are worked on
    multiply = steps + drain cycles a group
    write    = elements cycles a group, while the next one is worked on, whose last cycle waits until this one is
               nearly read out; with two ``result_buffers`` the next group can be done meanwhile
    leave    = n_out cycles a token, of two: the first one's results leave as they come, the second one's after them
    apart    = elements + addition - 2 (for up to 3, addition + 2), with two buffers elements: the least between groups

Dense, where the stream never waits, a token, or two, take ``groups * max(steps + drain, apart)`` cycles.

Sparse, groups are worked on in chunks of up to ``32 >> bit_length(powers)``, block by block of 16 inputs: 8 cycles a
group of the chunk, but 16 at least, for that many inputs are loaded meanwhile; the last block's groups drain one after
the other. Where there is more than one chunk, or two tokens, the blocks are loaded from the token for each chunk, and
where a chunk could have four groups it has two, which drain beside the next one's work: the first before its first
block, the second half-way through. Only those of a token's last chunk drain in its last block.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hls_projects.dataflow.patterns import Ports, around, block_of, stretch, timetable
from hls_projects.dataflow.program import Program, Read, Repeat, Together, Wait, Write, claim, fill, free, take
from hls_projects.operators.base import Stage
from hls_projects.operators.pot_linear.layout import BLOCK, KEPT, LEAST_ROOM, beside, chunks, first_places, order

if TYPE_CHECKING:
    from hls_projects.operators.pot_linear import PotLinear

# From the choice of a sum to its code at the output, but for the levels of the tree that reads it out.
REQUANTIZE = 4
FAN_IN = 6
# Choices before the last one at which the work may go on, and at which waiting results move up.
EARLY, MOVE_EARLY = 3, 1
# Blocks of one buffer: registers that the elements write into.
SINGLE_BLOCKS = ("groups", "results")
# Of the results of each of two tokens.
QUEUES = ("first", "second")
# Codes of the first of two tokens on their way to its queue when that is full, but for the one that the FIFO holds.
ON_THEIR_WAY = 3
# Tokens after which one takes as long as the next.
STEADY = 4


def powers(operator: PotLinear) -> int:
    """How many powers of two there are from the layer's lowest to its highest."""
    return operator.powers


def drain(operator: PotLinear) -> int:
    """Cycles after the steps of a group."""
    return powers(operator) if operator.element == "bucket" else 1


def addition(operator: PotLinear) -> int:
    """Cycles from a step to its addition."""
    factors = operator.element != "dsp" and operator.size("mantissa_bits") > 0
    return (2 if operator.element == "bucket" else 3) + int(factors)


def elements(operator: PotLinear) -> int:
    """Outputs that are worked on in parallel, of all tokens."""
    return operator.size("pe") * operator.size("parallel_tokens")


def late(operator: PotLinear) -> bool:
    """Whether the blocks of a sparse layer are loaded from its RAM of tokens, not from the stream."""
    several = operator.size("parallel_tokens") > 1 or len(chunks(operator, powers(operator))) > 1
    return bool(operator.size("sparse")) and several


def buffers(operator: PotLinear, block: str) -> int:
    """Buffers of a block between two stages, see :meth:`hls_projects.operators.HardwareOperator.buffers`."""
    if block in SINGLE_BLOCKS:
        return 1
    if block == "first":
        return first_places(operator) - LEAST_ROOM + ON_THEIR_WAY
    return operator.size("n_out") + first_places(operator) if block == "second" else 2


def output_latency(operator: PotLinear) -> int:
    """Cycles from the choice of a result to the word in the FIFO, but for those of the stage ``write``.

    With two tokens a result has them behind it when it is in its queue, from which it leaves.
    """
    return _until_written(operator) if operator.size("parallel_tokens") == 1 else 1


def block_latency(operator: PotLinear, block: str) -> int:
    """See :meth:`hls_projects.operators.HardwareOperator.block_latency`: of results on their way to their queue."""
    return _until_written(operator) - 2 if block in QUEUES else 0


def _until_written(operator: PotLinear) -> int:
    tree, inputs = 1, math.ceil(elements(operator) / FAN_IN)
    while inputs > 1:
        tree, inputs = tree + 1, math.ceil(inputs / FAN_IN)
    moved = 1 if operator.size("result_buffers") == 2 else addition(operator) - _before(operator)
    return moved + int(late(operator)) + tree + REQUANTIZE


def stages(operator: PotLinear) -> tuple[Stage, ...]:
    """See :meth:`hls_projects.operators.HardwareOperator.stages`.

    ``again`` is there where blocks are loaded from the RAM of tokens, ``move`` where results are buffered, and
    ``leave`` with two tokens.
    """
    multiply = _sparse(operator) if operator.size("sparse") else _dense(operator)
    programs = {**_load(operator), "multiply": multiply, **_read_out(operator)}
    times = operator.size("n_tokens") // operator.size("parallel_tokens")
    return tuple(Stage(name, (Repeat(times, program),)) for name, program in programs.items())


def _load(operator: PotLinear) -> dict[str, Program]:
    inputs = operator.size("n_in")
    whole = block_of(inputs * operator.size("parallel_tokens"), (Read("in0"),), "tokens")
    if not operator.size("sparse"):
        return {"load": whole}
    blocks, times = math.ceil(inputs / BLOCK), len(chunks(operator, powers(operator)))
    if not late(operator):
        sizes = [min(BLOCK, inputs - first) for first in range(0, inputs, BLOCK)]
        return {"load": tuple(step for size in sizes for step in block_of(size, (Read("in0"),), "inputs"))}

    def block(first: Ports, last: Ports) -> Program:
        return stretch(BLOCK, first=(*first, claim("inputs")), last=(*last, fill("inputs")))

    return {"load": whole, "again": around(times * blocks, block, (take("tokens"),), (free("tokens"),))}


def _dense(operator: PotLinear) -> Program:
    work = math.ceil(operator.size("n_in") / operator.size("simd"))

    def group(first: Ports, last: Ports) -> Program:
        return (*_group(operator, work, first, last), *_wait(_apart(operator) - work - drain(operator)))

    return around(operator.n_groups, group, (take("tokens"),), (free("tokens"),))


def _sparse(operator: PotLinear) -> Program:
    if beside(operator, powers(operator)):
        return _sparse_beside(operator)
    work = max(KEPT, operator.block_nonzeros)
    begin, end = (take("inputs"),), (free("inputs"),)
    blocks = math.ceil(operator.size("n_in") / BLOCK)
    program: Program = ()
    for banks in chunks(operator, powers(operator)):
        before = (*stretch(work * banks, first=begin, last=end), *_wait(BLOCK - work * banks))
        program = (*program, Repeat(blocks - 1, before))
        pauses = [*_pauses(operator, [work + drain(operator)] * (banks - 1)), 0]
        for bank in range(banks):
            last = bank == banks - 1
            program = (*program, *_group(operator, work, begin * (bank == 0), end * last), *_wait(pauses[bank]))
    return program


def _sparse_beside(operator: PotLinear) -> Program:
    work, blocks = max(KEPT, operator.block_nonzeros), math.ceil(operator.size("n_in") / BLOCK)
    begin, end = (take("inputs"),), (free("inputs"),)
    *split, last = chunks(operator, powers(operator))
    half_way = blocks // 2

    def steps(banks: int, count: int) -> Program:
        return (Repeat(count, stretch(work * banks, first=begin, last=end)),)

    program: Program = ()
    before: Program = ()
    for banks in split:
        program = (*program, *before, *steps(banks, half_way), *before, *steps(banks, blocks - half_way))
        before = _drain(operator)
    program = (*program, *before, *steps(last, half_way), *before, *steps(last, blocks - half_way - 1))
    for bank in range(last):
        program = (*program, *_group(operator, work, begin * (bank == 0), end * (bank == last - 1)))
    return program


def cycles(operator: PotLinear) -> int:
    """Cycles of an image with what no stage tells by itself: what the stages wait for one another."""
    pairs = operator.size("n_tokens") // operator.size("parallel_tokens")
    waited = _token_beside(operator) if beside(operator, powers(operator)) else 0
    return pairs * max(waited, _leaving(operator) if operator.size("parallel_tokens") > 1 else 0)


def _leaving(operator: PotLinear) -> int:
    """Cycles in which the results of two tokens leave where they are read out as fast as can be.

    While the second token's leave, the next first one's fill their queue; the rest then leaves as it comes.
    """
    outputs = operator.size("n_out")
    way = block_latency(operator, "first")
    return outputs + max(outputs, 2 * (outputs - buffers(operator, "first")) + way + 1)


def _token_beside(operator: PotLinear) -> int:
    """Cycles of a token, or of two, whose groups are drained beside the next ones' work, with all that it waits for."""
    work, blocks = max(KEPT, operator.block_nonzeros), math.ceil(operator.size("n_in") / BLOCK)
    clock, ends = Clock(operator), []
    for _ in range(STEADY):
        for _, block in order(operator, blocks):
            if block is None:
                clock.drain()
            else:
                clock.work(block, work)
        ends.append(clock.now)
    return ends[-1] - ends[-2]


class Clock:
    """When the work on blocks of inputs and groups of outputs ends."""

    def __init__(self, operator: PotLinear) -> None:
        self.now = self.worked = self.loaded = 0
        self.block: int | None = None
        self.released = [0, 0]
        self.drains, self.apart, self.buffers = drain(operator), _apart(operator), operator.size("result_buffers")
        self.read = -self.apart

    def work(self, block: int, cycles: int) -> None:
        """A group's steps on a block; another one than before is loaded while that of two before is free."""
        if block != self.block:
            if self.block is not None:
                self.released = [self.released[1], self.worked]
            self.block = block
            self.loaded = max(self.loaded, self.released[0]) + BLOCK
            self.now = max(self.now, self.loaded)
        self.now += cycles
        self.worked = self.now

    def drain(self) -> None:
        """A group's drain, whose last cycle waits for a place for the results."""
        self.now = max(self.now + self.drains, self.read + (self.apart if self.buffers == 1 else 1))
        self.read = self.now if self.buffers == 1 else max(self.now, self.read + self.apart)


def _group(operator: PotLinear, work: int, first: Ports, last: Ports) -> Program:
    """The steps of a group, beside whose first and last one ``first`` and ``last`` move, and its drain."""
    return (*stretch(work, first=first, last=last), *_drain(operator))


def _drain(operator: PotLinear) -> Program:
    return stretch(drain(operator), last=(claim("groups"), fill("groups")))


def _pauses(operator: PotLinear, gaps: list[int]) -> list[int]:
    """What groups that are done so many cycles after the one before wait for the read-out of results.

    With a second buffer the results of one more group can be there before they are read out.
    """
    if operator.size("result_buffers") == 1:
        return [max(_apart(operator) - gap, 0) for gap in gaps]
    pauses, done, read = [], 0, 0
    for gap in gaps:
        pauses.append(max(read + 1 - done - gap, 0) if pauses else 0)
        done += gap + pauses[-1]
        read = max(done, read + _apart(operator))
    return pauses


def _wait(count: int) -> Program:
    return (Wait(count),) if count > 0 else ()


def _early(operator: PotLinear, most: int) -> int:
    """Results that need not be read out yet when the next ones come."""
    return min(most, elements(operator) - 1)


def _apart(operator: PotLinear) -> int:
    """Cycles between two groups at least."""
    if operator.size("result_buffers") == 2:
        return elements(operator) + 1 - _early(operator, MOVE_EARLY)
    return elements(operator) + addition(operator) + 1 - _early(operator, EARLY)


def _read_out(operator: PotLinear) -> dict[str, Program]:
    count, added = elements(operator), addition(operator)
    leave = _leave(operator) if operator.size("parallel_tokens") > 1 else {}
    if operator.size("result_buffers") == 1:
        before = _before(operator)
        place = added + count - _early(operator, EARLY) - 1
        return {"write": _write(operator, before, {0: (take("groups"),), place: (free("groups"),)}), **leave}
    ends = free("groups"), claim("results"), fill("results")
    move = Repeat(operator.n_groups, stretch(added, first=(take("groups"),), last=ends))
    place = count - 1 - _early(operator, EARLY)
    write = _write(operator, 0, {0: (take("results"),), place: (free("results"),)})
    return {"move": (move,), "write": write, **leave}


def _leave(operator: PotLinear) -> dict[str, Program]:
    """The results of two tokens, one token after the other."""
    queues = (Together((take(queue), free(queue), Write("out"))) for queue in ("first", "second"))
    return {"leave": tuple(Repeat(operator.size("n_out"), (step,)) for step in queues)}


def _before(operator: PotLinear) -> int:
    """Cycles of the stage ``write`` before a group's first result."""
    if operator.size("result_buffers") == 2:
        return 0
    return max(addition(operator) - _early(operator, EARLY), 0)


def _write(operator: PotLinear, before: int, blocks: dict[int, Ports]) -> Program:
    """``before`` cycles and those of the results of a group, and what moves of ``blocks`` in which of them."""
    pe, groups, tokens = operator.size("pe"), operator.n_groups, operator.size("parallel_tokens")
    single = operator.out_word() == 1
    queues = [(claim(queue), fill(queue)) for queue in ("first", "second")] if tokens > 1 else [(Write("out"),)]

    def group(codes: int, logits: Ports = ()) -> Program:
        """``codes`` results of every token, the others missing; ``logits`` move in the clock after the last one."""
        writes = {before + clock: queues[clock % tokens] for clock in range(codes * tokens)} if single else {}
        moves = writes | {before + codes * tokens: logits}
        return timetable(before + pe * tokens, *(moves, blocks))

    last = group(operator.size("n_out") - pe * (groups - 1), () if single else (Write("out"),))
    return (Repeat(groups - 1, group(pe)), *last)

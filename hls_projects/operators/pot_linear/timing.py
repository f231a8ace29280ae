"""Clocks of the linear layer, those of its twin in Verilog.

With ``pe`` elements a token has ``groups = ceil(n_out / pe)`` groups of outputs, worked on one after the other, a step
a clock; ``powers`` counts the powers of two from the layer's lowest to its highest one. ::

    steps    = ceil(n_in / simd), or sparse 8 for every 16 inputs
    drain    = powers for the element bucket, else 1
    addition = clocks from a step to its addition: 2 for bucket, 3 for shift and dsp,
               and 1 more with mantissa bits, but for dsp
    load     = n_in clocks a token, while the token before is worked on
    multiply = steps + drain clocks a group
    write    = pe clocks a group, while the next one is worked on, whose last clock waits until this one is nearly
               read out; with two ``result_buffers`` the next group can be done meanwhile
    apart    = pe + addition - 2 (for pe up to 3, addition + 2), with two buffers pe: the least between two groups

Dense, where the stream never waits, a token takes ``groups * max(steps + drain, apart)`` clocks.

Sparse, groups are worked on in chunks of up to ``32 >> bit_length(powers)``, block by block of 16 inputs: 8 clocks a
group of the chunk, but 16 at least, for that many inputs are loaded meanwhile; the last block's groups drain one after
the other. Where there is more than one chunk, the blocks are loaded again from the token for each of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hls_projects.dataflow.program import Program, Read, Repeat, Wait, Write, claim, fill, free, take
from hls_projects.operators.base import Ports, Stage, around, block_of, clocks, moving
from hls_projects.operators.pot_linear.layout import BLOCK, KEPT, chunks

if TYPE_CHECKING:
    from hls_projects.operators.pot_linear import PotLinear

# From the choice of a sum to its code at the output, but for the levels of the tree that reads it out.
REQUANTIZE = 4
FAN_IN = 6
# Choices before the last one at which the work may go on, and at which waiting results move up.
EARLY, MOVE_EARLY = 3, 1
# Blocks of one buffer: registers that the elements write into.
SINGLE_BLOCKS = ("groups", "results")


def powers(operator: PotLinear) -> int:
    """How many powers of two there are from the layer's lowest to its highest."""
    return operator.powers


def drain(operator: PotLinear) -> int:
    """Clocks after the steps of a group."""
    return powers(operator) if operator.element == "bucket" else 1


def addition(operator: PotLinear) -> int:
    """Clocks from a step to its addition."""
    factors = operator.element != "dsp" and operator.size("mantissa_bits") > 0
    return (2 if operator.element == "bucket" else 3) + int(factors)


def output_latency(operator: PotLinear) -> int:
    """Clocks from the choice of a result to the word in the FIFO, but for those of the stage ``write``."""
    tree, inputs = 1, math.ceil(operator.size("pe") / FAN_IN)
    while inputs > 1:
        tree, inputs = tree + 1, math.ceil(inputs / FAN_IN)
    moved = 1 if operator.size("result_buffers") == 2 else addition(operator) - _before(operator)
    again = int(bool(operator.size("sparse")) and len(chunks(operator, powers(operator))) > 1)
    return moved + again + tree + REQUANTIZE


def stages(operator: PotLinear) -> tuple[Stage, ...]:
    """See :meth:`hls_projects.operators.HardwareOperator.stages`.

    ``again`` is there where the blocks of a token are loaded more than once, ``move`` where results are buffered.
    """
    multiply = _sparse(operator) if operator.size("sparse") else _dense(operator)
    programs = {**_load(operator), "multiply": multiply, **_read_out(operator)}
    return tuple(Stage(name, (Repeat(operator.size("n_tokens"), program),)) for name, program in programs.items())


def _load(operator: PotLinear) -> dict[str, Program]:
    inputs, whole = operator.size("n_in"), block_of(operator.size("n_in"), (Read("in0"),), "tokens")
    if not operator.size("sparse"):
        return {"load": whole}
    blocks, times = math.ceil(inputs / BLOCK), len(chunks(operator, powers(operator)))
    if times == 1:
        sizes = [min(BLOCK, inputs - first) for first in range(0, inputs, BLOCK)]
        return {"load": tuple(step for size in sizes for step in block_of(size, (Read("in0"),), "inputs"))}

    def block(first: Ports, last: Ports) -> Program:
        return clocks(BLOCK, first=(*first, claim("inputs")), last=(*last, fill("inputs")))

    return {"load": whole, "again": around(times * blocks, block, (take("tokens"),), (free("tokens"),))}


def _apart(operator: PotLinear) -> int:
    """Clocks between two groups at least, for the results of the first one have to be nearly read out."""
    pe = operator.size("pe")
    if operator.size("result_buffers") == 2:
        return pe
    return pe + addition(operator) + 1 - _early(operator)


def _early(operator: PotLinear) -> int:
    """Clocks before the last result is chosen in which the next results may come."""
    return min(EARLY, operator.size("pe") - 1)


def _dense(operator: PotLinear) -> Program:
    work = math.ceil(operator.size("n_in") / operator.size("simd"))

    def group(first: Ports, last: Ports) -> Program:
        return (*_group(operator, work, first, last), *_pause(operator, work))

    return around(operator.n_groups, group, (take("tokens"),), (free("tokens"),))


def _sparse(operator: PotLinear) -> Program:
    work = max(KEPT, operator.block_nonzeros)
    begin, end = (take("inputs"),), (free("inputs"),)
    blocks = math.ceil(operator.size("n_in") / BLOCK)
    program: Program = ()
    for banks in chunks(operator, powers(operator)):
        before = (*clocks(work * banks, first=begin, last=end), *_wait(BLOCK - work * banks))
        program = (*program, Repeat(blocks - 1, before))
        for bank in range(banks):
            last = bank == banks - 1
            # A second buffer takes the results of groups that come faster than they are read out, for a while.
            pause = () if last or operator.size("result_buffers") == 2 else _pause(operator, work)
            program = (*program, *_group(operator, work, begin * (bank == 0), end * last), *pause)
    return program


def _group(operator: PotLinear, work: int, first: Ports, last: Ports) -> Program:
    """The steps of a group, beside whose first and last one ``first`` and ``last`` move, and its drain."""
    return (*clocks(work, first=first, last=last), *clocks(drain(operator), last=(claim("groups"), fill("groups"))))


def _pause(operator: PotLinear, work: int) -> Program:
    """What groups that follow each other wait for the results to be read out."""
    return _wait(_apart(operator) - work - drain(operator))


def _wait(count: int) -> Program:
    return (Wait(count),) if count > 0 else ()


def _early(operator: PotLinear, most: int) -> int:
    """Results that need not be read out yet when the next ones come."""
    return min(most, operator.size("pe") - 1)


def _apart(operator: PotLinear) -> int:
    """Clocks between two groups at least."""
    pe = operator.size("pe")
    if operator.size("result_buffers") == 2:
        return pe + 1 - _early(operator, MOVE_EARLY)
    return pe + addition(operator) + 1 - _early(operator, EARLY)


def _read_out(operator: PotLinear) -> dict[str, Program]:
    pe, added = operator.size("pe"), addition(operator)
    if operator.size("result_buffers") == 1:
        before = _before(operator)
        place = added + pe - _early(operator, EARLY) - 1
        return {"write": _write(operator, before, {0: (take("groups"),), place: (free("groups"),)})}
    ends = free("groups"), claim("results"), fill("results")
    move = Repeat(operator.n_groups, clocks(added, first=(take("groups"),), last=ends))
    place = pe - 1 - _early(operator, MOVE_EARLY)
    return {"move": (move,), "write": _write(operator, 0, {0: (take("results"),), place: (free("results"),)})}


def _before(operator: PotLinear) -> int:
    """Clocks of the stage ``write`` before a group's first result."""
    if operator.size("result_buffers") == 2:
        return 0
    return max(addition(operator) - _early(operator, EARLY), 0)


def _write(operator: PotLinear, before: int, blocks: dict[int, Ports]) -> Program:
    """``before`` clocks and those of ``pe`` results a group, and what moves of ``blocks`` in which of them."""
    pe, groups = operator.size("pe"), operator.n_groups
    single = operator.out_word() == 1

    def group(codes: int, logits: Ports = ()) -> Program:
        """``codes`` results, the others missing; ``logits`` move in the clock after the last one."""
        writes = {clock: (Write("out"),) for clock in range(before, before + codes)} if single else {}
        moves = writes | {before + codes: logits}
        return moving(before + pe, *(moves, blocks))

    last = group(operator.size("n_out") - pe * (groups - 1), () if single else (Write("out"),))
    return (Repeat(groups - 1, group(pe)), *last)

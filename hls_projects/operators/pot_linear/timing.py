"""Clocks of the linear layer, those of its twin in Verilog.

With ``pe`` elements a token has ``groups = ceil(n_out / pe)`` groups of outputs, worked on one after the other, a step
a clock; ``powers`` counts the powers of two from the layer's lowest to its highest one. ::

    steps    = ceil(n_in / simd), or sparse 8 for every 16 inputs
    drain    = powers for the element bucket, else 1
    addition = clocks from a step to its addition: 2 for bucket, 3 for shift and dsp,
               and 1 more with mantissa bits, but for dsp
    load     = n_in clocks a token, while the token before is worked on
    multiply = steps + drain clocks a group
    write    = addition + pe clocks a group, while the next one is worked on, whose last clock waits for the end;
               with two ``result_buffers`` 1 + pe, and the next group can be done meanwhile

Dense, where the stream never waits, a token takes ``groups * max(steps + drain, pe + addition + 1)`` clocks.

Sparse, groups are worked on in chunks of up to ``32 >> bit_length(powers)``, block by block of 16 inputs: 8 clocks a
group of the chunk, but 16 at least, for that many inputs are loaded meanwhile; the last block's groups drain one after
the other. Where there is more than one chunk, the blocks are loaded again from the token for each of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hls_projects.dataflow.program import Program, Read, Repeat, Write, claim, fill, free, take
from hls_projects.operators.base import Ports, Stage, around, block_of, clocks
from hls_projects.operators.pot_linear.layout import BLOCK, KEPT, chunks

if TYPE_CHECKING:
    from hls_projects.operators.pot_linear import PotLinear

# From the choice of a sum to its code at the output, but for the levels of the tree that reads it out.
REQUANTIZE = 4
FAN_IN = 6
# Blocks of one buffer: registers that the elements write into.
SINGLE_BLOCKS = ("groups", "results")


def powers(operator: PotLinear) -> int:
    """How many powers of two there are from the layer's lowest to its highest."""
    weights = np.abs(operator.weights())
    units = (weights & -weights)[weights > 0]
    return int(units.max() // units.min()).bit_length() if units.size else 1


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
    moved = int(operator.size("result_buffers") == 2)
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
        return {"load": (Repeat(blocks, block_of(BLOCK, (Read("in0"),), "inputs")),)}

    def block(first: Ports, last: Ports) -> Program:
        return clocks(BLOCK, first=(*first, claim("inputs")), last=(*last, fill("inputs")))

    return {"load": whole, "again": around(times * blocks, block, (take("tokens"),), (free("tokens"),))}


def _dense(operator: PotLinear) -> Program:
    steps = math.ceil(operator.size("n_in") / operator.size("simd"))

    def group(first: Ports, last: Ports) -> Program:
        return _group(operator, steps, first, last)

    return around(operator.n_groups, group, (take("tokens"),), (free("tokens"),))


def _sparse(operator: PotLinear) -> Program:
    steps = max(KEPT, operator.block_nonzeros)

    def group(first: Ports, last: Ports) -> Program:
        return _group(operator, steps, first, last)

    begin, end = (take("inputs"),), (free("inputs"),)
    blocks = math.ceil(operator.size("n_in") / BLOCK)
    program: Program = ()
    for banks in chunks(operator, powers(operator)):
        before = Repeat(blocks - 1, clocks(steps * banks, first=begin, last=end))
        program = (*program, before, *around(banks, group, begin, end))
    return program


def _group(operator: PotLinear, steps: int, first: Ports, last: Ports) -> Program:
    """The steps of a group, beside whose first and last one ``first`` and ``last`` move, and its drain."""
    return (*clocks(steps, first=first, last=last), *clocks(drain(operator), last=(claim("groups"), fill("groups"))))


def _read_out(operator: PotLinear) -> dict[str, Program]:
    if operator.size("result_buffers") == 1:
        return {"write": _write(operator, clocks(addition(operator), first=(take("groups"),)), free("groups"))}
    ends = free("groups"), claim("results"), fill("results")
    move = Repeat(operator.n_groups, clocks(addition(operator) + 1, first=(take("groups"),), last=ends))
    return {"move": (move,), "write": _write(operator, (), free("results"), take("results"))}


def _write(operator: PotLinear, begin: Program, end: Read, start: Read | None = None) -> Program:
    """``pe`` clocks a group.

    Args:
        begin: what comes before them.
        start, end: what moves beside the first and the last of them.
    """
    pe, groups = operator.size("pe"), operator.n_groups
    single = operator.out_word() == 1
    first = () if start is None else (start,)
    every = (Write("out"),) if single else ()

    def group(codes: int, after: Ports = ()) -> Program:
        """``codes`` results, then idle clocks; ``after`` moves in the clock after the last result."""
        if codes == pe:
            return (*begin, *clocks(pe, every, first=first, last=(end,)), *after)
        return (*begin, *clocks(codes, every, first=first), *clocks(pe - codes, first=after, last=(end,)))

    last = group(operator.size("n_out") - pe * (groups - 1), () if single else (Write("out"),))
    return (Repeat(groups - 1, group(pe)), *last)

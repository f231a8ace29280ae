"""Stages of the linear layer's C++ kernel, which loads whole tokens and hands over whole groups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hls_projects.dataflow.program import Program, Read, Repeat, Write, claim, fill, free, take
from hls_projects.operators.base import Ports, Stage, around, block_of, clocks

if TYPE_CHECKING:
    from hls_projects.operators.pot_linear import PotLinear


def kernel_stages(operator: PotLinear) -> tuple[Stage, ...]:
    """See :meth:`hls_projects.operators.HardwareOperator.kernel_stages`; the cycles are those of the header."""
    load = block_of(operator.size("n_in"), (Read("in0"),), "tokens")
    programs = {"load": load, "multiply": _multiply(operator), "write": _write(operator)}
    return tuple(Stage(name, (Repeat(operator.size("n_tokens"), program),)) for name, program in programs.items())


def _multiply(operator: PotLinear) -> Program:
    buckets = 2 ** operator.size("exponent_bits") - 1 if operator.element == "bucket" else 0
    cycles = math.ceil(operator.n_steps / operator.size("simd")) + buckets

    def group(first: Ports, last: Ports) -> Program:
        return clocks(cycles, first=first, last=(claim("groups"), *last, fill("groups")))

    return around(operator.n_groups, group, (take("tokens"),), (free("tokens"),))


def _write(operator: PotLinear) -> Program:
    output = (Write("out"),)
    every, logits = (output, ()) if operator.out_word() == 1 else ((), output)

    def group(outputs: int, last: Ports) -> Program:
        return clocks(outputs, every, first=(take("groups"),), last=(*last, free("groups")))

    pe, groups = operator.size("pe"), operator.n_groups
    return (Repeat(groups - 1, group(pe, ())), *group(operator.size("n_out") - pe * (groups - 1), logits))

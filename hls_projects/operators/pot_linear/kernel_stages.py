"""Stages of the linear layer's C++ kernel, which loads whole tokens and hands over whole groups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hls_projects.dataflow.patterns import Ports, around, block_of, stretch, timetable
from hls_projects.dataflow.program import Program, Read, Repeat, Write, claim, fill, free, take
from hls_projects.operators.base import Stage

if TYPE_CHECKING:
    from hls_projects.operators.pot_linear import PotLinear


def kernel_stages(operator: PotLinear) -> tuple[Stage, ...]:
    """See :meth:`hls_projects.operators.HardwareOperator.kernel_stages`; the cycles are those of the header."""
    tokens = operator.size("parallel_tokens")
    load = block_of(tokens * operator.size("n_in"), (Read("in0"),), "tokens")
    programs = {"load": load, "multiply": _multiply(operator), "write": _write(operator)}
    times = operator.size("n_tokens") // tokens
    return tuple(Stage(name, (Repeat(times, program),)) for name, program in programs.items())


def _multiply(operator: PotLinear) -> Program:
    buckets = 2 ** operator.size("exponent_bits") - 1 if operator.element == "bucket" else 0
    cycles = math.ceil(operator.n_steps / operator.size("simd")) + buckets

    def group(first: Ports, last: Ports) -> Program:
        return stretch(cycles, first=first, last=(claim("groups"), *last, fill("groups")))

    return around(operator.n_groups, group, (take("tokens"),), (free("tokens"),))


def _write(operator: PotLinear) -> Program:
    output = (Write("out"),)
    every, logits = (output, ()) if operator.out_word() == 1 else ((), output)
    tokens, outputs = operator.size("parallel_tokens"), operator.size("n_out")

    def group(count: int, last: Ports) -> Program:
        first_token = dict.fromkeys(range(0, tokens * count, tokens), every)
        return timetable(1, first_token, {0: (take("groups"),)}, {tokens * count - 1: (*last, free("groups"))})

    pe, groups = operator.size("pe"), operator.n_groups
    waited = Repeat((tokens - 1) * outputs, output)
    return (Repeat(groups - 1, group(pe, ())), *group(outputs - pe * (groups - 1), logits), waited)

"""Stages of the linear layer's C++ kernel, which loads whole tokens and hands over whole groups."""

from __future__ import annotations

import math

from hls_projects.dataflow.patterns import Ports, Stage, around, block_of, stretch, timetable
from hls_projects.dataflow.program import Program, Read, Repeat, Write, claim, fill, free, take
from hls_projects.operators.pot_linear.geometry import Geometry


def kernel_stages(geometry: Geometry) -> tuple[Stage, ...]:
    """See :meth:`hls_projects.operators.HardwareOperator.kernel_stages`; the cycles are those of the header."""
    layer, tokens = geometry.layer, geometry.tokens
    load = block_of(tokens * layer.n_in, (Read("in0"),), "tokens")
    programs = {"load": load, "multiply": _multiply(geometry), "write": _write(geometry)}
    times = layer.n_tokens // tokens
    return tuple(Stage(name, (Repeat(times, program),)) for name, program in programs.items())


def _multiply(geometry: Geometry) -> Program:
    buckets = 2**geometry.layer.exponent_bits - 1 if geometry.element == "bucket" else 0
    cycles = math.ceil(geometry.kernel_steps / geometry.simd) + buckets

    def group(first: Ports, last: Ports) -> Program:
        return stretch(cycles, first=first, last=(claim("groups"), *last, fill("groups")))

    return around(geometry.groups, group, (take("tokens"),), (free("tokens"),))


def _write(geometry: Geometry) -> Program:
    output = (Write("out"),)
    every, logits = (output, ()) if geometry.layer.out_words == 1 else ((), output)
    tokens, outputs = geometry.tokens, geometry.layer.n_out

    def group(count: int, last: Ports) -> Program:
        first_token = dict.fromkeys(range(0, tokens * count, tokens), every)
        return timetable(1, first_token, {0: (take("groups"),)}, {tokens * count - 1: (*last, free("groups"))})

    pe, groups = geometry.pe, geometry.groups
    waited = Repeat((tokens - 1) * outputs, output)
    return (Repeat(groups - 1, group(pe, ())), *group(outputs - pe * (groups - 1), logits), waited)

"""Cycles of the linear layer's Verilog module.

The outputs of a token, or of two tokens together, are worked on group by group; words as in
:mod:`~hls_projects.operators.pot_linear.geometry`. ::

    load      n_in cycles a token, while the token, or the two, before are worked on
    multiply  steps + drain_cycles a group
    write     elements cycles a group, while the next group is worked on; the last cycle of that one's drain waits
              until this one is nearly read out. With two result buffers the next group can be done meanwhile
    leave     n_out cycles a token, with two tokens: the first one's results leave as they come, the second one's
              after them
    interval  elements + addition_delay - 2 (up to three elements: addition_delay + 2) cycles between two groups at
              least, with two result buffers as many as there are elements

A dense layer whose stream never stalls takes ``groups * max(steps + drain_cycles, interval)`` cycles a token, or for
two tokens.

A sparse layer works on the groups of a pass block by block: 8 cycles a group and block, but at least 16 a block,
because the next 16 inputs are loaded meanwhile. The groups drain one after the other in the last block. Where there is
more than one pass, or two tokens, blocks are replayed from a RAM for each pass. Where passes overlap, a pass's two
groups drain while the next pass is worked on: one before its first block, the other half-way through.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from hls_projects.dataflow.patterns import Ports, Stage, around, block_of, stretch, timetable
from hls_projects.dataflow.program import (
    Program,
    Read,
    Repeat,
    Together,
    Wait,
    Write,
    busy_cycles,
    claim,
    fill,
    free,
    take,
)
from hls_projects.operators.pot_linear.geometry import RESERVED_SLOTS, Geometry
from hls_projects.operators.pot_linear.weights import BLOCK

# Cycles from the choice of a result to its code at the output, without the levels of the read-out.
REQUANTIZE = 4
# Blocks with one buffer: registers that the elements write into.
SINGLE_BLOCKS = ("groups", "results")
# Blocks of one result: the queues of each of two tokens.
QUEUES = ("first", "second")
# Codes of the first token on their way to its queue when that is full, without the one that the FIFO holds.
ON_THEIR_WAY = 3
# Tokens after which each takes as long as the one before.
STEADY = 4


def buffers(geometry: Geometry, block: str) -> int:
    """See :meth:`hls_projects.operators.HardwareOperator.buffers`."""
    if block in SINGLE_BLOCKS:
        return 1
    if block == "first":
        return geometry.first_slots - RESERVED_SLOTS + ON_THEIR_WAY
    return geometry.second_slots if block == "second" else 2


def output_latency(geometry: Geometry) -> int:
    """See :meth:`hls_projects.operators.HardwareOperator.output_latency`.

    With two tokens the way of a result is part of the latency of its queue, from which it leaves at once.
    """
    return _until_written(geometry) if geometry.tokens == 1 else 1


def block_latency(geometry: Geometry, block: str) -> int:
    """See :meth:`hls_projects.operators.HardwareOperator.block_latency`: of results on their way to their queue."""
    return _until_written(geometry) - 2 if block in QUEUES else 0


def _until_written(geometry: Geometry) -> int:
    """Cycles from the write of a result in :func:`stages` to its code at the output."""
    moved = 1 if geometry.result_buffers == 2 else geometry.addition_delay - _before_first_result(geometry)
    return moved + int(geometry.replay) + geometry.read_out_levels + REQUANTIZE


def stages(geometry: Geometry) -> tuple[Stage, ...]:
    """See :meth:`hls_projects.operators.HardwareOperator.stages`.

    ``again`` is there where blocks are replayed from the RAM of tokens, ``move`` where results are buffered, and
    ``leave`` with two tokens.
    """
    multiply = _sparse(geometry) if geometry.sparse else _dense(geometry)
    programs = {**_load(geometry), "multiply": multiply, **_read_out(geometry)}
    times = geometry.layer.n_tokens // geometry.tokens
    return tuple(Stage(name, (Repeat(times, program),)) for name, program in programs.items())


def _load(geometry: Geometry) -> dict[str, Program]:
    inputs = geometry.layer.n_in
    whole = block_of(inputs * geometry.tokens, (Read("in0"),), "tokens")
    if not geometry.sparse:
        return {"load": whole}
    if not geometry.replay:
        sizes = [min(BLOCK, inputs - first) for first in range(0, inputs, BLOCK)]
        return {"load": tuple(step for size in sizes for step in block_of(size, (Read("in0"),), "inputs"))}

    def block(first: Ports, last: Ports) -> Program:
        return stretch(BLOCK, first=(*first, claim("inputs")), last=(*last, fill("inputs")))

    times = len(geometry.passes) * geometry.blocks
    return {"load": whole, "again": around(times, block, (take("tokens"),), (free("tokens"),))}


def _dense(geometry: Geometry) -> Program:
    wait = _interval(geometry) - geometry.steps - geometry.drain_cycles

    def group(first: Ports, last: Ports) -> Program:
        return (*_group(geometry, first, last), *_wait(wait))

    return around(geometry.groups, group, (take("tokens"),), (free("tokens"),))


def _sparse(geometry: Geometry) -> Program:
    if geometry.overlap:
        return _sparse_overlapping(geometry)
    steps, begin, end = geometry.steps, (take("inputs"),), (free("inputs"),)
    program: Program = ()
    for groups in geometry.passes:
        block = (*stretch(steps * groups, first=begin, last=end), *_wait(BLOCK - steps * groups))
        program = (*program, Repeat(geometry.blocks - 1, block))
        pauses = [*_pauses(geometry, [steps + geometry.drain_cycles] * (groups - 1)), 0]
        for group, pause in enumerate(pauses):
            last = group == groups - 1
            program = (*program, *_group(geometry, begin * (group == 0), end * last), *_wait(pause))
    return program


def _sparse_overlapping(geometry: Geometry) -> Program:
    blocks, half = geometry.blocks, geometry.blocks // 2
    begin, end = (take("inputs"),), (free("inputs"),)
    *others, last = geometry.passes

    def work(groups: int, count: int) -> Program:
        return (Repeat(count, stretch(geometry.steps * groups, first=begin, last=end)),)

    program: Program = ()
    drain: Program = ()
    for groups in others:
        program = (*program, *drain, *work(groups, half), *drain, *work(groups, blocks - half))
        drain = _drain(geometry)
    program = (*program, *drain, *work(last, half), *drain, *work(last, blocks - half - 1))
    for group in range(last):
        program = (*program, *_group(geometry, begin * (group == 0), end * (group == last - 1)))
    return program


def _group(geometry: Geometry, first: Ports, last: Ports) -> Program:
    """A group's last steps, with ``first`` and ``last`` in the first and the last of them, and its drain."""
    return (*stretch(geometry.steps, first=first, last=last), *_drain(geometry))


def _drain(geometry: Geometry) -> Program:
    return stretch(geometry.drain_cycles, last=(claim("groups"), fill("groups")))


def _wait(count: int) -> Program:
    return (Wait(count),) if count > 0 else ()


def _interval(geometry: Geometry) -> int:
    """Cycles between two groups at least: the time in which one is read out."""
    if geometry.result_buffers == 2:
        return geometry.elements + 1 - geometry.move_early
    return geometry.elements + geometry.addition_delay + 1 - geometry.finish_early


def _pauses(geometry: Geometry, gaps: list[int]) -> list[int]:
    """Cycles that groups wait until the results before them have been read out.

    With a second buffer the results of one more group can be done before.

    Args:
        gaps: cycles in which a group is done after the one before it.
    """
    interval = _interval(geometry)
    if geometry.result_buffers == 1:
        return [max(interval - gap, 0) for gap in gaps]
    pauses, done, read = [], 0, 0
    for gap in gaps:
        pauses.append(max(read + 1 - done - gap, 0) if pauses else 0)
        done += gap + pauses[-1]
        read = max(done, read + interval)
    return pauses


def _before_first_result(geometry: Geometry) -> int:
    """Cycles of the stage ``write`` before a group's first result."""
    if geometry.result_buffers == 2:
        return 0
    return max(geometry.addition_delay - geometry.finish_early, 0)


def _read_out(geometry: Geometry) -> dict[str, Program]:
    elements, delay = geometry.elements, geometry.addition_delay
    leave = _leave(geometry) if geometry.tokens > 1 else {}
    last = elements - 1 - geometry.finish_early
    if geometry.result_buffers == 1:
        before = _before_first_result(geometry)
        blocks = {0: (take("groups"),), delay + last: (free("groups"),)}
        return {"write": _write(geometry, before, blocks), **leave}
    ends = free("groups"), claim("results"), fill("results")
    move = Repeat(geometry.groups, stretch(delay, first=(take("groups"),), last=ends))
    write = _write(geometry, 0, {0: (take("results"),), last: (free("results"),)})
    return {"move": (move,), "write": write, **leave}


def _leave(geometry: Geometry) -> dict[str, Program]:
    """The results of two tokens, one token after the other."""
    queues = (Together((take(queue), free(queue), Write("out"))) for queue in QUEUES)
    return {"leave": tuple(Repeat(geometry.layer.n_out, (step,)) for step in queues)}


def _write(geometry: Geometry, before: int, blocks: dict[int, Ports]) -> Program:
    """The results of every group.

    Args:
        before: cycles before a group's first result.
        blocks: what else moves by cycle of a group.
    """
    pe, groups, tokens = geometry.pe, geometry.groups, geometry.tokens
    single = geometry.layer.out_words == 1
    queues = [(claim(queue), fill(queue)) for queue in QUEUES] if tokens > 1 else [(Write("out"),)]

    def group(codes: int, logits: Ports = ()) -> Program:
        """``codes`` results of every token; ``logits`` move in the cycle after the last one."""
        writes = {before + cycle: queues[cycle % tokens] for cycle in range(codes * tokens)} if single else {}
        return timetable(before + pe * tokens, writes, {before + codes * tokens: logits}, blocks)

    last = group(geometry.layer.n_out - pe * (groups - 1), () if single else (Write("out"),))
    return (Repeat(groups - 1, group(pe)), *last)


@functools.lru_cache(maxsize=1 << 14)
def cycles(geometry: Geometry) -> int:
    """See :meth:`hls_projects.operators.HardwareOperator.cycles`.

    The slowest stage, or longer where stages wait for one another: for blocks and drains of overlapping passes, or
    for results of two tokens that leave one token after the other. The simulation of :func:`stages` gives the same.
    """
    slowest = max(busy_cycles(stage.program) for stage in stages(geometry))
    waiting = _overlapping_token(geometry) if geometry.overlap else 0
    leaving = _leaving(geometry) if geometry.tokens > 1 else 0
    return max(slowest, geometry.layer.n_tokens // geometry.tokens * max(waiting, leaving))


def _leaving(geometry: Geometry) -> int:
    """Cycles in which the results of two tokens leave where they are read out as fast as possible.

    While the second token's leave, the next first one's fill their queue; the rest then leaves as it comes.
    """
    outputs = geometry.layer.n_out
    delay = block_latency(geometry, "first")
    return outputs + max(outputs, 2 * (outputs - buffers(geometry, "first")) + delay + 1)


def _overlapping_token(geometry: Geometry) -> int:
    """Cycles of a token, or of two, with overlapping passes, and with all that they wait for."""
    progress, ends = Progress(geometry), []
    for _ in range(STEADY):
        for _, block in geometry.order:
            if block is None:
                progress.drain()
            else:
                progress.work(block)
        ends.append(progress.now)
    return ends[-1] - ends[-2]


@dataclass
class Progress:
    """When the work on blocks of inputs and groups of outputs ends, in cycles from the first block's load.

    Args:
        now: end of the last work or drain.
        worked: end of the last work; loaded: end of the last block's load.
        block: the last block.
        released: when the two buffers of blocks became free, the older one first.
        read: when the last results began to be read out.
    """

    geometry: Geometry
    now: int = 0
    worked: int = 0
    loaded: int = 0
    block: int | None = None
    released: list[int] = field(default_factory=lambda: [0, 0])
    read: int = field(init=False)

    def __post_init__(self) -> None:
        self.interval = _interval(self.geometry)
        self.read = -self.interval

    def work(self, block: int) -> None:
        """A group's steps on a block. Another block than before is loaded when the buffer of two before is free."""
        if block != self.block:
            if self.block is not None:
                self.released = [self.released[1], self.worked]
            self.block = block
            self.loaded = max(self.loaded, self.released[0]) + BLOCK
            self.now = max(self.now, self.loaded)
        self.now += self.geometry.steps
        self.worked = self.now

    def drain(self) -> None:
        """A group's drain, whose last cycle waits for a free buffer of results."""
        single = self.geometry.result_buffers == 1
        self.now = max(self.now + self.geometry.drain_cycles, self.read + (self.interval if single else 1))
        self.read = self.now if single else max(self.now, self.read + self.interval)

"""What the timed simulation says of one operator, in the form in which its twin's cycles are measured."""

from __future__ import annotations

import math

import numpy as np

from hls_projects.dataflow import Fifo, Network, Process, Program, Read, Repeat, Write, simulate
from hls_projects.operators import HardwareOperator
from hls_projects.project.pipeline import operator_parts
from hls_projects.rtl.bench import Cycles

NO_BOUND = 1 << 30


def simulated_cycles(operator: HardwareOperator, images: int) -> Cycles:
    """When the words of ``images`` images move where nothing but the operator itself makes them wait."""
    inputs = [math.prod(shape) // operator.in_word(index) for index, shape in enumerate(operator.input_shapes())]
    outputs = math.prod(operator.output_shape()) // operator.out_word()
    ports = [f"in{index}" for index in range(len(inputs))]
    processes, blocks = operator_parts("operator", operator, {name: name for name in (*ports, "out")})
    sources = [
        Process(f"{name}.source", "source", _all(words, Write(name))) for name, words in zip(ports, inputs, strict=True)
    ]
    sink = Process("sink", "sink", _all(outputs, Read("out")))
    fifos = (*(Fifo(name, 8, NO_BOUND) for name in ports), *blocks, Fifo("out", 8, NO_BOUND))
    trace = simulate(Network((*sources, *processes, sink), fifos), {}, images)
    sent = trace.writes["out"] + operator.output_latency()
    return Cycles(tuple(_by_image(trace.reads[name], images) for name in ports), _by_image(sent, images))


def _all(words: int, step: Read | Write) -> Program:
    return (Repeat(words, (step,)),)


def _by_image(cycles: np.ndarray, images: int) -> np.ndarray:
    return cycles.reshape(images, -1)

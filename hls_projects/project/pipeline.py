"""The generated project as a network of processes and FIFOs, and the file of its FIFOs' depths.

``fifo_depths.json`` is an object: for every FIFO by its name in the generated C++ its ``depth``, and for
a person its ``word_bits``, the process that writes it (``from``) and the one that reads it (``to``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hls4ml.model.graph import ModelGraph
from hls4ml.model.layers import Input, Layer

from hls_projects.dataflow import Fifo, Network, NetworkError, Process, Program, Read, Repeat, Together, Write
from hls_projects.dataflow.program import renamed, words
from hls_projects.dataflow.sizing import Depths
from hls_projects.files import parse_json, read_text
from hls_projects.operators import HardwareOperator

# Slots of the FIFOs at the core's ports: an AXI4-Stream register slice holds two words.
PORT_DEPTH = 2
# Cycles from a write to a FIFO to the first cycle in which the word can be read: one for its storage, one for its
# output register. A FIFO of one word has neither.
FIFO_LATENCY = 2
# Buffers of a hls::stream_of_blocks.
BUFFERS = 2
# Cycles of the register in a copy of a stream.
CLONE_LATENCY = 1
SOURCE, SINK = "source", "sink"
# hls4ml's layer that copies a stream.
CLONE = "Clone"


def network(graph: ModelGraph, *, kernels: bool = False) -> Network:
    """The processes and FIFOs of ``graph``, in the order of the calls in the generated C++.

    The source has a pixel ready in every cycle, and the sink takes logits in every cycle.

    Args:
        kernels: whether processes are those of the C++ kernels instead of the Verilog twins. Only the order of their
            words is true, which decides about deadlocks; their cycles are not.

    Raises:
        NetworkError: a layer that is neither a hardware operator nor a copy of a stream.
    """
    layers = list(graph.get_layers())
    ports = {variable.name for variable in (*graph.get_input_variables(), *graph.get_output_variables())}
    fifos, processes = [], []
    for layer in layers:
        for variable in layer.variables.values():
            bits = int(variable.shape[-1]) * variable.type.precision.width
            depth = PORT_DEPTH if variable.name in ports else None
            latency = _latency(layer)
            fifos.append(Fifo(variable.name, bits, depth, FIFO_LATENCY + latency, direct=latency or None))
        if isinstance(layer, Input):
            processes.append(Process(SOURCE, SOURCE, _end(layer, Write)))
        else:
            parts, blocks = _parts(layer, kernels)
            processes += parts
            fifos += blocks
    sinks = [layer for layer in layers if layer.get_output_variable().name in ports and not isinstance(layer, Input)]
    processes += [Process(SINK, SINK, _end(layer, Read)) for layer in sinks]
    return Network(tuple(processes), tuple(fifos))


def layer_of(process: str) -> str:
    """Name of the layer that the process is a part of."""
    return process.partition(".")[0]


def _parts(layer: Layer, kernels: bool) -> tuple[list[Process], list[Fifo]]:
    """The processes of a layer's stages, and the FIFOs of tokens for the blocks between them."""
    inputs = [layer.get_input_variable(name).name for name in layer.inputs]
    if layer.class_name == CLONE:
        copies = (Write(variable.name) for variable in layer.variables.values())
        program = (Repeat(_words(layer), (Together((Read(inputs[0]), *copies)),)),)
        return [Process(layer.name, layer.class_name, program)], []
    operator = layer.get_attr("operator")
    if operator is None:
        raise NetworkError(f"layer {layer.name} is a {layer.class_name}, whose timing is not known")
    ports = {f"in{index}": name for index, name in enumerate(inputs)} | {"out": layer.get_output_variable().name}
    return operator_parts(layer.name, operator, ports, kernels=kernels)


def operator_parts(
    layer: str, operator: HardwareOperator, ports: Mapping[str, str], *, kernels: bool = False
) -> tuple[list[Process], list[Fifo]]:
    """The processes of an operator's stages, and the FIFOs of tokens for the blocks between them.

    Args:
        layer: name of the operator's layer.
        ports: names of FIFOs by the names of ports in the stages.
        kernels: whether the stages are those of the C++ kernel instead of the twin's.
    """
    processes, inner = [], {}
    for stage in operator.kernel_stages() if kernels else operator.stages():
        name = f"{layer}.{stage.name}" if stage.name else layer
        own = {port: f"{layer}.{port}" for port, _ in words(stage.program) if port not in ports}
        inner |= {full: port for port, full in own.items()}
        processes.append(Process(name, type(operator).__name__, renamed(stage.program, own | dict(ports))))
    # Tokens have no bits: the memory of a block is counted with the operator.
    if kernels:
        return processes, [Fifo(name, 0, BUFFERS) for name in inner]
    return processes, [_block_fifo(operator, name, port) for name, port in inner.items()]


def _block_fifo(operator: HardwareOperator, name: str, port: str) -> Fifo:
    """One of the two FIFOs of a block; ``port`` is its name in the stages."""
    block, end = port.split(".")
    return Fifo(name, 0, operator.buffers(block), 1 + (operator.block_latency(block) if end == "filled" else 0))


def _latency(layer: Layer) -> int:
    """Cycles that registers add between the write of a process and the FIFO."""
    if layer.class_name == CLONE:
        return CLONE_LATENCY
    operator = layer.get_attr("operator")
    return 0 if operator is None else operator.output_latency()


def _end(layer: Layer, step: type[Read] | type[Write]) -> Program:
    """The program of a source or sink at a layer's output."""
    return (Repeat(_words(layer), (step(layer.get_output_variable().name),)),)


def _words(layer: Layer) -> int:
    """Words an image in a layer's output."""
    return math.prod(int(size) for size in layer.get_output_variable().shape[:-1])


def set_depths(graph: ModelGraph, depths: Depths) -> None:
    """Set the depths in the ``STREAM`` pragmas of ``graph``; FIFOs that ``depths`` does not name keep theirs."""
    for layer in graph.get_layers():
        for variable in layer.variables.values():
            if variable.name in depths:
                variable.pragma = (variable.pragma[0], np.int64(depths[variable.name]))


def depths_file(network: Network, depths: Depths) -> str:
    """The text of ``fifo_depths.json``."""
    rows = {
        fifo.name: {
            "depth": depths[fifo.name],
            "word_bits": fifo.word_bits,
            "from": network.writer(fifo.name).name,
            "to": network.reader(fifo.name).name,
        }
        for fifo in network.sizable
    }
    lines = (f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_depths(path: Path, network: Network) -> Depths:
    """Read the depths of the FIFOs of ``network`` from a ``fifo_depths.json``.

    Raises:
        NetworkError: no such file, not of this form, depths below one, FIFOs unknown or left out.
    """
    try:
        rows: Any = parse_json(read_text(path))
    except OSError as error:
        raise NetworkError(f"depths {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise NetworkError(f"depths {path} is not JSON: {error}") from error
    if not isinstance(rows, dict) or not all(isinstance(row, dict) and "depth" in row for row in rows.values()):
        raise NetworkError(f'depths {path} must be an object of {{"FIFO": {{"depth": N}}}}')
    depths = {name: row["depth"] for name, row in rows.items()}
    try:
        network.check_depths(depths)
    except NetworkError as error:
        raise NetworkError(f"depths {path}: {error}") from error
    return depths

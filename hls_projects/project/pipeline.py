"""The generated project as a network of processes and FIFOs, and the file of its FIFOs' depths.

``fifo_depths.json`` is an object: for every FIFO by its name in the generated C++ its ``depth``, and for
the reader its ``word_bits``, the process that writes it (``from``) and the one that reads it (``to``).
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

# Slots of the core's own ports: what a register slice of AXI4-Stream holds.
PORT_DEPTH = 2
# Cycles from a write to the first one in which the word can be read: a FIFO's storage and its output register. One of a
# single word has neither.
FIFO_CLOCKS = 2
# Of a hls::stream_of_blocks.
BUFFERS = 2
# Of the register in a copy of a stream.
CLONE_CLOCKS = 1
SOURCE, SINK = "source", "sink"
# hls4ml's layer that copies a stream.
CLONE = "Clone"


def network(graph: ModelGraph, *, kernels: bool = False) -> Network:
    """Processes and FIFOs of ``graph``, in the order of the calls in the generated C++.

    Args:
        kernels: the C++ kernels instead of the twins; of these the order of the words counts, not the cycles.

    Pixels come from a source that has one ready in every cycle, logits go to a sink that always takes them.

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
            fifos.append(Fifo(variable.name, bits, depth, FIFO_CLOCKS + latency, direct=latency or None))
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
    """The name of the layer that has this process."""
    return process.partition(".")[0]


def _parts(layer: Layer, kernels: bool) -> tuple[list[Process], list[Fifo]]:
    """The processes of a layer's stages, and what hands blocks from one to the next."""
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
    """The processes of an operator's stages, and what hands blocks from one to the next.

    Args:
        layer: its name.
        ports: FIFO by the name that the stages have for it.
        kernels: the stages of the C++ kernel instead of the twin's.
    """
    processes, inner = [], {}
    for stage in operator.kernel_stages() if kernels else operator.stages():
        name = f"{layer}.{stage.name}" if stage.name else layer
        own = {port: f"{layer}.{port}" for port, _ in words(stage.program) if port not in ports}
        inner |= {full: port for port, full in own.items()}
        processes.append(Process(name, type(operator).__name__, renamed(stage.program, own | dict(ports))))
    # The memory of a block is the operator's, so no words are stored here.
    if kernels:
        return processes, [Fifo(name, 0, BUFFERS) for name in inner]
    return processes, [_block_fifo(operator, name, port) for name, port in inner.items()]


def _block_fifo(operator: HardwareOperator, name: str, port: str) -> Fifo:
    block, end = port.split(".")
    return Fifo(name, 0, operator.buffers(block), 1 + (operator.block_latency(block) if end == "filled" else 0))


def _latency(layer: Layer) -> int:
    """Cycles from the write of a process to its word at the FIFO."""
    if layer.class_name == CLONE:
        return CLONE_CLOCKS
    operator = layer.get_attr("operator")
    return 0 if operator is None else operator.output_latency()


def _end(layer: Layer, step: type[Read] | type[Write]) -> Program:
    return (Repeat(_words(layer), (step(layer.get_output_variable().name),)),)


def _words(layer: Layer) -> int:
    """Words an image in a layer's output."""
    return math.prod(int(size) for size in layer.get_output_variable().shape[:-1])


def set_depths(graph: ModelGraph, depths: Depths) -> None:
    """Make ``depths`` those of the ``STREAM`` pragmas."""
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
    """Depths of the FIFOs of ``network`` from a file with such a text.

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

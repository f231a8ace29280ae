"""Conversion of a graph of hardware operators to an HLS project through hls4ml's extension interface.

hls4ml is not patched: every operator is registered as an ONNX handler, a layer, two templates and a source, all of them
derived from the declarations in the operator's class.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import re
import warnings
from pathlib import Path
from typing import Any

import hls4ml
from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.converters.onnx_to_hls import get_supported_onnx_layers, register_onnx_layer_handler
from hls4ml.model.graph import ModelGraph
from hls4ml.model.layers import Input, Layer, register_layer
from hls4ml.model.types import IntegerPrecisionType
from onnx import GraphProto, NodeProto
from qonnx.core.datatype import BaseDataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from hls_projects import PROJECT, SHARED_HEADERS
from hls_projects.dataflow.sizing import Depths
from hls_projects.errors import InputError
from hls_projects.graphs.onnx_file import check_attributes, read_onnx
from hls_projects.names import IMAGE_PORT, LOGIT_PORT, is_identifier, shown
from hls_projects.operators import DOMAIN, OPERATORS, HardwareOperator
from hls_projects.operators.base import stream_shape
from hls_projects.project.pipeline import set_depths
from hls_projects.simulation.compiler import BLOCKS_HEADER
from hls_projects.targets import Target

BACKEND = "Vitis"


def cpp_type(dtype: BaseDataType) -> str:
    """The Vitis HLS type of a qonnx integer type."""
    return f"{'ap_int' if dtype.signed() else 'ap_uint'}<{dtype.bitwidth()}>"


def config_struct(operator: HardwareOperator, name: str) -> str:
    """The C++ struct that configures a kernel: constants for sizes, and types of arrays and of internal values."""
    constants = {size: operator.size(size) for size in (*operator.sizes, *operator.folding)} | operator.constants()
    sizes = [f"    static const unsigned {constant} = {value};" for constant, value in constants.items()]
    types = {f"{array}_t": operator.array_dtype(array) for array in operator.arrays} | operator.types()
    typedefs = [f"    typedef {cpp_type(dtype)} {alias};" for alias, dtype in types.items()]
    return "\n".join([f"struct {name} {{", *sizes, *typedefs, "};", ""])


def precision(dtype: BaseDataType) -> IntegerPrecisionType:
    """hls4ml's type for a qonnx integer type."""
    return IntegerPrecisionType(width=dtype.bitwidth(), signed=dtype.signed())


class HardwareLayer(Layer):
    """hls4ml's layer for a :class:`HardwareOperator`, which is its attribute ``operator``."""

    def initialize(self) -> None:
        operator = self.get_attr("operator")
        words = stream_shape(operator.output_shape(), operator.out_word())
        self.add_output_variable(words, precision=precision(operator.out_dtype))
        for name in operator.arrays:
            self.add_weights_variable(
                name=name,
                var_name=f"{name}{{index}}",
                data=operator.kernel_array(name),
                precision=precision(operator.array_dtype(name)),
            )


LAYERS = {operator.__name__: type(operator.__name__, (HardwareLayer,), {}) for operator in OPERATORS}


class HardwareConfigTemplate(LayerConfigTemplate):
    """Writes the configuration of a kernel."""

    def __init__(self) -> None:
        super().__init__(list(LAYERS.values()))

    def format(self, node: HardwareLayer) -> str:
        return config_struct(node.get_attr("operator"), f"config{node.index}")


class HardwareFunctionTemplate(FunctionCallTemplate):
    """Writes the call of a kernel, and includes its header."""

    def __init__(self) -> None:
        super().__init__(list(LAYERS.values()))

    def transform(self, model: ModelGraph, node: HardwareLayer) -> bool:
        self.include_header = [f"nnet_utils/{node.get_attr('operator').header().name}"]
        return super().transform(model, node)

    def format(self, node: HardwareLayer) -> str:
        operator = node.get_attr("operator")
        inputs = [node.get_input_variable(name) for name in node.inputs]
        output = node.get_output_variable()
        types = [variable.type.name for variable in (*inputs, output)]
        arguments = [variable.name for variable in (*inputs, output)]
        arguments += [node.weights[name].name for name in operator.arrays]
        return f"nnet::{operator.kernel}<{', '.join([*types, f'config{node.index}'])}>({', '.join(arguments)});"


def parse_operator(node: NodeProto, inputs: list[str], shapes: list[list[int]], graph: GraphProto) -> dict[str, Any]:
    """Parse a hardware operator; hls4ml's ONNX handler for all of them."""
    return {
        "name": node.name,
        "class_name": node.op_type,
        "inputs": inputs,
        "outputs": list(node.output),
        "operator": getCustomOp(node),
    }


def register() -> None:
    """Register the hardware operators with hls4ml, once a process."""
    if OPERATORS[0].__name__ in get_supported_onnx_layers():
        return
    backend = hls4ml.backends.get_backend(BACKEND)
    for name, layer in LAYERS.items():
        register_onnx_layer_handler(name, parse_operator)
        register_layer(name, layer)
    backend.register_template(HardwareConfigTemplate)
    backend.register_template(HardwareFunctionTemplate)
    for header in sorted({*SHARED_HEADERS, *(operator.header() for operator in OPERATORS)}):
        backend.register_source(header, destination_dir="nnet_utils")
    backend.register_source(BLOCKS_HEADER, destination_dir="ap_types")


def convert(
    lowered: Path, target: Target, out_dir: Path, *, trace: bool = False, depths: Depths | None = None
) -> ModelGraph:
    """Write the HLS project of the lowered graph in the file ``lowered`` to ``out_dir``.

    Args:
        trace: whether the test bench also writes every operator's output.
        depths: of the FIFOs; by default each holds all words of an image.

    Raises:
        InputError: a node that is no hardware operator, a folding or a shift that its kernel does not support, or
            an operator without a call in the generated C++.
    """
    graph = make_graph(lowered, target, out_dir, trace=trace)
    write_project(graph, out_dir, depths or {})
    return graph


def read_lowered(path: Path) -> ModelWrapper:
    """Read the lowered graph in a file.

    Raises:
        InputError: no such file, not an ONNX file, or not a graph of hardware operators.
    """
    model = ModelWrapper(read_onnx(path, {DOMAIN: [operator.__name__ for operator in OPERATORS]}, standard=False))
    try:
        _check_graph(model)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return model


def _check_graph(model: ModelWrapper) -> None:
    """Check that names can stand in generated code, and that attributes have the operators' types."""
    ports = [port.name for port in (*model.graph.input, *model.graph.output)]
    names = [node.name for node in model.graph.node]
    wrong = [name for name in names if not is_identifier(name) or names.count(name) > 1]
    wrong += [name for name in ports if not is_identifier(name) and name not in (IMAGE_PORT, LOGIT_PORT)]
    if wrong or len(ports) != 2:
        raise InputError(f"the name {shown(wrong[0]) if wrong else ports} is not one of a lowered graph")
    for node in model.graph.node:
        check_attributes(node)


def make_graph(lowered: Path, target: Target, out_dir: Path, *, trace: bool = False) -> ModelGraph:
    """Make the project in memory; arguments and errors are those of :func:`convert`."""
    register()
    model = read_lowered(lowered)
    _check_operators(model)
    config = {
        "Model": {"Precision": "ap_int<8>", "ReuseFactor": 1, "Strategy": "Resource"},
        "LayerName": {model.graph.input[0].name: {"Precision": "ap_uint<8>"}}
        | {node.name: {"Trace": trace} for node in model.graph.node},
    }
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    source = os.path.relpath(lowered, out_dir.parent)
    # hls4ml writes its arguments into the project; relative paths stay valid where the folder is moved.
    with _quiet_hls4ml(), contextlib.chdir(out_dir.parent):
        graph = hls4ml.converters.convert_from_onnx_model(
            source,
            hls_config=config,
            output_dir=out_dir.name,
            project_name=PROJECT,
            backend=BACKEND,
            io_type="io_stream",
            part=target.part,
            clock_period=target.clock_period_ns,
            writer_config={"WriteTar": False},
        )
    graph.config.trace_output = trace
    _check_calls(graph)
    return graph


def write_project(graph: ModelGraph, out_dir: Path, depths: Depths) -> None:
    """Write the project of ``graph``, which was made for ``out_dir``.

    Args:
        depths: of FIFOs; one without an entry holds all words of an image.
    """
    set_depths(graph, depths)
    for layer in graph.get_layers():
        if call := layer.get_attr("function_cpp"):
            layer.set_attr("function_cpp", f"PIPELINE_PROCESS({call.rstrip(';')});")
    with _quiet_hls4ml(), contextlib.chdir(out_dir.parent):
        graph.write()
    _set_stamp(out_dir, graph.config.get_config_value("Stamp"))


def _set_stamp(project: Path, drawn: str) -> None:
    """Name hls4ml's shared library after a digest of the sources instead of a random one: builds are reproducible."""
    firmware = project / "firmware"
    digest = hashlib.sha256()
    for path in sorted(path for path in firmware.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(firmware)} {path.stat().st_size}\n".encode() + path.read_bytes())
    stamp = f"p{digest.hexdigest()[:7]}"  # begins with a letter, or YAML might read it as a number
    script, config = project / "build_lib.sh", project / "hls4ml_config.yml"
    script.write_text(script.read_text().replace(drawn, stamp))
    config.write_text(re.sub("^Stamp: .*$", f"Stamp: {stamp}", config.read_text(), flags=re.MULTILINE))


def _check_calls(graph: ModelGraph) -> None:
    """Check that every layer has a call: hls4ml silently drops layers without a template."""
    for layer in graph.get_layers():
        if not isinstance(layer, Input) and not layer.get_attr("function_cpp"):
            raise InputError(f"hls4ml made no call of {layer.class_name} (node {layer.name})")


def _check_operators(model: ModelWrapper) -> None:
    """Check that every node is an operator with a kernel for its folding and shifts."""
    known = {operator.__name__ for operator in OPERATORS}
    for node in model.graph.node:
        if node.op_type not in known:
            raise InputError(f"node {node.name}: {node.op_type} is not a hardware operator")
        try:
            getCustomOp(node).check_folding()
        except ValueError as error:
            raise InputError(str(error)) from error
        try:
            getCustomOp(node).types()
        except ValueError as error:
            raise InputError(
                f"node {node.name}: no integer type of a kernel is wide enough for its shifts: {error}"
            ) from error


@contextlib.contextmanager
def _quiet_hls4ml():  # noqa: ANN202
    """Silence hls4ml's output; errors are still raised."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("hls4ml").setLevel(logging.ERROR)
        yield

"""Reading of ONNX files: all content is checked before any library resolves, imports or runs a part of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, defs, numpy_helper
from qonnx.custom_op.registry import getCustomOp

from hls_projects.errors import InputError
from hls_projects.files import read_whole
from hls_projects.names import shown

# Bytes of a file; the largest vision transformers have a tenth of it.
LARGEST_FILE = 1 << 28
MOST_NODES = 4_000
STANDARD = ("", "ai.onnx")
# Of the ONNX standard: before 13, axes are attributes where the lowering reads inputs.
OPSETS = range(13, 26)
# By qonnx's names of types.
ATTRIBUTE_TYPES = {
    "i": AttributeProto.INT,
    "f": AttributeProto.FLOAT,
    "s": AttributeProto.STRING,
    "t": AttributeProto.TENSOR,
    "ints": AttributeProto.INTS,
    "floats": AttributeProto.FLOATS,
    "strings": AttributeProto.STRINGS,
}
GRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)


def read_onnx(path: Path, custom: Mapping[str, Collection[str]], *, standard: bool) -> ModelProto:
    """Read the model in a file; nodes that no output needs are removed.

    Args:
        custom: the operators that may be in it beside those of the ONNX standard, by domain.
        standard: whether operators of the ONNX standard may be in it.

    Raises:
        InputError: no such file, not ONNX, too large, or a graph that breaks a rule of ONNX: a foreign operator, a
            value made twice or never, a wrong count of inputs, an attribute of a wrong type, a subgraph.
    """
    try:
        model = onnx.load_model_from_string(read_whole(path, LARGEST_FILE))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (DecodeError, ValueError) as error:
        raise InputError(f"{path} is not an ONNX file, or is cut short; export it again") from error
    try:
        _check_model(model)
        for node in model.graph.node:
            _check_operator(node, custom, standard)
        _check_values(model.graph)
        _drop_dead_nodes(model.graph)
        opset = next((entry.version for entry in model.opset_import if entry.domain in STANDARD), 0)
        for node in model.graph.node:
            _check_node(node, opset)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return model


def check_attributes(node: NodeProto) -> None:
    """Check that qonnx knows all attributes of a custom operator, with their types.

    Raises:
        InputError: an unknown attribute, or one of a wrong type.
    """
    types = getCustomOp(node).get_nodeattr_types()
    for attribute in node.attribute:
        kind = types.get(attribute.name, ("none",))[0]
        if ATTRIBUTE_TYPES.get(kind) != attribute.type:
            raise InputError(f"{named(node)}: attribute {shown(attribute.name)} is unknown or of a wrong type")


def named(node: NodeProto) -> str:
    """The words for ``node`` in an error message."""
    return f"node {shown(node.name)} ({shown(node.op_type)})"


def _check_model(model: ModelProto) -> None:
    graph = model.graph
    if model.functions or model.training_info or graph.sparse_initializer:
        raise InputError("functions, training graphs and sparse tensors are not supported")
    if not graph.node:
        raise InputError("it holds no graph; export it again")
    for entry in model.opset_import:
        if entry.domain in STANDARD and entry.version not in OPSETS:
            raise InputError(
                f"its operators are those of opset {entry.version}; export it with {OPSETS[0]} to {OPSETS[-1]}"
            )
    for tensor in graph.initializer:
        _check_tensor(tensor, f"tensor {shown(tensor.name)}")


def _check_tensor(tensor: TensorProto, what: str) -> None:
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise InputError(f"{what} lies in another file; export it with all tensors inside")
    try:
        numpy_helper.to_array(tensor)
    except Exception as error:  # numpy, protobuf and onnx each have their own
        raise InputError(f"{what} does not hold what its shape and type say") from error


def _check_operator(node: NodeProto, custom: Mapping[str, Collection[str]], standard: bool) -> None:
    """Reject an operator that is not on the list; qonnx would import the module that its domain names."""
    if standard and node.domain in STANDARD:
        node.domain = ""
        known = defs.has(node.op_type)
    else:
        known = node.op_type in custom.get(node.domain, ())
    if not known:
        operator = f"{shown(node.domain)}.{shown(node.op_type)}" if node.domain else shown(node.op_type)
        raise InputError(f"operator {operator} (node {shown(node.name)}) is not supported")


def _check_values(graph: GraphProto) -> None:
    """Check that every value is made once, by a node before all that read it."""
    stored = [tensor.name for tensor in graph.initializer]
    inputs = [port.name for port in graph.input]
    made = [name for node in graph.node for name in node.output if name]
    for what, names in (
        ("made", stored + made + [name for name in inputs if name not in set(stored)]),
        ("an input", inputs),
        ("an output", [port.name for port in graph.output]),
        ("described", [port.name for port in graph.value_info]),
    ):
        twice = [name for name, count in Counter(names).items() if count > 1 or not name]
        if twice:
            raise InputError(f"value {shown(twice[0])} is {what} more than once, or has no name")
    known = {*stored, *inputs}
    for node in graph.node:
        if unmade := [name for name in node.input if name and name not in known]:
            raise InputError(f"{named(node)} reads {shown(unmade[0])}, which nothing before it makes")
        known |= set(node.output)
    if unmade := [port.name for port in graph.output if port.name not in made]:
        raise InputError(f"no node makes the output {shown(unmade[0])}")


def _drop_dead_nodes(graph: GraphProto) -> None:
    """Remove nodes that no output needs; later steps look through all nodes for each of them."""
    needed, live = {port.name for port in graph.output}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            live.append(node)
            needed |= set(node.input)
    if len(live) > MOST_NODES:
        raise InputError(f"{len(live)} nodes are more than {MOST_NODES}")
    live.reverse()
    if len(live) < len(graph.node):
        copies = GraphProto()
        copies.node.extend(live)
        del graph.node[:]
        graph.node.extend(copies.node)


def _check_node(node: NodeProto, opset: int) -> None:
    for name, count in Counter(attribute.name for attribute in node.attribute).items():
        if count > 1:
            raise InputError(f"{named(node)} has the attribute {shown(name)} more than once")
    for attribute in node.attribute:
        if attribute.type in GRAPHS or attribute.ref_attr_name:
            raise InputError(f"{named(node)} holds a graph of its own, which is not supported")
        if attribute.type == AttributeProto.TENSOR:
            _check_tensor(attribute.t, f"{named(node)}: attribute {shown(attribute.name)}")
    if not node.output or not node.output[0]:
        raise InputError(f"{named(node)} makes nothing")
    if not node.domain:
        _check_standard_node(node, opset)


def _check_standard_node(node: NodeProto, opset: int) -> None:
    """Check inputs, outputs and attributes against the ONNX standard."""
    try:
        schema = defs.get_schema(node.op_type, opset)
    except defs.SchemaError as error:
        raise InputError(f"{named(node)} is no operator of opset {opset}") from error
    if schema.deprecated:
        raise InputError(f"{named(node)} is deprecated in opset {opset}")
    counts = (
        ("inputs", node.input, schema.min_input, schema.max_input),
        ("outputs", node.output, schema.min_output, schema.max_output),
    )
    for what, names, least, most in counts:
        if not least <= len(names) <= most:
            raise InputError(f"{named(node)} has {len(names)} {what}; its kind has {least} to {most}")
    single = defs.OpSchema.FormalParameterOption.Single
    needed = zip(node.input, schema.inputs, strict=False)
    if any(not name and parameter.option == single for name, parameter in needed):
        raise InputError(f"{named(node)} lacks an input that its kind needs")
    for attribute in node.attribute:
        known = schema.attributes.get(attribute.name)
        if known is None or int(known.type.value) != attribute.type:
            raise InputError(f"{named(node)} has an attribute {shown(attribute.name)} that its kind has not")
    missing = {name for name, known in schema.attributes.items() if known.required} - {a.name for a in node.attribute}
    if missing:
        raise InputError(f"{named(node)} lacks the attribute {min(missing)}")

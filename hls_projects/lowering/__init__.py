"""Lowering: transformations that turn a QONNX graph into a graph of hardware operators.

Each ``lower_*.py`` matches one pattern of QONNX nodes and replaces it by an operator. Patterns end in a quantizer, so
an operator takes codes and gives codes. Values in real units are codes times powers of two, so scaling becomes shifts.
"""

from __future__ import annotations

import copy

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.general import RemoveUnusedTensors, SortGraph
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from hls_projects.lowering.graph import CodeFormat, GraphView, LoweringError, read_formats
from hls_projects.lowering.lower_activation_table import LowerActivationTable
from hls_projects.lowering.lower_attention import LowerAttention
from hls_projects.lowering.lower_head import LowerHead
from hls_projects.lowering.lower_layer_norm import LowerLayerNorm
from hls_projects.lowering.lower_patch_reader import LowerPatchReader
from hls_projects.lowering.lower_position_embedding import LowerPositionEmbedding
from hls_projects.lowering.lower_pot_linear import LowerPotLinear
from hls_projects.lowering.lower_residual_add import LowerResidualAdd
from hls_projects.lowering.lower_token_pooling import LowerMeanPooling, LowerTokenSelection
from hls_projects.names import identifier
from hls_projects.operators import DOMAIN, Head

# In this order, since a pattern must be tried before the patterns that are parts of it.
STEPS = (
    LowerPatchReader,
    LowerAttention,
    LowerTokenSelection,
    LowerLayerNorm,
    LowerMeanPooling,
    LowerHead,
    LowerPotLinear,
    LowerPositionEmbedding,
    LowerResidualAdd,
    LowerActivationTable,
)

# Nodes with weights that have no operator whatever surrounds them.
LAYERS = ("Conv", "ConvTranspose")

__all__ = ["LoweringError", "lower"]


def lower(model: ModelWrapper) -> ModelWrapper:
    """The graph of hardware operators that computes the same codes as the QONNX ``model``.

    Raises:
        LoweringError: a quantizer or a node that no hardware operator implements; names it.
    """
    formats = read_formats(model)
    lowered = copy.deepcopy(model)
    for step in STEPS:
        lowered = lowered.transform(step(formats), make_deepcopy=False, cleanup=False)
    _check_lowered(lowered, formats)
    del lowered.graph.value_info[:]
    del lowered.graph.quantization_annotation[:]
    lowered.set_opset_import(DOMAIN, 1)
    for tidy in (RemoveUnusedTensors(), SortGraph(), InferShapes(), InferDataTypes()):
        lowered = lowered.transform(tidy, make_deepcopy=False, cleanup=False)
    _check_shapes(lowered)
    _name_nodes(lowered)
    last = lowered.graph.node[-1]
    if last.op_type != Head.__name__:
        raise LoweringError(f"the graph ends in {last.op_type} (node {last.name}), not in a linear layer and a Reshape")
    return lowered


def _check_lowered(model: ModelWrapper, formats: dict[str, CodeFormat]) -> None:
    """Check that every node that depends on the input was lowered.

    Raises:
        LoweringError: one was not. It names the first layer without an operator rather than the first node: nodes
            before a layer, such as the normalization of pixels, are left over because that layer is.
    """
    view = GraphView(model, formats)
    left = [n for n in model.graph.node if n.domain != DOMAIN and not view.is_constant(n.output[0])]
    if left:
        first = next((node for node in left if node.op_type in LAYERS), left[0])
        raise LoweringError(f"no hardware operator implements {first.op_type} (node {first.name})")


def _name_nodes(model: ModelWrapper) -> None:
    """Make the operators' names, which are parts of the nodes' names, unique identifiers of the generated code."""
    taken: set[str] = set()
    for node in model.graph.node:
        node.name = identifier(node.name, taken)


def _check_shapes(model: ModelWrapper) -> None:
    """Check that every operator reads tensors of the shapes that it was made for.

    Raises:
        LoweringError: one does not.
    """
    for node in model.graph.node:
        operator = getCustomOp(node)
        operator.verify_node()
        for tensor, expected in zip(node.input, operator.input_shapes(), strict=True):
            if tuple(model.get_tensor_shape(tensor)[1:]) != expected:
                raise LoweringError(f"{node.op_type} (node {node.name}) reads {tensor}, which is not {expected}")

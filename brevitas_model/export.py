"""Export of a trained model to QONNX, by Brevitas, with every quantizer left visible."""

from __future__ import annotations

import itertools
import re
import warnings
from pathlib import Path

import torch
from brevitas.export import export_qonnx
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.general import RemoveStaticGraphInputs, RemoveUnusedTensors, SortGraph
from qonnx.transformation.infer_shapes import InferShapes

from brevitas_model.vit import VisionTransformer

QUANTIZERS = ["Quant", "FloatQuant", "BipolarQuant", "Trunc"]


def export(model: VisionTransformer, path: Path) -> ModelWrapper:
    """Write ``model`` to ``path`` and return it, tidied up.

    The graph takes uint8 values in float32, (1, ``image_size``, ``image_size``, ``in_channels``),
    and gives logits in real units, (1, ``num_classes``). Its metadata hold the ``tile_size``, which no
    tensor of global attention shows.

    Raises:
        ValueError: the model has no quantizers.
    """
    if not model.config.quantized:
        raise ValueError("a float model has no exact integer form; train it with weight_format pot4 or pot6")
    size, channels = model.config.image_size, model.config.in_channels
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporters warn of their own deprecations
        export_qonnx(
            model.eval(),
            args=torch.zeros(1, size, size, channels),
            export_path=str(path),
            input_names=["pixels"],
            output_names=["logits"],
            dynamo=False,  # its node names are module paths, which errors and reports can show
        )
    tidy = tidy_up(ModelWrapper(str(path)))
    tidy.set_metadata_prop("tile_size", str(model.config.tile_size))
    tidy.save(str(path))
    return tidy


def tidy_up(model: ModelWrapper) -> ModelWrapper:
    """Shapes inferred, constants folded, weight quantizers kept as nodes.

    qonnx's own ``cleanup_model`` would fold ``FloatQuant`` away and with it the weight format.
    """
    for transformation in (
        InferShapes(),
        FoldConstants(exclude_op_types=QUANTIZERS),
        RemoveUnusedTensors(),
        RemoveStaticGraphInputs(),
        SortGraph(),
        InferShapes(),
        NameByModule(),
    ):
        model = model.transform(transformation)
    return model


class NameByModule(Transformation):
    """Unique names that are identifiers: nodes after the exporter's module paths, tensors after nodes.

    qonnx's own renaming misses a tensor that feeds two inputs of one node.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        graph = model.graph
        fixed = {"": ""} | {port.name: port.name for port in (*graph.input, *graph.output)}
        names = dict(fixed)
        taken: set[str] = set()
        for node in graph.node:
            node.name = _unique(_identifier(node), taken)
            for index, tensor in enumerate(node.input):
                names.setdefault(tensor, f"{node.name}_param{index}")
            for index, tensor in enumerate(node.output):
                names.setdefault(tensor, f"{node.name}_out{index}")
        for node in graph.node:
            node.input[:] = [names[tensor] for tensor in node.input]
            node.output[:] = [names[tensor] for tensor in node.output]
        for item in (*graph.initializer, *graph.value_info):
            item.name = names.get(item.name, item.name)
        return model, False


def _identifier(node: NodeProto) -> str:
    path = node.name.replace("act_quant/export_handler", "").replace("export_handler", "")
    return re.sub(r"\W+", "_", path).strip("_") or node.op_type


def _unique(name: str, taken: set[str]) -> str:
    candidates = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(1)))
    chosen = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(chosen)
    return chosen

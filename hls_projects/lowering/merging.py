"""Merging of linear layers that read the same tensor into one layer, and the inverse.

Every output of a linear layer has its own weights and shifts, so several layers of one input are one layer with more
outputs. Merged, they need only one buffer for the token, one sequencer and one requantizer; but their outputs share a
stream, which carries one code a cycle. :mod:`hls_projects.folding.search` tries both forms.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from hls_projects.names import identifier
from hls_projects.operators import ChannelSlice, PotLinear


def merged(model: ModelWrapper) -> ModelWrapper:
    """A copy of ``model`` in which linear layers are merged that read the same tensor with the same sizes and types.

    A merged layer is named after the layers that it replaces, ``attn_qkv`` for ``attn_q``, ``attn_k`` and ``attn_v``. A
    :class:`ChannelSlice` takes the place of each of these, with its name and its output. Their foldings are lost.
    """
    made = ModelWrapper(model.model, make_deepcopy=True)
    layers: dict[Hashable, list[PotLinear]] = {}
    for layer in _layers(made):
        layers.setdefault(_merge_key(layer), []).append(layer)
    names = {node.name for node in made.graph.node} | set(made.get_all_tensor_names())
    for several in layers.values():
        if len(several) > 1:
            name = identifier(joined([layer.onnx_node.name for layer in several]), names)
            _merge(made, several, name)
    return made


def separated(model: ModelWrapper) -> ModelWrapper:
    """A copy of ``model`` in which every merged layer is split again; the inverse of :func:`merged`."""
    made = ModelWrapper(model.model, make_deepcopy=True)
    for layer in list(_layers(made)):
        slices = slices_of(made, layer)
        if slices:
            _separate(made, layer, slices)
    return made


def slices_of(model: ModelWrapper, layer: PotLinear) -> list[ChannelSlice]:
    """The slices that partition the outputs of ``layer``, ascending; empty where anything else reads it."""
    readers = model.find_consumers(layer.onnx_node.output[0])
    if not readers or any(node.op_type != ChannelSlice.__name__ for node in readers):
        return []
    slices = sorted(map(getCustomOp, readers), key=lambda part: part.size("first"))
    ends = np.cumsum([0, *(part.size("n_out") for part in slices)]).tolist()
    whole = [*(part.size("first") for part in slices), layer.size("n_out")]
    return slices if ends == whole else []


def joined(names: Sequence[str]) -> str:
    """The common prefix of ``names``, then the rest of each."""
    letters = zip(*names, strict=False)
    common = len(list(itertools.takewhile(lambda found: len(set(found)) == 1, letters)))
    return names[0][:common] + "".join(name[common:] for name in names)


def merged_layers(model: ModelWrapper) -> set[str]:
    """Names of the merged layers: those whose outputs are partitioned by slices."""
    return {layer.onnx_node.name for layer in _layers(model) if slices_of(model, layer)}


def _layers(model: ModelWrapper) -> Iterable[PotLinear]:
    return map(getCustomOp, model.get_nodes_by_op_type(PotLinear.__name__))


def _merge_key(layer: PotLinear) -> Hashable:
    """Equal for layers that can be merged."""
    sizes = (layer.size(name) for name in PotLinear.sizes if name != "n_out")
    return (layer.onnx_node.input[0], *sizes, layer.in_dtype().name, layer.out_dtype.name)


def _merge(model: ModelWrapper, layers: Sequence[PotLinear], name: str) -> None:
    """Replace ``layers`` by one layer and slices; the layer and its output are called ``name``."""
    arrays = {key: np.concatenate([layer.array(key) for layer in layers]) for key in PotLinear.arrays}
    ends = np.cumsum([layer.size("n_out") for layer in layers]).tolist()
    made = [_layer(layers[0], name, name, arrays)]
    for layer, end in zip(layers, ends, strict=True):
        sizes = {"n_tokens": layer.size("n_tokens"), "n_in": ends[-1], "n_out": layer.size("n_out")}
        made.append(
            ChannelSlice.make(
                layer.onnx_node.name, [name], layer.onnx_node.output[0], in_dtypes=[layer.out_dtype],
                out_dtype=layer.out_dtype, **sizes, first=end - layer.size("n_out"),
            )
        )  # fmt: skip
    _replace(model, [layer.onnx_node for layer in layers], made)
    batch = model.get_tensor_shape(layers[0].onnx_node.output[0])[0]
    model.set_tensor_shape(name, [batch, *getCustomOp(made[0]).output_shape()])
    model.set_tensor_datatype(name, layers[0].out_dtype)


def _separate(model: ModelWrapper, layer: PotLinear, slices: Sequence[ChannelSlice]) -> None:
    """Replace a merged layer and its slices by layers."""
    made = []
    for part in slices:
        outputs = slice(part.size("first"), part.size("first") + part.size("n_out"))
        arrays = {key: layer.array(key)[outputs] for key in PotLinear.arrays}
        made.append(_layer(layer, part.onnx_node.name, part.onnx_node.output[0], arrays))
    tensor = layer.onnx_node.output[0]
    _replace(model, [layer.onnx_node, *(part.onnx_node for part in slices)], made)
    for entries, name in ((model.graph.value_info, "name"), (model.graph.quantization_annotation, "tensor_name")):
        for entry in [entry for entry in entries if getattr(entry, name) == tensor]:
            entries.remove(entry)


def _layer(like: PotLinear, name: str, tensor: str, arrays: Mapping[str, np.ndarray]) -> NodeProto:
    """An unfolded layer with the sizes and types of ``like`` and with other outputs."""
    sizes = {key: like.size(key) for key in PotLinear.sizes} | {"n_out": len(arrays["codes"])}
    return PotLinear.make(
        name, [like.onnx_node.input[0]], tensor, in_dtypes=[like.in_dtype()], out_dtype=like.out_dtype, **sizes,
        **arrays,
    )  # fmt: skip


def _replace(model: ModelWrapper, old: Sequence[NodeProto], new: Sequence[NodeProto]) -> None:
    """Replace ``old`` nodes by ``new`` ones at the index of the first of them.

    That keeps the graph sorted, because all of ``old`` read tensors made before that node, or made by each other.
    """
    first = list(model.graph.node).index(old[0])
    for node in old:
        model.graph.node.remove(node)
    for offset, node in enumerate(new):
        model.graph.node.insert(first + offset, node)

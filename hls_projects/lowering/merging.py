"""Linear layers that read the same stream as one, or apart: two forms of a lowered graph with the same tensors.

Every output of a linear layer has its own weights and shifts, so layers side by side are a layer. As one, they keep
the token that comes in, and what counts its cycles and rounds its sums, only once; but their outputs share a stream,
which carries one code a cycle.
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
    """A copy in which linear layers are one where they read the same tensor with the same sizes and types.

    The layer has the names of those that it replaces, ``attn_qkv`` for ``attn_q``, ``attn_k`` and ``attn_v``. Of each
    of them a :class:`ChannelSlice` is left, which has its name and makes its tensor. The foldings of these are gone.
    """
    made = ModelWrapper(model.model, make_deepcopy=True)
    layers: dict[Hashable, list[PotLinear]] = {}
    for layer in _layers(made):
        layers.setdefault(_alike(layer), []).append(layer)
    names = {node.name for node in made.graph.node} | set(made.get_all_tensor_names())
    for several in layers.values():
        if len(several) > 1:
            name = identifier(joined([layer.onnx_node.name for layer in several]), names)
            _merge(made, several, name)
    return made


def separated(model: ModelWrapper) -> ModelWrapper:
    """A copy in which a layer is several where only :class:`ChannelSlice` reads it; undoes :func:`merged`."""
    made = ModelWrapper(model.model, make_deepcopy=True)
    for layer in list(_layers(made)):
        slices = slices_of(made, layer)
        if slices:
            _separate(made, layer, slices)
    return made


def slices_of(model: ModelWrapper, layer: PotLinear) -> list[ChannelSlice]:
    """The slices that take all outputs of ``layer``, each once, in their order; none where something else reads it."""
    readers = model.find_consumers(layer.onnx_node.output[0])
    if not readers or any(node.op_type != ChannelSlice.__name__ for node in readers):
        return []
    slices = sorted(map(getCustomOp, readers), key=lambda part: part.size("first"))
    ends = np.cumsum([0, *(part.size("n_out") for part in slices)]).tolist()
    whole = [*(part.size("first") for part in slices), layer.size("n_out")]
    return slices if ends == whole else []


def joined(names: Sequence[str]) -> str:
    """What they begin with, then the rest of each."""
    letters = zip(*names, strict=False)
    common = len(list(itertools.takewhile(lambda found: len(set(found)) == 1, letters)))
    return names[0][:common] + "".join(name[common:] for name in names)


def merged_layers(model: ModelWrapper) -> set[str]:
    """Names of the layers whose outputs are taken by slices only."""
    return {layer.onnx_node.name for layer in _layers(model) if slices_of(model, layer)}


def _layers(model: ModelWrapper) -> Iterable[PotLinear]:
    return map(getCustomOp, model.get_nodes_by_op_type(PotLinear.__name__))


def _alike(layer: PotLinear) -> Hashable:
    sizes = (layer.size(name) for name in PotLinear.sizes if name != "n_out")
    return (layer.onnx_node.input[0], *sizes, layer.in_dtype().name, layer.out_dtype.name)


def _merge(model: ModelWrapper, layers: Sequence[PotLinear], name: str) -> None:
    """``name``: of the layer and of its tensor."""
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
    made = []
    for part in slices:
        kept = slice(part.size("first"), part.size("first") + part.size("n_out"))
        arrays = {key: layer.array(key)[kept] for key in PotLinear.arrays}
        made.append(_layer(layer, part.onnx_node.name, part.onnx_node.output[0], arrays))
    tensor = layer.onnx_node.output[0]
    _replace(model, [layer.onnx_node, *(part.onnx_node for part in slices)], made)
    for kept, name in ((model.graph.value_info, "name"), (model.graph.quantization_annotation, "tensor_name")):
        for entry in [entry for entry in kept if getattr(entry, name) == tensor]:
            kept.remove(entry)


def _layer(like: PotLinear, name: str, tensor: str, arrays: Mapping[str, np.ndarray]) -> NodeProto:
    """A layer of other outputs, not folded."""
    sizes = {key: like.size(key) for key in PotLinear.sizes} | {"n_out": len(arrays["codes"])}
    return PotLinear.make(
        name, [like.onnx_node.input[0]], tensor, in_dtypes=[like.in_dtype()], out_dtype=like.out_dtype, **sizes,
        **arrays,
    )  # fmt: skip


def _replace(model: ModelWrapper, old: Sequence[NodeProto], new: Sequence[NodeProto]) -> None:
    """Put nodes in the place of the first of others that all read what is there before it, or each other."""
    place = list(model.graph.node).index(old[0])
    for node in old:
        model.graph.node.remove(node)
    for offset, node in enumerate(new):
        model.graph.node.insert(place + offset, node)

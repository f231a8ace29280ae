"""Sizes, zeros and accuracies, counted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from brevitas_model.codes import code_bits, format_of
from brevitas_model.pruning import Masks, as_rows, layers
from brevitas_model.shipped import CheckpointError
from brevitas_model.training.recipe import Pruning
from brevitas_model.vit import count_parameters

# By layer, (out_features, in_features) or (out_channels, in_channels, height, width).
Weights = dict[str, np.ndarray]
FLOAT_BITS = 32
# Of the power-of-two scale of a row of weights.
EXPONENT_BITS = 8


@dataclass(frozen=True)
class Score:
    """How often each class was taken for each: ``confusion`` (classes, classes), a row a true class."""

    confusion: np.ndarray

    @classmethod
    def of(cls, logits: np.ndarray, labels: np.ndarray) -> Score:
        """From logits (N, classes) and class indices (N,); the first of equal logits wins."""
        classes = logits.shape[1]
        pairs = np.bincount(labels * classes + logits.argmax(axis=1), minlength=classes * classes)
        return cls(pairs.reshape(classes, classes))

    @property
    def correct(self) -> int:
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """Top-1 in percent."""
        return 100.0 * self.correct / int(self.confusion.sum())

    @property
    def recall(self) -> list[float | None]:
        """Accuracy by true class in percent; None where no image is of the class."""
        totals = self.confusion.sum(axis=1)
        hits = np.diag(self.confusion)
        return [100.0 * int(hit) / int(total) if total else None for hit, total in zip(hits, totals, strict=True)]


def weight_bits(model: nn.Module) -> int:
    """Of the widest weight."""
    if not model.config.quantized:
        return FLOAT_BITS
    return max(code_bits(format_of(layer)) for layer in layers(model).values())


def stream_bits(model: nn.Module) -> int:
    """Width of the codes of tokens, and so of their position embedding."""
    return getattr(model.config, "stream_bits", model.config.activation_bits)


def packed_bytes(model: nn.Module) -> int:
    """Bytes that the trained numbers take.

    A quantized model: every weight at the width of its code (zero codes too), the exponent of the scale
    of every row (of the matrix, with one scale a tensor) in 8 bits, every bias in its 8 bits and the
    position embedding in activation codes, one after the other, the sum rounded up to a byte. The scales
    of activations and biases, a power of two a tensor, are not counted; they become shifts in the code.
    A float model: 4 bytes a parameter.
    """
    if not model.config.quantized:
        return count_parameters(model) * FLOAT_BITS // 8
    embeddings = [p for name, p in model.named_parameters() if name.rpartition(".")[2] == "pos_embed"]
    bits = sum(p.numel() for p in embeddings) * stream_bits(model)
    for layer in layers(model).values():
        bits += layer.weight.numel() * code_bits(format_of(layer))
        bits += layer.quant_weight().scale.numel() * EXPONENT_BITS
        bits += layer.bias.numel() * int(layer.bias_quant.bit_width())
    return math.ceil(bits / 8)


def weights_of(model: nn.Module) -> Weights:
    """The matrices and filters of a float model."""
    return {name: layer.weight.detach().numpy() for name, layer in layers(model).items()}


def zero_share(weights: Weights) -> float:
    return sum(int((array == 0).sum()) for array in weights.values()) / sum(array.size for array in weights.values())


def unmasked_count(weights: Weights, masks: Masks) -> int:
    """Weights that the masks do not keep and that are not zero all the same."""
    return sum(int((weights[name][~mask.numpy()] != 0).sum()) for name, mask in masks.items())


@dataclass(frozen=True)
class Blocks:
    """Whether every block of inputs of every row has its zeros.

    Args:
        block: inputs a block.
        zeros: promised zeros a block; the fewest and the most of all layers.
        count: blocks that were checked.
        broken: those with fewer zeros than promised.
        first: where the first of these is, in words, or "".
    """

    block: int
    zeros: tuple[int, int]
    count: int
    broken: int
    first: str


def check_blocks(weights: Weights, masks: Masks, pruning: Pruning) -> Blocks:
    """Count the zeros of every block of ``weights`` and compare them with what ``pruning`` promises.

    With one sparsity for all layers the recipe alone says how many zeros a block has; with a global one
    it is the most that a block of the layer's mask has, so that a mask out of balance is found as well.

    Raises:
        CheckpointError: the promise does not fit the model, or a global one comes without masks.
    """
    rows = {name: _rows(array) for name, array in weights.items() if _reads_all(array) and name not in pruning.skip}
    wrong = [name for name, array in rows.items() if array.shape[1] % pruning.block]
    if wrong or not rows:
        raise CheckpointError(f"blocks of {pruning.block} inputs do not fit {(wrong or ['a model of no layer'])[0]}")
    promised = {name: _promise(masks.get(name), name, pruning) for name in rows}
    count, broken, first = 0, 0, ""
    for name, array in rows.items():
        zeros = _zeros_by_block(array, pruning.block)
        short = np.argwhere(zeros < promised[name])
        count, broken = count + zeros.size, broken + len(short)
        if len(short) and not first:
            row, place = (int(index) for index in short[0])
            inputs = f"{place * pruning.block} to {(place + 1) * pruning.block - 1}"
            first = f"{name}, row {row}, inputs {inputs}: {zeros[row, place]} zeros of {promised[name]}"
    return Blocks(pruning.block, (min(promised.values()), max(promised.values())), count, broken, first)


def _reads_all(array: np.ndarray) -> bool:
    """Whether an output reads every input, as it does in all layers but depthwise ones, which stay dense."""
    return array.ndim == 2 or array.shape[1] > 1


def _rows(array: np.ndarray) -> np.ndarray:
    return as_rows(torch.from_numpy(array)).numpy()


def _promise(mask: Tensor | None, name: str, pruning: Pruning) -> int:
    if pruning.scope == "layer":
        return math.ceil(pruning.sparsity * pruning.block - 1e-9)
    if mask is None:
        raise CheckpointError(f"{name} was pruned globally, and the checkpoint has no mask of it")
    return int(_zeros_by_block(_rows(mask.numpy()), pruning.block).max())


def _zeros_by_block(array: np.ndarray, block: int) -> np.ndarray:
    """Zeros of every block: (out_features, in_features / block)."""
    return (array == 0).reshape(len(array), -1, block).sum(axis=-1)

"""Magnitude pruning: masks that keep the largest weights of a matrix, of a block or of the model."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from brevitas_model.config import ConfigError
from brevitas_model.training.recipe import Pruning

Masks = dict[str, Tensor]


def matrices(model: nn.Module, skip: tuple[str, ...] = ()) -> dict[str, nn.Linear | nn.Conv2d]:
    """The layers of ``model`` whose outputs read all inputs, by name, without those in ``skip``.

    They are linear layers and convolutions of one group. Depthwise filters have nine weights an output,
    and stay dense.

    Raises:
        ConfigError: ``skip`` names no such layer.
    """
    found = {name: module for name, module in model.named_modules() if _is_matrix(module)}
    unknown = sorted(set(skip) - set(found))
    if unknown:
        raise ConfigError(f"pruning.skip names no linear layer {unknown[0]!r}; there are {', '.join(found)}")
    return {name: module for name, module in found.items() if name not in skip}


def layers(model: nn.Module) -> dict[str, nn.Linear | nn.Conv2d]:
    """All layers of ``model`` that have weights, by name; depthwise ones, too."""
    return {name: module for name, module in model.named_modules() if isinstance(module, (nn.Linear, nn.Conv2d))}


def _is_matrix(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)


def as_rows(weight: Tensor) -> Tensor:
    """Weights with one row an output, (out_features, inputs).

    The inputs of a convolution come pixel by pixel of its window, channels innermost, as a stream of
    pixels brings them.
    """
    return weight if weight.ndim == 2 else weight.permute(0, 2, 3, 1).flatten(1)


def _in_shape(rows: Tensor, shape: torch.Size) -> Tensor:
    """What :func:`as_rows` made, in the shape of the weights."""
    if len(shape) == 2:
        return rows
    outputs, channels, height, width = shape
    return rows.reshape(outputs, height, width, channels).permute(0, 3, 1, 2).contiguous()


def make_masks(model: nn.Module, pruning: Pruning, sparsity: float | None = None) -> Masks:
    """What to keep of every matrix: bool in the shape of its weights, by the layer's name.

    Args:
        model: whose weights are ranked.
        pruning: how.
        sparsity: on the way to ``pruning.sparsity``; with blocks it is rounded down to whole zeros a
            block; only the final sparsity is rounded up.

    Raises:
        ConfigError: a block that does not divide the inputs, or that no such share of zeros fits.
    """
    share = pruning.sparsity if sparsity is None else sparsity
    layers = matrices(model, pruning.skip)
    scores = {name: as_rows(layer.weight.detach().abs()) for name, layer in layers.items()}
    masks = _rank(scores, pruning, share, final=sparsity is None)
    return {name: _in_shape(mask, layers[name].weight.shape) for name, mask in masks.items()}


def _rank(scores: Masks, pruning: Pruning, share: float, final: bool) -> Masks:
    """What to keep of the rows ``scores``."""
    if pruning.structure == "unstructured":
        return _unstructured(scores, share, pruning.scope)
    for name, score in scores.items():
        if score.shape[1] % pruning.block:
            raise ConfigError(f"pruning.block {pruning.block} does not divide the {score.shape[1]} inputs of {name}")
    if pruning.scope == "layer":
        zeros = _zeros_a_block(share, pruning, final)
        return {name: _keep_largest(score, pruning.block, zeros) for name, score in scores.items()}
    return _balanced_globally(scores, share, pruning.block)


def _zeros_a_block(share: float, pruning: Pruning, final: bool) -> int:
    exact = share * pruning.block
    zeros = math.ceil(exact - 1e-9) if final else math.floor(exact + 1e-9)
    if zeros >= pruning.block:
        raise ConfigError(f"pruning.sparsity {share} leaves nothing of a block of {pruning.block}")
    return zeros


def _unstructured(scores: Masks, share: float, scope: str) -> Masks:
    if scope == "layer":
        return {name: _without_smallest(score, share) for name, score in scores.items()}
    together = _without_smallest(torch.cat([score.flatten() for score in scores.values()]), share)
    parts = together.split([score.numel() for score in scores.values()])
    return {name: part.reshape(scores[name].shape) for name, part in zip(scores, parts, strict=True)}


def _without_smallest(score: Tensor, share: float) -> Tensor:
    """All but the smallest ``share``, exactly that number where some are equal."""
    return _keep_largest(score, score.numel(), math.ceil(share * score.numel() - 1e-9))


def _keep_largest(score: Tensor, block: int, zeros: int) -> Tensor:
    """All but the ``zeros`` smallest of every ``block`` inputs of a row; the first of equals goes."""
    blocks = score.reshape(-1, block)
    gone = blocks.argsort(dim=-1, stable=True)[..., :zeros]
    return torch.ones_like(blocks, dtype=torch.bool).scatter_(-1, gone, False).reshape(score.shape)


def _balanced_globally(scores: Masks, share: float, block: int) -> Masks:
    """As many zeros in every block of a layer, layers differing: the cheapest next zero of all layers first.

    A layer's price of one more zero a block is the mean square of the weights it would remove. Zeros that every
    block has already are free and always taken, so that a rising share never brings one back.
    """
    ranked = {name: score.reshape(-1, block).sort(dim=-1).values.square().mean(dim=0) for name, score in scores.items()}
    zeros = {name: min(int((prices == 0).sum()), block - 1) for name, prices in ranked.items()}
    total = sum(score.numel() for score in scores.values())
    gone = sum(zeros[name] * (score.numel() // block) for name, score in scores.items())
    while gone < share * total - 1e-9:
        open_layers = [name for name in scores if zeros[name] < block - 1]
        if not open_layers:
            raise ConfigError(f"pruning.sparsity {share} leaves nothing of a block of {block}")
        cheapest = min(open_layers, key=lambda name: float(ranked[name][zeros[name]]))
        zeros[cheapest] += 1
        gone += scores[cheapest].numel() // block
    return {name: _keep_largest(score, block, zeros[name]) for name, score in scores.items()}


@torch.no_grad()
def apply_masks(model: nn.Module, masks: Masks) -> None:
    """Set the weights that ``masks`` does not keep to zero."""
    for name, mask in masks.items():
        model.get_submodule(name).weight.mul_(mask)


def removed(masks: Masks) -> float:
    """Share of the weights under ``masks`` that they set to zero."""
    kept = sum(int(mask.sum()) for mask in masks.values())
    return 1.0 - kept / sum(mask.numel() for mask in masks.values()) if masks else 0.0


def sparsity(model: nn.Module) -> float:
    """Share of zeros among the weights of :func:`matrices`."""
    weights = [layer.weight for layer in matrices(model).values()]
    return sum(int((weight == 0).sum()) for weight in weights) / max(sum(weight.numel() for weight in weights), 1)


def ramp(pruning: Pruning, epoch: float) -> float:
    """The sparsity at ``epoch``, a cubic from 0 to the target (Zhu and Gupta 2017)."""
    if epoch >= pruning.ramp_epochs:
        return pruning.sparsity
    return pruning.sparsity * (1.0 - (1.0 - epoch / pruning.ramp_epochs) ** 3)

"""Augmentation of whole batches, drawn beforehand for every image of a view of the training split.

A view is the training split with one draw of shifts, flips and partners for mixing. What an image
looks like in a view depends on the view's number alone, not on the batch that asks for it, so that a
teacher's answers to a view can be kept, and a run that was stopped sees the same images again.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from brevitas_model.training.data import Dataset
from brevitas_model.training.recipe import Augmentation

CROP_PADDING = 4


def generator(*numbers: int) -> torch.Generator:
    """A random stream of its own for every tuple of ``numbers``, the first below 2^63, the rest small."""
    seed = 0
    for number in numbers:
        seed = seed * 1_000_003 + number + 1
    return torch.Generator().manual_seed(seed % 2**64)


class View:
    """The training split, augmented in one way.

    Args:
        images: the training split, N images with labels.
        augmentation: what to draw.
        random: the stream to draw from.
    """

    def __init__(self, dataset: Dataset, augmentation: Augmentation, random: torch.Generator) -> None:
        self.augmentation = augmentation
        self.images, self.labels = torch.from_numpy(dataset.images), torch.from_numpy(dataset.labels)
        count, height, width, _ = self.images.shape
        self.shift = torch.randint(0, 2 * CROP_PADDING + 1, (2, count, 1), generator=random)
        self.flip = torch.rand(count, 1, generator=random) < 0.5
        self.partner = torch.randperm(count, generator=random)
        kind = torch.rand(count, generator=random)
        share = torch.rand(count, generator=random)  # of the partner, Beta(1, 1) as in both papers
        self.mixed = kind < augmentation.mixup
        self.pasted = ~self.mixed & (kind < augmentation.mixup + augmentation.cutmix)
        size = torch.stack([height * share.sqrt(), width * share.sqrt()])
        centre = torch.rand(2, count, generator=random) * torch.tensor([[height], [width]])
        limits = torch.tensor([[height], [width]])
        self.low = (centre - size / 2).round().clamp_min(0).long()
        self.high = torch.minimum((centre + size / 2).round().long(), limits)
        area = (self.high - self.low).prod(dim=0) / (height * width)
        self.share = torch.where(self.mixed, share, torch.where(self.pasted, area, torch.zeros(())))

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self, chosen: Tensor) -> Tensor:
        """Float pixels (B, H, W, C) of the images ``chosen`` (B,).

        mixup: Zhang et al. 2018; a pasted box: CutMix, Yun et al. 2019.
        """
        first = self._cropped(chosen).float()
        second = self._cropped(self.partner[chosen]).float()
        share = self.share[chosen, None, None, None]
        blend = first + share * (second - first)
        made = torch.where(self.mixed[chosen, None, None, None], blend, first)
        return torch.where(self._box(chosen) & self.pasted[chosen, None, None, None], second, made)

    def targets(self, chosen: Tensor, num_classes: int) -> Tensor:
        """Class probabilities (B, ``num_classes``) of the images ``chosen``."""
        share = self.share[chosen, None]
        own = F.one_hot(self.labels[chosen], num_classes)
        return own * (1 - share) + F.one_hot(self.labels[self.partner[chosen]], num_classes) * share

    def _cropped(self, chosen: Tensor) -> Tensor:
        """Random crops after padding, and flips: uint8 (B, H, W, C)."""
        images = self.images[chosen]
        _, height, width, _ = images.shape
        padded = F.pad(images, (0, 0, CROP_PADDING, CROP_PADDING, CROP_PADDING, CROP_PADDING))
        rows = self.shift[0, chosen] + torch.arange(height)
        columns = self.shift[1, chosen] + torch.arange(width)
        columns = torch.where(self.flip[chosen], columns.flip(1), columns)
        index = torch.arange(len(chosen))[:, None, None]
        return padded[index, rows[:, :, None], columns[:, None, :]]

    def _box(self, chosen: Tensor) -> Tensor:
        """Where the partner is pasted, bool (B, H, W, 1)."""
        _, height, width, _ = self.images.shape
        inside = []
        for axis, extent in enumerate((height, width)):
            place = torch.arange(extent)
            inside.append((place >= self.low[axis, chosen, None]) & (place < self.high[axis, chosen, None]))
        return (inside[0][:, :, None] & inside[1][:, None, :])[..., None]


def order(count: int, batch_size: int, random: torch.Generator) -> Iterator[Tensor]:
    """Indices of one shuffled epoch, batch by batch; the last short batch is dropped."""
    shuffled = torch.randperm(count, generator=random)
    for start in range(0, count - batch_size + 1, batch_size):
        yield shuffled[start : start + batch_size]

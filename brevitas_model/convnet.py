"""A convolutional network that learns CIFAR-10 in few epochs: the teacher of the vision transformers.

Shape, initial values and step sizes follow K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single
GPU", 2024 (airbench94). It never becomes hardware.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brevitas_model.config import ConfigError
from brevitas_model.vit import PIXEL_OFFSET, PIXEL_SCALE

WHITENING_KERNEL = 2
# Keeps directions in which images hardly differ from becoming noise.
WHITENING_FLOOR = 5e-4
LARGEST_WIDTH = 4096


@dataclass(frozen=True, kw_only=True)
class ConvNetConfig:
    """Shape of a :class:`ConvNet`.

    Args:
        width: channels of the first group; the two others have ``wide`` times as many.
        wide: see ``width``.
        num_classes: logits.
        mirrored: in eval mode the logits are the mean of those of the image and of its mirror image.

    Raises:
        ConfigError: a size that is not a positive integer, or ``mirrored`` that is no boolean.
    """

    architecture: Literal["convnet"] = "convnet"
    width: int = 64
    wide: int = 4
    num_classes: int = 10
    mirrored: bool = False

    quantized = False

    def __post_init__(self) -> None:
        for name, smallest in (("width", 3 * WHITENING_KERNEL**2 * 2), ("wide", 1), ("num_classes", 2)):
            value = getattr(self, name)
            if type(value) is not int or not smallest <= value <= LARGEST_WIDTH:
                raise ConfigError(f"{name} must be an integer of {smallest} to {LARGEST_WIDTH}, not {value!r}")
        if not isinstance(self.mirrored, bool):
            raise ConfigError(f"mirrored must be true or false, not {self.mirrored!r}")


class Group(nn.Module):
    """Two 3×3 convolutions, halving height and width after the first, (B, C, H, W) -> (B, D, H // 2, W // 2)."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding="same", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding="same", bias=False)
        self.norm1, self.norm2 = _norm(channels), _norm(channels)
        for conv in (self.conv1, self.conv2):
            # The first channels pass their input on.
            nn.init.dirac_(conv.weight[: conv.in_channels])

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


class ConvNet(nn.Module):
    """Images to logits.

    Shape:
        input (B, 32, 32, 3), values 0 … 255 in float32; output (B, ``num_classes``).
    """

    def __init__(self, config: ConvNetConfig) -> None:
        super().__init__()
        self.config = config
        whitened, narrow, wide = 3 * WHITENING_KERNEL**2 * 2, config.width, config.width * config.wide
        self.whitening = nn.Conv2d(3, whitened, WHITENING_KERNEL)
        self.whitening.weight.requires_grad_(False)
        nn.init.zeros_(self.whitening.bias)
        self.groups = nn.Sequential(Group(whitened, narrow), Group(narrow, wide), Group(wide, wide))
        self.head = nn.Linear(wide, config.num_classes, bias=False)
        self.to(memory_format=torch.channels_last)  # half the time of a convolution on CPUs

    def forward(self, pixels: Tensor) -> Tensor:
        if self.config.mirrored and not self.training:
            return (self.logits(pixels) + self.logits(pixels.flip(2))) / 2
        return self.logits(pixels)

    def logits(self, pixels: Tensor) -> Tensor:
        """Those of the images as they are."""
        x = F.gelu(self.whitening(_scaled(pixels)))  # (B, 24, 31, 31)
        x = self.groups(x)  # (B, C, 3, 3)
        return self.head(x.amax(dim=(2, 3))) / 9.0

    @torch.no_grad()
    def whiten(self, pixels: Tensor) -> None:
        """Make the first convolution from ``pixels`` (N, H, W, 3): their 2×2 patches uncorrelated, of both signs."""
        patches = F.unfold(_scaled(pixels), WHITENING_KERNEL).transpose(1, 2).flatten(0, 1)
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (vectors / torch.sqrt(values + WHITENING_FLOOR)).T.flip(0)
        self.whitening.weight.copy_(torch.cat([filters, -filters]).reshape(self.whitening.weight.shape))


def _scaled(pixels: Tensor) -> Tensor:
    return ((pixels - PIXEL_OFFSET) * PIXEL_SCALE).permute(0, 3, 1, 2)


def _norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm without gain, whose statistics follow the last few steps."""
    norm = nn.BatchNorm2d(channels, momentum=0.4, eps=1e-12)
    norm.weight.requires_grad_(False)
    return norm

"""A small convolutional network, the teacher of the vision transformer.

The shape is the nine-layer residual network that David Page's "How to train your ResNet" (2018) made
known, at a quarter of its width or less. It never becomes hardware.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from brevitas_model.config import ConfigError
from brevitas_model.vit import PIXEL_OFFSET, PIXEL_SCALE

LARGEST_WIDTH, LARGEST_CLASSES = 512, 1 << 16


@dataclass(frozen=True, kw_only=True)
class ResNet9Config:
    """Shape of a :class:`ResNet9`.

    Args:
        width: channels of the first convolution; the last have eight times as many.
        num_classes: logits.

    Raises:
        ConfigError: a size that is not a positive integer.
    """

    architecture: Literal["resnet9"] = "resnet9"
    width: int = 24
    num_classes: int = 10

    quantized = False

    def __post_init__(self) -> None:
        for name, smallest, largest in (("width", 1, LARGEST_WIDTH), ("num_classes", 2, LARGEST_CLASSES)):
            value = getattr(self, name)
            if type(value) is not int or not smallest <= value <= largest:
                raise ConfigError(f"{name} must be an integer of {smallest} to {largest}, not {value!r}")


def _conv(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
    )


class ResNet9(nn.Module):
    """Dataset to logits.

    Shape:
        input (B, H, W, 3), values 0 … 255 in float32; output (B, ``num_classes``).
    """

    def __init__(self, config: ResNet9Config) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.stem = nn.Sequential(_conv(3, width), _conv(width, 2 * width), nn.MaxPool2d(2))
        self.residual1 = nn.Sequential(_conv(2 * width, 2 * width), _conv(2 * width, 2 * width))
        self.middle = nn.Sequential(
            _conv(2 * width, 4 * width), nn.MaxPool2d(2), _conv(4 * width, 8 * width), nn.MaxPool2d(2)
        )
        self.residual2 = nn.Sequential(_conv(8 * width, 8 * width), _conv(8 * width, 8 * width))
        self.head = nn.Linear(8 * width, config.num_classes)
        self.to(memory_format=torch.channels_last)  # half the time of a convolution on CPUs

    def forward(self, pixels: Tensor) -> Tensor:
        x = ((pixels - PIXEL_OFFSET) * PIXEL_SCALE).permute(0, 3, 1, 2)
        x = self.stem(x)
        x = x + self.residual1(x)
        x = self.middle(x)
        x = x + self.residual2(x)
        return self.head(x.amax(dim=(2, 3)))

"""Pixels to patches of normalized codes."""

from __future__ import annotations

import numpy as np

from hls_projects.dataflow.program import Program, Read, Repeat, Write
from hls_projects.operators.base import HardwareOperator


class PatchReader(HardwareOperator):
    """Cut the picture into patches, row by row, and send every pixel through its channel's table.

    Attributes:
        image_size, patch_size, n_channels: (image_size, image_size, n_channels) uint8 in,
            (patches, patch_size * patch_size * n_channels) codes out.
        table: (n_channels * 256,) output codes.
    """

    kernel = "patch_reader"
    sizes = ("image_size", "patch_size", "n_channels")
    arrays = ("table",)

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.size("image_size"), self.size("image_size"), self.size("n_channels")),)

    def output_shape(self) -> tuple[int, ...]:
        grid, patch = self.size("image_size") // self.size("patch_size"), self.size("patch_size")
        return (grid * grid, patch * patch * self.size("n_channels"))

    def program(self) -> Program:
        image, patch = self.size("image_size"), self.size("patch_size")
        row = (Repeat(image * patch, (Read("in0"),)), Repeat(image // patch, (Write("out"),)))
        return (Repeat(image // patch, row),)

    def execute(self, pixels: np.ndarray) -> np.ndarray:
        grid, patch = self.size("image_size") // self.size("patch_size"), self.size("patch_size")
        channels = self.size("n_channels")
        codes = self.array("table")[pixels + 256 * np.arange(channels)]
        cut = codes.reshape(-1, grid, patch, grid, patch, channels).transpose(0, 1, 3, 2, 4, 5)
        return cut.reshape(-1, *self.output_shape())

"""Pixels to patches of normalized codes."""

from __future__ import annotations

import numpy as np

from hls_projects.cost import BlockRam, Demand, Rom
from hls_projects.dataflow.patterns import block_of, stretch
from hls_projects.dataflow.program import Read, Repeat, Write, free, take
from hls_projects.operators.base import HardwareOperator, Stage
from hls_projects.verilog.twin import Memory, Twin


class PatchReader(HardwareOperator):
    """Cut the image into patches, block by block, and send every pixel through its channel's table.

    Attributes:
        image_size, patch_size, n_channels: (image_size, image_size, n_channels) uint8 in,
            (patches, patch_size * patch_size * n_channels) codes out.
        block_height, block_width: rows and columns of the patches that leave together. Blocks leave
            row by row, and so do the patches of a block; one row of the image is a block, too.
        table: (n_channels * 256,) output codes.
    """

    kernel = "patch_reader"
    sizes = ("image_size", "patch_size", "n_channels", "block_height", "block_width")
    arrays = ("table",)

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.size("image_size"), self.size("image_size"), self.size("n_channels")),)

    def output_shape(self) -> tuple[int, ...]:
        grid, patch = self.size("image_size") // self.size("patch_size"), self.size("patch_size")
        return (grid * grid, patch * patch * self.size("n_channels"))

    def in_word(self, index: int = 0) -> int:
        return self.size("n_channels")

    def stages(self) -> tuple[Stage, ...]:
        grid, patch = self.size("image_size") // self.size("patch_size"), self.size("patch_size")
        pixels = self.size("block_height") * patch * self.size("image_size")
        read = block_of(pixels, (Read("in0"),), "rows")
        codes = pixels * self.size("n_channels")
        write = stretch(codes, (Write("out"),), first=(take("rows"),), last=(free("rows"),))
        rows = grid // self.size("block_height")
        return (Stage("read", (Repeat(rows, read),)), Stage("write", (Repeat(rows, write),)))

    def output_latency(self) -> int:
        return 2

    def twin(self) -> Twin:
        bits = self.out_dtype.bitwidth()
        sizes = {name.upper(): self.size(name) for name in self.sizes}
        return Twin(self.kernel, sizes | {"OUT_WIDTH": bits}, {"table": Memory.of(bits, self.array("table"))})

    def demand(self) -> Demand:
        pixels = self.size("block_height") * self.size("patch_size") * self.size("image_size")
        address = (pixels - 1).bit_length()
        lines = BlockRam.of(8 * self.size("n_channels"), 2 << address)
        rom = Rom.of(self.out_dtype.bitwidth(), self.array("table"))
        features = {
            "one": 1,
            "address_bits": address,
            "channels": self.size("n_channels"),
            "loop_bits": sum(self.size(name).bit_length() for name in self.sizes),
            "table_luts": rom.luts,
            "table_tree_luts": rom.tree_luts,
            "table_choice_luts": rom.choice_luts,
            "choice_luts": lines.choice_luts,
        }
        return Demand("PatchReader", features, BRAM36=lines.BRAM36 + rom.BRAM36)

    def execute(self, pixels: np.ndarray) -> np.ndarray:
        grid, patch = self.size("image_size") // self.size("patch_size"), self.size("patch_size")
        channels = self.size("n_channels")
        codes = self.array("table")[pixels + 256 * np.arange(channels)]
        height, width = self.size("block_height"), self.size("block_width")
        blocks = codes.reshape(-1, grid // height, height, patch, grid // width, width, patch, channels)
        cut = blocks.transpose(0, 1, 4, 2, 5, 3, 6, 7)
        return cut.reshape(-1, *self.output_shape())

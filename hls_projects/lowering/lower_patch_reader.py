"""Lowering of pixel normalization, ``Quant`` and the split into patches to :class:`PatchReader`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import DataType

from hls_projects.lowering.graph import GraphView, LoweringError, NoMatch
from hls_projects.lowering.tables import to_codes
from hls_projects.lowering.transformation import LowerAt
from hls_projects.operators import PatchReader


class LowerPatchReader(LowerAt):
    op_type = "Reshape"

    def lower(self, view: GraphView, node: NodeProto) -> NodeProto:
        transpose = view.producer(node.input[0], "Transpose")
        cut = view.producer(transpose.input[0], "Reshape")
        quant = view.producer(cut.input[0], "Quant")
        source = view.model.graph.input[0].name
        shape, tokens = view.shape(source), view.shape(node.output[0])
        if len(shape) != 4 or len(tokens) != 3 or tokens[2] < shape[3]:
            raise NoMatch
        size, channels = shape[1], shape[3]
        patch = math.isqrt(tokens[2] // channels)
        height, width = _block_shape(view, quant.output[0], node.output[0], patch)
        fmt = view.codes(quant.output[0])
        self.formats[node.output[0]] = fmt
        return PatchReader.make(
            "patch_reader",
            [source],
            node.output[0],
            in_dtypes=[DataType["UINT8"]],
            out_dtype=fmt.dtype,
            image_size=size,
            patch_size=patch,
            n_channels=channels,
            block_height=height,
            block_width=width,
            table=pixel_table(view, source, quant.output[0]),
        )


def pixel_table(view: GraphView, source: str, end: str) -> np.ndarray:
    """Codes of all 256 values of each channel, int64 (channels * 256,), channel by channel.

    Raises:
        LoweringError: a normalization that is not the same for every pixel.
    """
    _, height, width, channels = view.shape(source)
    values = np.broadcast_to((np.arange(height * width) % 256).reshape(1, height, width, 1), view.shape(source))
    codes = to_codes(view.run([source], end, {source: values}), view.formats[end], end).reshape(-1, channels)
    table = codes[:256]
    if not np.array_equal(codes, np.tile(table, (height * width // 256, 1))):
        raise LoweringError(f"{end}: the normalization of a pixel depends on its position")
    return table.T.reshape(-1)


def _block_shape(view: GraphView, start: str, end: str, patch: int) -> tuple[int, int]:
    """Rows and columns of the blocks in which patches are ordered, found by running the graph on indices of pixels."""
    shape = view.shape(start)
    indices = np.arange(np.prod(shape)).reshape(shape)
    found = view.run([start], end, {start: indices}).reshape(-1)
    for height, width in _block_shapes(shape[1] // patch):
        axes = (shape[1] // patch // height, height, patch, shape[2] // patch // width, width, patch, shape[3])
        if indices.size == math.prod(axes):
            expected = indices.reshape(axes).transpose(0, 3, 1, 4, 2, 5, 6)
            if np.array_equal(found, expected.reshape(-1)):
                return height, width
    raise LoweringError(f"{end}: the patches of the image are ordered neither row by row nor in blocks")


def _block_shapes(grid: int) -> Iterator[tuple[int, int]]:
    """Blocks whose sides divide ``grid``, beginning with a whole row of patches."""
    sides = [side for side in range(1, grid + 1) if grid % side == 0]
    yield from ((height, width) for height in sides for width in reversed(sides))

"""Pixel normalization, ``Quant`` and the cut into patches -> :class:`PatchReader`."""

from __future__ import annotations

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
        shape, cut_shape = view.shape(source), view.shape(cut.output[0])
        if len(shape) != 4 or len(cut_shape) != 6:
            raise NoMatch
        size, channels, patch = shape[1], shape[3], cut_shape[2]
        fmt = view.codes(quant.output[0])
        operator = PatchReader.make(
            "patch_reader",
            [source],
            node.output[0],
            in_dtypes=[DataType["UINT8"]],
            out_dtype=fmt.dtype,
            image_size=size,
            patch_size=patch,
            n_channels=channels,
            table=pixel_table(view, source, quant.output[0]),
        )
        _check_cut(view, quant.output[0], node.output[0], patch)
        self.formats[node.output[0]] = fmt
        return operator


def pixel_table(view: GraphView, source: str, end: str) -> np.ndarray:
    """Codes of all 256 values of each channel, (channels * 256,), channel by channel."""
    _, height, width, channels = view.shape(source)
    values = np.broadcast_to((np.arange(height * width) % 256).reshape(1, height, width, 1), view.shape(source))
    codes = to_codes(view.run([source], end, {source: values}), view.formats[end], end).reshape(-1, channels)
    table = codes[:256]
    if not np.array_equal(codes, np.tile(table, (height * width // 256, 1))):
        raise LoweringError(f"{end}: the normalization of a pixel depends on its place")
    return table.T.reshape(-1)


def _check_cut(view: GraphView, start: str, end: str, patch: int) -> None:
    """The reshape and transpose must cut patches row by row; running them on places shows it."""
    shape = view.shape(start)
    places = np.arange(np.prod(shape)).reshape(shape)
    grid = shape[1] // patch
    expected = places.reshape(grid, patch, grid, patch, shape[3]).transpose(0, 2, 1, 3, 4)
    if not np.array_equal(view.run([start], end, {start: places}).reshape(-1), expected.reshape(-1)):
        raise LoweringError(f"{end}: the picture is not cut into patches row by row")

"""The kernel, its numpy semantics and loops over the image agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_projects.operators import PatchReader
from tests.support.kernel_bench import check_kernel
from tests.support.operators import bulk, kernel_settings, make_operator

CHANNELS, CASES = 3, 4


def naive(operator: PatchReader, images: np.ndarray) -> np.ndarray:
    """Compute the token and the offset of every pixel by itself."""
    size, patch, height, width = (
        operator.size(name) for name in ("image_size", "patch_size", "block_height", "block_width")
    )
    blocks = size // patch // width
    table = operator.array("table").reshape(CHANNELS, 256)
    result = np.full((len(images), *operator.output_shape()), 10_000)
    for case, row, column, channel in np.ndindex(images.shape):
        patch_row, patch_column = row // patch, column // patch
        block = patch_row // height * blocks + patch_column // width
        token = block * height * width + patch_row % height * width + patch_column % width
        offset = (row % patch * patch + column % patch) * CHANNELS + channel
        result[case, token, offset] = table[channel, images[case, row, column, channel]]
    return result


# One row of patches a block, blocks as wide as the image or not, and no more than one block.
@pytest.mark.parametrize(
    ("image_size", "patch_size", "block"),
    [(8, 4, (1, 2)), (8, 8, (1, 1)), (6, 2, (1, 3)), (8, 2, (2, 2)), (8, 2, (4, 1))],
)
@kernel_settings
@given(data=st.data())
def test_any_image_and_table(image_size, patch_size, block, data):
    table = data.draw(bulk(-128, 127, CHANNELS * 256))
    operator = make_operator(
        PatchReader, ["UINT8"], "INT8",
        image_size=image_size, patch_size=patch_size, n_channels=CHANNELS,
        block_height=block[0], block_width=block[1], table=table,
    )  # fmt: skip
    images = data.draw(bulk(0, 255, CASES, image_size, image_size, CHANNELS))
    np.testing.assert_array_equal(check_kernel(operator, images), naive(operator, images))

"""The twin in Verilog cuts like the operator; pixels come in while codes leave."""

from __future__ import annotations

import numpy as np
import pytest

from hls_projects.operators import PatchReader
from hls_projects.rtl.bench import check_twin
from tests.support.operators import make_operator, mixed_codes

IMAGES = 4


@pytest.mark.verilator
@pytest.mark.parametrize(
    ("image_size", "patch_size", "block", "channels"),
    [
        (8, 4, (1, 2), 3),
        (8, 8, (1, 1), 3),
        (6, 2, (1, 3), 3),
        (8, 2, (2, 2), 3),
        (8, 2, (4, 1), 2),
        (12, 2, (3, 2), 1),
        (4, 1, (2, 2), 4),
        (32, 4, (1, 8), 3),
    ],
)
def test_a_pixel_in_while_a_code_leaves(image_size, patch_size, block, channels):
    operator = make_operator(
        PatchReader, ["UINT8"], "INT8",
        image_size=image_size, patch_size=patch_size, n_channels=channels,
        block_height=block[0], block_width=block[1],
        table=np.random.default_rng(1).integers(-128, 128, channels * 256),
    )  # fmt: skip
    images = mixed_codes("UINT8", IMAGES, image_size, image_size, channels)
    for seed in (1, 2):
        check_twin(operator, images, stalls=seed)
    cycles = check_twin(operator, images)
    rows = image_size // patch_size // block[0]
    row_pixels = image_size * image_size // rows
    assert cycles.interval() == rows * row_pixels * channels
    assert cycles.latency() == row_pixels + 2

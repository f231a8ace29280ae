"""The twin in Verilog adds its table like the operator, a word a cycle, stored tokens among them."""

from __future__ import annotations

import numpy as np
import pytest

from hls_projects.operators import PositionEmbedding
from hls_projects.rtl.bench import check_twin
from tests.support.operators import make_operator, mixed_codes

IMAGES = 5


@pytest.mark.verilator
@pytest.mark.parametrize(
    ("in_dtype", "out_dtype", "patches", "prefix", "channels", "in_shift", "out_shift"),
    [
        ("INT8", "INT8", 6, 0, 10, 2, 2),
        ("INT8", "INT8", 4, 1, 7, 2, 2),
        ("UINT8", "INT8", 3, 2, 4, 0, 1),
        ("INT8", "UINT8", 1, 1, 1, 1, 0),
        ("INT4", "INT8", 64, 1, 12, 3, 0),
    ],
)
def test_sums_at_a_word_a_cycle(in_dtype, out_dtype, patches, prefix, channels, in_shift, out_shift):
    table = np.random.default_rng(5).integers(-500, 500, (prefix + patches) * channels)
    operator = make_operator(
        PositionEmbedding, [in_dtype], out_dtype, n_patches=patches, n_prefix=prefix, n_in=channels,
        in_shift=in_shift, out_shift=out_shift, table=table,
    )  # fmt: skip
    x = mixed_codes(in_dtype, IMAGES, patches, channels)
    for seed in (1, 2):
        check_twin(operator, x, stalls=seed)
    cycles = check_twin(operator, x)
    assert cycles.interval() == (prefix + patches) * channels
    assert cycles.latency() == (1 if not prefix else 1 - prefix * channels)


@pytest.mark.verilator
def test_a_positive_table():
    """Its words have no sign."""
    operator = make_operator(
        PositionEmbedding, ["INT8"], "INT8", n_patches=2, n_prefix=0, n_in=3, in_shift=0, out_shift=0,
        table=np.array([0, 255, 128, 127, 1, 200]),
    )  # fmt: skip
    check_twin(operator, mixed_codes("INT8", 20, 2, 3))

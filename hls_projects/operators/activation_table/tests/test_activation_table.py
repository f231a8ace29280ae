"""The kernel, its numpy semantics and a dictionary agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from hls_projects.operators import ActivationTable
from tests.support.kernel_bench import check_kernel
from tests.support.operators import bulk, codes, kernel_settings, limits, make_operator

TOKENS, CHANNELS, CASES = 2, 4, 8


@pytest.mark.parametrize(("in_dtype", "out_dtype"), [("INT8", "INT8"), ("UINT8", "INT8"), ("INT4", "UINT8")])
@kernel_settings
@given(data=st.data())
def test_any_table(in_dtype, out_dtype, data):
    low, high = limits(DataType[in_dtype])
    table = data.draw(bulk(*limits(DataType[out_dtype]), high - low + 1))
    sizes = {"n_tokens": TOKENS, "n_in": CHANNELS, "n_codes": len(table)}
    operator = make_operator(ActivationTable, [in_dtype], out_dtype, table=table, **sizes)
    x = data.draw(codes(in_dtype, CASES, TOKENS, CHANNELS))
    every = np.arange(low, high + 1).reshape(-1, TOKENS, CHANNELS)
    x = np.concatenate([x, every])
    entry = dict(zip(range(low, high + 1), table.tolist(), strict=True))
    np.testing.assert_array_equal(check_kernel(operator, x), np.vectorize(entry.__getitem__)(x))

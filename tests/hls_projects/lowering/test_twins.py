"""The twins of a lowered graph's operators, with the tables, shifts and types that lowering gives them."""

from __future__ import annotations

import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from hls_projects.lowering.merging import merged
from hls_projects.operators import (
    ActivationTable,
    ChannelSlice,
    IntegerLayerNorm,
    IntegerSoftmax,
    PatchReader,
    PositionEmbedding,
    ResidualAdd,
    TokenPooling,
)
from hls_projects.rtl.bench import check_twin
from tests.support.operators import mixed_codes

KINDS = (
    PatchReader, PositionEmbedding, IntegerLayerNorm, IntegerSoftmax, ResidualAdd, ActivationTable, TokenPooling,
    ChannelSlice,
)  # fmt: skip
IMAGES = 2


@pytest.mark.verilator
@pytest.mark.parametrize("kind", KINDS)
def test_lowered_operators(kind: type, lowered: ModelWrapper) -> None:
    operators = [getCustomOp(node) for node in merged(lowered).graph.node if node.op_type == kind.__name__]
    assert operators
    for operator in operators:
        cases = [
            mixed_codes(operator.in_dtype(index).name, IMAGES, *shape, seed=index)
            for index, shape in enumerate(operator.input_shapes())
        ]
        for stalls in (0, 1):
            check_twin(operator, *cases, stalls=stalls)

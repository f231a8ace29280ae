"""Every table of the shipped model against PyTorch itself, on all codes.

The tables come from running the QONNX subgraph; were PyTorch's exponential or GELU to round one code
the other way, images might not show it.
"""

import numpy as np
import pytest
import torch
from qonnx.custom_op.registry import getCustomOp

from brevitas_model.checkpoint import load_checkpoint
from brevitas_model.export import export
from brevitas_model.vit import VARIANCE_FLOOR
from flows.command_line.options import SHIPPED_CHECKPOINT
from hls_projects.lowering import lower
from hls_projects.lowering.graph import read_formats


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    model, _ = load_checkpoint(SHIPPED_CHECKPOINT)
    exported = export(model, tmp_path_factory.mktemp("shipped") / "model.onnx")
    operators = {node.name: getCustomOp(node) for node in lower(exported).graph.node}
    return model, read_formats(exported), operators


def step_of(formats, operator):
    return formats[operator.onnx_node.input[0]].step


@torch.no_grad()
def test_activation_tables(shipped):
    model, formats, operators = shipped
    for index, block in enumerate(model.blocks):
        operator = operators[f"blocks_{index}_mlp_act"]
        codes = torch.arange(-128, 128) * 2.0 ** step_of(formats, operator)
        expected = block.mlp.act_quant(block.mlp.act(codes)) * 2.0 ** -formats[operator.onnx_node.output[0]].step
        assert np.array_equal(operator.array("table"), expected.numpy())


@torch.no_grad()
def test_softmax_tables(shipped):
    model, formats, operators = shipped
    for index, block in enumerate(model.blocks):
        operator, softmax = operators[f"blocks_{index}_attn_softmax"], block.attn.softmax
        distance = -torch.arange(256) * 2.0 ** step_of(formats, operator)
        assert np.array_equal(
            operator.array("exp_table"), (softmax.exp_quant(torch.exp(distance * softmax.scale)) * 256).numpy()
        )
        for exponent in range(8):
            total = torch.arange(128, 256) * 2.0 ** (exponent - 8)
            reciprocal = softmax.reciprocal_quant(1.0 / softmax.sum_quant(total))
            ratio = reciprocal.numpy() * 2.0**exponent / operator.array("reciprocal_table")
            assert len(np.unique(ratio)) == 1


@torch.no_grad()
def test_layer_norm_tables(shipped):
    model, _, operators = shipped
    norms = {f"blocks_{i}_norm{n}": getattr(b, f"norm{n}") for i, b in enumerate(model.blocks) for n in (1, 2)}
    for name, norm in (norms | {"norm": model.norm}).items():
        ratios = set()
        for exponent in range(-20, 10):
            sums = torch.arange(128, 256) * 2.0**exponent
            variance = norm.variance_quant(sums).clamp_min(VARIANCE_FLOOR)
            inverse = norm.inverse_quant(1.0 / torch.sqrt(variance * (1.0 / norm.dim)))
            half = operators[name].array("inverse_table").reshape(2, 128)[exponent % 2]
            ratios |= set(np.unique(inverse.numpy() * 2.0 ** (exponent // 2) / half))
        assert len(ratios) == 1

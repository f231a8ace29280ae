"""LUTs of the elements, one a bit in each of their parts, and of the rest of a layer."""

from __future__ import annotations

import numpy as np
import pytest

from hls_projects.operators import PotLinear
from hls_projects.operators.pot_linear.tests.test_pot_linear_twin import layer
from hls_projects.rtl.synthesis import sources, synthesise, synthesise_twin

SOURCES = sources(PotLinear.verilog_folder())
# LUTs of a layer without its elements, at most, and how many more with two tokens, without their queues.
OVERHEAD, TOKENS_OVERHEAD = 150, 40
FACTORS = {"POWERS": 9, "BUCKET_WIDTH": 4, "FACTOR_WIDTH": 2, "CODE_WIDTH": 8}


@pytest.mark.yosys
@pytest.mark.parametrize(
    "element, parameters, lut, lut_ram, dsp",
    [
        # An adder of 14 bits and RAM for 16; 11 more for the odd factor, and one for its sign.
        ("bucket", {"SUM_WIDTH": 14}, 14 + 8, 8, 0),
        ("bucket", {"SUM_WIDTH": 16, **FACTORS}, 16 + 8 + 11 + 1, 8, 0),
        # An adder of 20 bits and a shift of up to 3, whose lowest bit is an AND.
        ("shift", {"SUM_WIDTH": 20}, 20 + 10, 0, 0),
        ("dsp", {"SUM_WIDTH": 20}, 0, 0, 1),
    ],
)  # fmt: skip
def test_elements(element, parameters, lut, lut_ram, dsp):
    found = synthesise(f"pot_element_{element}", parameters, SOURCES)
    assert (found.lut, found.lut_ram, found.dsp) == (lut, lut_ram, dsp)


@pytest.mark.yosys
@pytest.mark.parametrize("sparse", [0, 1])
def test_layer(sparse):
    """Three elements share the RAM of a sparse layer's activations."""
    operator = layer(np.random.default_rng(0), n_out=24, element="bucket", sparse=sparse, pe=6)
    sizes = operator.twin().parameters
    # Adder and buckets, the constant for empty ones, and the tree that reads results out.
    elements = 6 * (sizes["SUM_WIDTH"] + 8 + 1) + sizes["SUM_WIDTH"] + sizes["POWERS"] - 1
    activations = 2 * 16 * sparse
    queue = 8
    found = synthesise_twin(operator)
    assert found.lut_ram == 6 * 8 + activations + queue
    assert elements + activations < found.lut < elements + activations + OVERHEAD
    assert (found.bram36, found.dsp) == (1, 0)


@pytest.mark.yosys
@pytest.mark.parametrize("sparse", [0, 1])
def test_two_tokens(sparse):
    """As many elements: shift registers for 32 results of the first token and for 92 of the second; fewer codes."""
    one, two = (
        synthesise_twin(layer(np.random.default_rng(0), n_out=60, element="bucket", sparse=sparse, **folding))
        for folding in ({"pe": 12}, {"pe": 6, "parallel_tokens": 2})
    )
    queues = 8 * (1 + 3) - 8
    assert two.lut_ram == one.lut_ram + queues
    assert two.lut < one.lut + queues + TOKENS_OVERHEAD
    assert two.ff < one.ff + TOKENS_OVERHEAD
    assert two.bram36 < one.bram36

"""What the stages of every operator declare: the words of its streams, blocks that come back, the cycles.

The cycles are those of the kernels' formulas, written out; those of the twins, in
``tests/hls_projects/rtl/test_timing.py``, are the same for all but the linear layers.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import asdict

import numpy as np
import pytest

from hls_projects.dataflow.program import busy_cycles, words
from hls_projects.operators import (
    OPERATORS,
    ActivationTable,
    AttentionScores,
    AttentionValues,
    ChannelSlice,
    Head,
    IntegerLayerNorm,
    IntegerSoftmax,
    PatchReader,
    PositionEmbedding,
    PotLinear,
    ResidualAdd,
    TokenPooling,
)
from hls_projects.operators.attention.window import Window
from hls_projects.operators.base import Stage
from tests.support.operators import make_operator
from tests.support.simulated_cycles import simulated_cycles

INT8 = ["INT8", "INT8"]
GLOBAL, TILES = Window.whole(6, tile_size=2), Window.of_tiles(6, tile_size=2, context_tiles=1)
IMAGES = 5


def linear(cls, n_tokens, n_in, n_out, *, zeros=0, **attributes):
    """A layer with ``zeros`` weights that are zero in every 16 of a row."""
    codes = np.where(np.arange(n_in) % 16 < zeros, 0, 1) * np.ones((n_out, 1))
    none = np.zeros(n_out)
    shifts = {"bias": none, "acc_shift": none, "out_shift": none}
    sizes = {"n_tokens": n_tokens, "n_in": n_in, "n_out": n_out, "exponent_bits": 3, "mantissa_bits": 0}
    return make_operator(cls, ["INT8"], "INT8", codes=codes, **sizes, **shifts, **attributes)


def norm(n_tokens, n_in):
    sizes = {
        "n_tokens": n_tokens, "n_in": n_in, "mean_multiplier": 1, "mean_shift": 3, "x_shift": 0, "mean_align": 0,
        "mean_bits": 8, "centred_bits": 9, "centred_shift": 0, "headroom": 4, "out_shift": 12,
    }  # fmt: skip
    return make_operator(IntegerLayerNorm, ["INT8"], "INT8", inverse_table=np.ones(256), **sizes)


def softmax(window, n_heads):
    tables = {"exp_table": np.full(256, 255), "reciprocal_table": np.ones(128)}
    sizes = asdict(window) | {"n_heads": n_heads, "n_codes": 256, "out_shift": 9}
    return make_operator(IntegerSoftmax, ["INT8"], "UINT8", **tables, **sizes)


def attention(cls, window, n_heads, head_dim, **folding):
    return make_operator(
        cls, INT8, "INT8", **asdict(window), n_heads=n_heads, head_dim=head_dim, out_shift=8, **folding
    )


def reader(block_height):
    sizes = {"image_size": 8, "patch_size": 2, "n_channels": 3, "block_height": block_height, "block_width": 2}
    return make_operator(PatchReader, ["UINT8"], "INT8", table=np.zeros(768), **sizes)


def embedding(n_prefix):
    sizes = {"n_patches": 4, "n_prefix": n_prefix, "n_in": 3, "in_shift": 0, "out_shift": 1}
    return make_operator(PositionEmbedding, ["INT8"], "INT8", table=np.ones((4 + n_prefix) * 3), **sizes)


# Cycles of the stages of the kernel for an image.
CASES = {
    "activation_table": (
        make_operator(ActivationTable, ["INT8"], "INT8", n_tokens=3, n_in=5, n_codes=256, table=np.zeros(256)),
        [15],
    ),
    "residual_add": (
        make_operator(ResidualAdd, INT8, "INT8", n_tokens=3, n_in=5, a_shift=0, b_shift=0, out_shift=1),
        [15],
    ),
    "channel_slice": (
        make_operator(ChannelSlice, ["INT8"], "INT8", n_tokens=3, n_in=6, n_out=2, first=2),
        [18],
    ),
    "channel_slice of the last channels": (
        make_operator(ChannelSlice, ["INT8"], "INT8", n_tokens=3, n_in=6, n_out=2, first=4),
        [18],
    ),
    "position_embedding": (embedding(0), [12]),
    "position_embedding with a class token": (embedding(1), [15]),
    "patch_reader": (reader(1), [64, 192]),
    "patch_reader of blocks": (reader(4), [64, 192]),
    "token_pooling": (
        make_operator(TokenPooling, ["INT8"], "INT8", n_tokens=4, n_in=6, average=1, multiplier=1, out_shift=2),
        [4 * 6],
    ),
    "token_pooling of one channel": (
        make_operator(TokenPooling, ["INT8"], "INT8", n_tokens=4, n_in=1, average=0, multiplier=1, out_shift=0),
        [4],
    ),
    # Three cycles for the mean; the root of 19 bits whose half exponents are -4 to 5.
    "integer_layer_norm": (norm(4, 6), [4 * 6, 4 * (3 + 4 + 6), 4 * ((6 + 1 + 9) + 1 + 6)]),
    # Sums of 255 to 1530, to 1020 and of 255.
    "integer_softmax": (softmax(GLOBAL, 2), [12 * 6, 12 * (3 + 6), 12 * ((4 + 1 + 3) + 1 + 6)]),
    "integer_softmax of tiles": (softmax(TILES, 3), [18 * 4, 18 * (3 + 4), 18 * ((4 + 1 + 2) + 1 + 4)]),
    "integer_softmax of one key": (softmax(Window.whole(1, tile_size=1), 2), [2, 2 * 4, 2 * (5 + 1 + 1)]),
    "attention_scores": (
        attention(AttentionScores, GLOBAL, 2, 5),
        [6 * 10, 6 * 10, 6 * 2 * 6 * 5, 6 * 12, 6 * 12],
    ),
    "attention_scores of tiles, folded": (
        attention(AttentionScores, TILES, 6, 5, parallel_heads=3, parallel_keys=2),
        [6 * 30, 6 * 30, 6 * 2 * 2 * 5, 6 * 24, 6 * 24],
    ),
    "attention_scores of one channel": (
        attention(AttentionScores, TILES, 2, 1, parallel_heads=2, parallel_keys=2),
        [6 * 2, 6 * 2, 6 * 2, 6 * 8, 6 * 8],
    ),
    "attention_values": (
        attention(AttentionValues, TILES, 2, 5),
        [6 * 10, 6 * 8, 6 * 2 * 5 * 4, 6 * 10, 6 * 10],
    ),
    "attention_values, folded": (
        attention(AttentionValues, GLOBAL, 4, 6, parallel_heads=2, parallel_channels=3),
        [6 * 24, 6 * 24, 6 * 2 * 2 * 6, 6 * 24, 6 * 24],
    ),
    "pot_linear": (linear(PotLinear, 4, 7, 5), [28, 4 * 5 * 7, 20]),
    "pot_linear, folded": (linear(PotLinear, 4, 7, 5, pe=2, simd=2), [28, 4 * 3 * 4, 20]),
    "pot_linear of buckets": (linear(PotLinear, 4, 7, 5, pe=5, element="bucket"), [28, 4 * (7 + 7), 20]),
    "pot_linear of DSPs": (linear(PotLinear, 4, 7, 5, pe=3, element="dsp"), [28, 4 * 2 * 7, 20]),
    "pot_linear with buffered results": (
        linear(PotLinear, 4, 7, 5, pe=5, element="bucket", result_buffers=2),
        [28, 4 * (7 + 7), 20],
    ),
    "pot_linear without zeros": (
        linear(PotLinear, 4, 40, 5, zeros=10, sparse=1, pe=4, simd=4),
        [160, 4 * 2 * math.ceil(3 * 6 / 4), 20],
    ),
    "pot_linear without zeros, of buckets": (
        linear(PotLinear, 4, 32, 5, zeros=8, sparse=1, element="bucket"),
        [128, 4 * 5 * (2 * 8 + 7), 20],
    ),
    "pot_linear without zeros, in two chunks": (
        linear(PotLinear, 2, 32, 20, zeros=8, sparse=1, element="bucket"),
        [64, 2 * 20 * (2 * 8 + 7), 40],
    ),
    # Two tokens' results, and those of the second one again.
    "pot_linear of two tokens": (
        linear(PotLinear, 4, 7, 5, pe=2, element="bucket", parallel_tokens=2),
        [28, 2 * 3 * (7 + 7), 2 * 15],
    ),
    "head": (linear(Head, 1, 7, 5), [7, 35, 5]),
    "head, folded": (linear(Head, 1, 7, 5, pe=4, simd=7), [7, 2, 5]),
}
all_cases = pytest.mark.parametrize("name", CASES)


def stream_words(operator) -> Counter:
    """Words of its streams by the names of the stages' ports, and whether the operator writes them."""
    shapes = {("out", True): (operator.output_shape(), operator.out_word())}
    for index, shape in enumerate(operator.input_shapes()):
        shapes[f"in{index}", False] = shape, operator.in_word(index)
    return Counter({end: math.prod(shape) // word for end, (shape, word) in shapes.items()})


def kinds(name) -> list[tuple[Stage, ...]]:
    """The stages of the twin and those of the kernel."""
    operator = CASES[name][0]
    return [operator.stages(), operator.kernel_stages()]


def test_every_operator_is_here():
    assert {type(operator) for operator, _ in CASES.values()} == set(OPERATORS)


@all_cases
def test_a_stage_of_a_kernel_takes_the_cycles_of_its_formula(name):
    operator, cycles = CASES[name]
    assert [busy_cycles(stage.program) for stage in operator.kernel_stages()] == cycles


@all_cases
def test_stages_move_the_words_of_the_streams(name):
    for stages in kinds(name):
        moved = sum((words(stage.program) for stage in stages), Counter())
        own = Counter({end: count for end, count in moved.items() if "." not in end[0]})
        assert own == stream_words(CASES[name][0])


@all_cases
def test_every_block_is_claimed_filled_taken_and_freed_as_often(name):
    """By one stage and a later one, which are the only ones that use it; blocks join the stages to a chain."""
    for stages in kinds(name):
        uses: dict[str, dict] = {}
        for place, stage in enumerate(stages):
            for (port, writes), count in words(stage.program).items():
                if "." in port:
                    block, token = port.split(".")
                    assert uses.setdefault(block, {}).setdefault((token, writes), (place, count)) == (place, count)
        joined = set()
        for use in uses.values():
            assert set(use) == {("claimed", True), ("filled", True), ("filled", False), ("claimed", False)}
            assert len({count for _, count in use.values()}) == 1
            writer, reader = ({place for (_, end), (place, _) in use.items() if end == own} for own in (True, False))
            assert len(writer) == len(reader) == 1 and min(writer) < min(reader)
            joined.add((min(writer), min(reader)))
        assert len(joined) == len(stages) - 1


@pytest.mark.parametrize("cls", OPERATORS)
def test_stages_are_the_processes_of_the_kernel(cls):
    header = cls.header().read_text()
    body = re.search(rf"^void {cls.kernel}\(.*?^}}", header, flags=re.MULTILINE | re.DOTALL)[0]
    calls = re.findall(r"^ +PIPELINE_PROCESS\(", body, flags=re.MULTILINE)
    for operator in (operator for operator, _ in CASES.values() if type(operator) is cls):
        names = [stage.name for stage in operator.kernel_stages()]
        assert len(set(names)) == len(names) == max(len(calls), 1)
        assert all(names) == bool(calls)


@all_cases
def test_stages_work_on_different_images_at_once(name):
    """Between sources and a sink that never wait, images come as often as the slowest stage takes."""
    operator, _ = CASES[name]
    slowest = max(busy_cycles(stage.program) for stage in operator.stages())
    assert simulated_cycles(operator, IMAGES).interval() == slowest

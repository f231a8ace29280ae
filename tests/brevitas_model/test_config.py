"""The configuration refuses what does not describe a model."""

from __future__ import annotations

import dataclasses
import json

import pytest

from brevitas_model.config import ConfigError, ViTConfig


def test_default_is_valid_and_frozen():
    config = ViTConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.depth = 4
    assert ViTConfig.from_dict(json.loads(config.to_json())) == config


SIZES = [field.name for field in dataclasses.fields(ViTConfig) if field.type == "int"]
SIZES.remove("context_tiles")


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [0, -1, 1.0, "4", None, True])
def test_sizes_are_positive_integers(name: str, value: object):
    with pytest.raises(ConfigError, match=f"{name} must be a positive integer, not {value!r}"):
        ViTConfig(**{name: value})


@pytest.mark.parametrize("value", [-1, 1.0, "0", None, False])
def test_context_may_be_none(value: object):
    assert ViTConfig(attention="windowed", context_tiles=0).context_tiles == 0
    with pytest.raises(ConfigError, match=f"context_tiles must be 0 or a positive integer, not {value!r}"):
        ViTConfig(context_tiles=value)


@pytest.mark.parametrize(
    "name", ["global_pool", "attention", "token_order", "activation", "weight_format", "weight_scaling"]
)
@pytest.mark.parametrize("value", ["", "Mean", 4, None, ["mean"]])
def test_choices_are_listed(name: str, value: object):
    with pytest.raises(ConfigError, match=f"{name} must be one of .*, not "):
        ViTConfig(**{name: value})


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"patch_size": 5}, "patch_size 5 does not divide image_size 32"),
        ({"patch_size": 64}, "patch_size 64 does not divide image_size 32"),
        ({"num_heads": 3}, "num_heads 3 does not divide embed_dim 128"),
        ({"activation_bits": 3}, "activation_bits must be 4 to 8, not 3"),
        ({"activation_bits": 9}, "activation_bits must be 4 to 8, not 9"),
        ({"logit_bits": 7}, "logit_bits must be 8 to 16, not 7"),
        ({"logit_bits": 17}, "logit_bits must be 8 to 16, not 17"),
        ({"tile_size": 65}, "tile_size 65 is larger than the sequence of 64 tokens"),
        ({"tile_size": 128, "attention": "windowed"}, "tile_size 128 is larger than the sequence of 64 tokens"),
        ({"patch_size": 16, "attention": "windowed"}, "tile_size 8 is larger than the sequence of 4 tokens"),
        ({"patch_size": 16, "tile_size": 7}, "tile_size 7 is larger than the sequence of 4 tokens"),
        ({"tile_size": 24, "attention": "windowed"}, "tile_size 24 does not divide the 64 tokens"),
        (
            {"attention": "windowed", "global_pool": "token"},
            'attention "windowed" needs global_pool "mean": the class token is the first of the sequence',
        ),
        (
            {"tile_size": 12, "token_order": "blocks"},
            "tile_size 12 makes blocks of 3 x 4 patches, which do not divide the 8 x 8 patches of an image",
        ),
        ({"tile_size": 32, "token_order": "blocks", "patch_size": 16}, "tile_size 32 is larger than"),
        ({"tile_size": 13, "token_order": "blocks"}, "blocks of 1 x 13 patches, which do not divide"),
    ],
)
def test_sizes_fit_each_other(fields: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        ViTConfig(**fields)


def test_unknown_key_is_named_with_the_known():
    with pytest.raises(ConfigError, match=r"unknown model key 'dim'; known keys: .*embed_dim"):
        ViTConfig.from_dict({"dim": 128})


@pytest.mark.parametrize("pool, tokens", [("token", 17), ("mean", 16)])
def test_derived_sizes(pool: str, tokens: int):
    config = ViTConfig(embed_dim=24, num_heads=3, patch_size=8, mlp_ratio=3, global_pool=pool)
    assert (config.grid_size, config.num_patches, config.num_tokens) == (4, 16, tokens)
    assert (config.patch_features, config.head_dim, config.hidden_dim) == (192, 8, 72)
    assert config.quantized and not dataclasses.replace(config, weight_format="float").quantized


def test_fields_that_are_left_out_are_those_of_global_attention():
    """As in a checkpoint from before there were tiles, also one of fewer tokens than a tile."""
    for patch in (4, 8, 16, 32):
        config = ViTConfig.from_dict({"patch_size": patch})
        assert (config.attention, config.tile_size, config.context_tiles, config.token_order) == (
            "global", 8, 1, "rows",
        )  # fmt: skip
        assert config.num_scores == config.num_tokens**2


@pytest.mark.parametrize(
    "tile, block", [(4, (2, 2)), (16, (4, 4)), (64, (8, 8)), (8, (2, 4)), (32, (4, 8)), (2, (1, 2))]
)
def test_blocks_are_as_square_as_can_be(tile: int, block: tuple[int, int]):
    assert ViTConfig(tile_size=tile, token_order="blocks").block_shape == block
    assert ViTConfig(tile_size=tile).block_shape == (1, 8)


@pytest.mark.parametrize(
    "tile, context, scores", [(64, 2, 64 * 64), (32, 1, 32 * 32 * 3), (16, 0, 64 * 16), (8, 1, 15 * 64)]
)
def test_scores_are_counted(tile: int, context: int, scores: int):
    assert ViTConfig(attention="windowed", tile_size=tile, context_tiles=context).num_scores == scores

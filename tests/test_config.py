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


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [0, -1, 1.0, "4", None, True])
def test_sizes_are_positive_integers(name: str, value: object):
    with pytest.raises(ConfigError, match=f"{name} must be a positive integer, not {value!r}"):
        ViTConfig(**{name: value})


@pytest.mark.parametrize("name", ["global_pool", "activation", "weight_format", "weight_scaling"])
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
    ],
)
def test_sizes_fit_each_other(fields: dict[str, int], message: str):
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

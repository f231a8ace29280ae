"""The configuration of hybrid models: what it refuses, by key, and the sizes that it works out without a tensor."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from brevitas_model.config import ConfigError
from brevitas_model.hybrid import HybridTransformer
from brevitas_model.models import config_from_dict, config_to_json
from brevitas_model.stages import AttentionStage, ConvStage, HybridConfig, stages_from
from brevitas_model.vit import count_parameters
from tests.support.models import ATTENTION_STAGE, CONV_STAGE, hybrid_config

convs = st.builds(
    ConvStage,
    embed_dim=st.integers(1, 9),
    depth=st.integers(0, 2),
    expansion=st.integers(1, 3),
    kernel_size=st.integers(2, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
)
attentions = st.builds(
    lambda heads, width, **fields: AttentionStage(num_heads=heads, embed_dim=heads * width, **fields),
    heads=st.integers(1, 3),
    width=st.integers(1, 4),
    depth=st.integers(0, 2),
    mlp_ratio=st.integers(1, 3),
    mlp_depthwise=st.booleans(),
    position_embedding=st.booleans(),
    kernel_size=st.integers(2, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
    tile_size=st.just(1),
)


@st.composite
def configs(draw: st.DrawFn, **fixed: object) -> HybridConfig:
    """Any model of up to four stages on an image of 12 x 12."""
    last = draw(attentions)
    pool = draw(st.sampled_from(["mean", "token"]))
    if pool == "token":
        last = dataclasses.replace(last, mlp_depthwise=False)
    try:
        stages = (*draw(st.lists(convs | attentions, max_size=3)), last)
        return HybridConfig(stages=stages, image_size=12, in_channels=2, num_classes=5, global_pool=pool, **fixed)
    except ConfigError as error:
        assert "is larger than its padded input" in str(error)
        return draw(configs(**fixed))


@settings(deadline=None, max_examples=40)
@given(config=configs(weight_format="float"))
def test_sizes_are_those_of_the_model(config: HybridConfig):
    """Parameters without batch norm, which is folded; multiplications as torch counts them."""
    model = HybridTransformer(config).eval()
    norms = sum(module.num_features for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d))
    # A norm has a gain and an offset a channel, and takes the place of a bias.
    assert count_parameters(model) - norms == config.num_parameters
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        assert model(torch.zeros(1, 12, 12, 2)).shape == (1, 5)
    assert counted.get_total_flops() == 2 * config.num_macs


@settings(deadline=None, max_examples=40)
@given(config=configs())
def test_a_configuration_survives_json(config: HybridConfig):
    assert config_from_dict(json.loads(config_to_json(config))) == config


def test_frozen_and_hashable():
    config = hybrid_config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.stages[0].depth = 2
    assert hash(config) == hash(hybrid_config()) and config.sizes == (8, 4)


def changed(index: int, **changes: object) -> list[dict[str, object]]:
    """The stages of the small hybrid, one of them changed; a value of None removes its key."""
    stages = [dict(CONV_STAGE), dict(ATTENTION_STAGE)]
    stages[index] |= changes
    stages[index] = {name: value for name, value in stages[index].items() if value is not None}
    return stages


@pytest.mark.parametrize(
    "stages, message",
    [
        ([], "stages must be a list of tables, one a stage, not []"),
        ("conv", "stages must be a list of tables, one a stage, not 'conv'"),
        (["conv"], "stages[0].kind must be one of conv, attention, not 'conv'"),
        (changed(1, kind=None), "stages[1].kind must be one of conv, attention, not None"),
        (changed(1, kind="mixer"), "stages[1].kind must be one of conv, attention, not 'mixer'"),
        (changed(0, kind=["conv"]), "stages[0].kind must be one of conv, attention, not ['conv']"),
        (changed(0, num_heads=2), "stages[0].num_heads is no key of a stage of conv; known keys: depth, embed_dim"),
        (changed(1, expansion=2), "stages[1].expansion is no key of a stage of attention; known keys: attention,"),
        (changed(0, embed_dim=None), "stages[0].embed_dim is missing"),
        (changed(1, depth=None), "stages[1].depth is missing"),
        (changed(0, embed_dim=0), "stages[0].embed_dim must be an integer of 1 to 4096, not 0"),
        (changed(0, embed_dim=True), "stages[0].embed_dim must be an integer of 1 to 4096, not True"),
        (changed(0, expansion=2.0), "stages[0].expansion must be an integer of 1 to 4096, not 2.0"),
        (changed(0, depth=-1), "stages[0].depth must be an integer of 0 to 64, not -1"),
        (changed(0, kernel_size=9), "stages[0].kernel_size must be an integer of 1 to 8, not 9"),
        (changed(0, stride=5), "stages[0].stride must be an integer of 1 to 4, not 5"),
        (changed(0, padding=4), "stages[0].padding 4 must be less than kernel_size 4"),
        ([*changed(1, kernel_size=8, padding=0, stride=1), ATTENTION_STAGE | {"kernel_size": 4, "padding": 0}],
         "stages[2].kernel_size 4 is larger than its padded input"),
        (changed(1, num_heads=3), "stages[1].num_heads 3 does not divide embed_dim 16"),
        (changed(1, mlp_depthwise=1), "stages[1].mlp_depthwise must be true or false, not 1"),
        (changed(1, attention="local"), "stages[1].attention must be one of global, windowed, not 'local'"),
        (changed(1, attention="windowed", tile_size=3), "stages[1].tile_size 3 does not divide the 16 tokens"),
        ([CONV_STAGE] * 16 + [ATTENTION_STAGE], "stages must be 16 at most, not 17"),
        ([CONV_STAGE], "stages[0].kind must be attention, which the last stage is"),
    ],
)  # fmt: skip
def test_stages_that_are_refused(stages: object, message: str):
    with pytest.raises(ConfigError) as error:
        config_from_dict({"architecture": "hybrid", "stages": stages})
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"stream_bits": 7}, "stream_bits must be an integer of 8 to 10, not 7"),
        ({"stream_bits": 11}, "stream_bits must be an integer of 8 to 10, not 11"),
        ({"activation_bits": 9}, "activation_bits must be an integer of 4 to 8, not 9"),
        ({"logit_bits": 17}, "logit_bits must be an integer of 8 to 16, not 17"),
        ({"image_size": "32"}, "image_size must be an integer of 1 to 4096, not '32'"),
        ({"depthwise_format": "float"}, "depthwise_format must be one of same, pot4, pot6, not 'float'"),
        ({"global_pool": "max"}, "global_pool must be one of token, mean, not 'max'"),
        ({"global_pool": "token"}, 'global_pool "token" needs a last stage without mlp_depthwise'),
        ({"depth": 3}, "unknown model key 'depth'; known keys: activation, activation_bits, architecture"),
    ],
)
def test_models_that_are_refused(changes: dict[str, object], message: str):
    fields = {"architecture": "hybrid", "stages": [CONV_STAGE, ATTENTION_STAGE]}
    with pytest.raises(ConfigError) as error:
        config_from_dict(fields | changes)
    assert str(error.value).startswith(message)


def test_a_class_token_needs_global_attention():
    last = {"kind": "attention", "embed_dim": 16, "depth": 1, "num_heads": 2, "attention": "windowed", "tile_size": 17}
    with pytest.raises(ConfigError, match=r'^stages\[1\].attention "windowed" needs global_pool "mean"'):
        hybrid_config(CONV_STAGE, last, global_pool="token")


@pytest.mark.parametrize(
    "stages, image_size, message",
    [
        (
            [ATTENTION_STAGE | {"embed_dim": 4096, "depth": 64}],
            32,
            r"^stages\[0\]\.embed_dim 4,096, depth 64 .* too large",
        ),
        ([ATTENTION_STAGE], 4096, r"^stages\[0\]\..* [\d,]+ values in a layer"),
        (
            [
                CONV_STAGE | {"depth": 64, "stride": 1},
                *[CONV_STAGE | {"stride": 4}] * 2,
                ATTENTION_STAGE | {"stride": 4},
            ],
            1024,
            r"^the model has [\d,]+ multiplications an image, more than 17,179,869,184",
        ),
    ],
)
def test_absurd_sizes_are_refused_by_arithmetic(
    stages: list[dict[str, object]], image_size: int, message: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch, "empty", lambda *_, **__: pytest.fail("a tensor was made"))
    with pytest.raises(ConfigError, match=message):
        hybrid_config(*stages, image_size=image_size)


def test_stages_may_be_objects():
    stages = hybrid_config().stages
    assert stages_from(stages) is not stages and stages_from(stages) == stages
    with pytest.raises(ConfigError, match="stages must be a tuple of stages"):
        HybridConfig(stages=[CONV_STAGE])

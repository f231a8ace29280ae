"""The models that can be trained, by the name of their architecture."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from torch import nn

from brevitas_model.config import ConfigError, ViTConfig
from brevitas_model.convnet import ConvNet, ConvNetConfig
from brevitas_model.hybrid import HybridTransformer
from brevitas_model.resnet import ResNet9, ResNet9Config
from brevitas_model.stages import HybridConfig, stages_from
from brevitas_model.vit import VisionTransformer

ModelConfig = ViTConfig | HybridConfig | ResNet9Config | ConvNetConfig
ARCHITECTURES: dict[str, tuple[type, type[nn.Module]]] = {
    "vit": (ViTConfig, VisionTransformer),
    "hybrid": (HybridConfig, HybridTransformer),
    "resnet9": (ResNet9Config, ResNet9),
    "convnet": (ConvNetConfig, ConvNet),
}


def build_model(config: ModelConfig) -> nn.Module:
    """A model of ``config`` with random weights."""
    return next(model for made_of, model in ARCHITECTURES.values() if type(config) is made_of)(config)


def config_from_dict(fields: dict[str, Any]) -> ModelConfig:
    """The configuration that plain data describes; without ``architecture`` it is a ``"vit"``.

    Raises:
        ConfigError: an unknown architecture or key, or an invalid value.
    """
    if not isinstance(fields, dict):
        raise ConfigError(f"a model is a table of settings, not {fields!r}")
    architecture = fields.get("architecture", "vit")
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise ConfigError(f"architecture must be one of {', '.join(ARCHITECTURES)}, not {architecture!r}")
    config, _ = ARCHITECTURES[architecture]
    known = sorted(field.name for field in dataclasses.fields(config))
    given = {name: value for name, value in fields.items() if name != "architecture" or name in known}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigError(f"unknown model key {unknown[0]!r}; known keys: {', '.join(known)}")
    if "stages" in given:
        given["stages"] = stages_from(given["stages"])
    return config(**given)


def config_to_json(config: ModelConfig) -> str:
    return json.dumps(dataclasses.asdict(config), sort_keys=True)

"""The one configuration object of the model."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints


class ConfigError(ValueError):
    """A configuration that does not describe a model."""


@dataclass(frozen=True, kw_only=True)
class ViTConfig:
    """Shape and number formats of a :class:`brevitas_model.vit.VisionTransformer`.

    Field names follow timm's ``vision_transformer.py``. All sizes are in elements.

    Args:
        image_size: height and width of the square input, in pixels.
        in_channels: colour channels of a pixel.
        patch_size: height and width of a square patch, in pixels.
        embed_dim: width of a token.
        depth: number of transformer blocks.
        num_heads: attention heads; divides ``embed_dim``.
        mlp_ratio: hidden width of the MLP over ``embed_dim``.
        num_classes: logits.
        global_pool: ``"token"`` prepends a class token and classifies it, ``"mean"`` averages
            the patch tokens.
        activation: non-linearity of the MLP.
        weight_format: ``"float"`` (no quantizer anywhere), ``"pot4"`` (E3M0: a signed power of
            two or zero) or ``"pot6"`` (E3M2: a sum of up to three powers of two).
        weight_scaling: one power-of-two scale a tensor or an output channel.
        activation_bits: width of every activation code, 4 to 8.
        logit_bits: width of the logits' codes.

    Raises:
        ConfigError: a value outside its domain, or sizes that do not divide each other.
    """

    image_size: int = 32
    in_channels: int = 3
    patch_size: int = 4
    embed_dim: int = 128
    depth: int = 3
    num_heads: int = 4
    mlp_ratio: int = 2
    num_classes: int = 10
    global_pool: Literal["token", "mean"] = "mean"
    activation: Literal["relu", "gelu"] = "gelu"
    weight_format: Literal["float", "pot4", "pot6"] = "pot4"
    weight_scaling: Literal["channel", "tensor"] = "channel"
    activation_bits: int = 8
    logit_bits: int = 16

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            _check_field(name, getattr(self, name), hint)
        if self.image_size % self.patch_size:
            raise ConfigError(f"patch_size {self.patch_size} does not divide image_size {self.image_size}")
        if self.embed_dim % self.num_heads:
            raise ConfigError(f"num_heads {self.num_heads} does not divide embed_dim {self.embed_dim}")
        if not 4 <= self.activation_bits <= 8:
            raise ConfigError(f"activation_bits must be 4 to 8, not {self.activation_bits}")
        if not 8 <= self.logit_bits <= 16:
            raise ConfigError(f"logit_bits must be 8 to 16, not {self.logit_bits}")

    @property
    def grid_size(self) -> int:
        """Patches along one side of the picture."""
        return self.image_size // self.patch_size

    @property
    def num_patches(self) -> int:
        return self.grid_size**2

    @property
    def num_prefix_tokens(self) -> int:
        """Tokens in front of the patches (timm's name): the class token, or none."""
        return int(self.global_pool == "token")

    @property
    def num_tokens(self) -> int:
        return self.num_patches + self.num_prefix_tokens

    @property
    def patch_features(self) -> int:
        """Values of one patch: ``patch_size`` squared times ``in_channels``."""
        return self.patch_size**2 * self.in_channels

    @property
    def head_dim(self) -> int:
        return self.embed_dim // self.num_heads

    @property
    def hidden_dim(self) -> int:
        return self.embed_dim * self.mlp_ratio

    @property
    def quantized(self) -> bool:
        return self.weight_format != "float"

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> ViTConfig:
        """Build from plain data, refusing unknown keys.

        Raises:
            ConfigError: an unknown key or an invalid value.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(fields) - known)
        if unknown:
            raise ConfigError(f"unknown model key {unknown[0]!r}; known keys: {', '.join(sorted(known))}")
        return cls(**fields)


def _check_field(name: str, value: Any, hint: Any) -> None:
    if hint is int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{name} must be a positive integer, not {value!r}")
    elif value not in get_args(hint):
        raise ConfigError(f"{name} must be one of {', '.join(get_args(hint))}, not {value!r}")

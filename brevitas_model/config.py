"""The one configuration object of the model."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from hls_projects.errors import InputError

DEFAULT_TILE_SIZE = 8
# Of one field, and of what the fields together make.
LARGEST_SIZE, LARGEST_DEPTH, LARGEST_PARAMETERS, LARGEST_LAYER = 1 << 16, 256, 1 << 27, 1 << 28
# Smallest values of sizes that may be zero; all others are positive.
SMALLEST = {"context_tiles": 0}


class ConfigError(InputError):
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
        attention: ``"global"``: every token sees every token. ``"windowed"``: tiles of ``tile_size``
            tokens; a token sees all tokens of its own tile and of the ``context_tiles`` tiles before
            it. Needs ``global_pool = "mean"``.
        tile_size: tokens that flow together. In global attention they only order the work and the
            last tile may be shorter; in windowed attention they divide the tokens.
        context_tiles: tiles before its own that a token sees, 0 or more; of windowed attention only.
        token_order: in which the patches flow: ``"rows"`` row by row, or ``"blocks"``, each tile a
            block of the image as square as can be (8 is 2 rows of 4), the blocks and the patches
            in each row by row.
        activation: non-linearity of the MLP.
        weight_format: ``"float"`` (no quantizer anywhere), ``"pot4"`` (E3M0: a signed power of
            two or zero) or ``"pot6"`` (E3M2: a sum of up to three powers of two).
        weight_scaling: one power-of-two scale a tensor or an output channel.
        activation_bits: width of every activation code, 4 to 8.
        logit_bits: width of the logits' codes.

    Raises:
        ConfigError: a value outside its domain, or sizes that do not fit each other.
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
    attention: Literal["global", "windowed"] = "global"
    tile_size: int = DEFAULT_TILE_SIZE
    context_tiles: int = 1
    token_order: Literal["rows", "blocks"] = "rows"
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
        self._check_tiles()
        self._check_size()

    def _check_size(self) -> None:
        """Reject by arithmetic a model that no memory holds, before a tensor is made."""
        width, hidden = self.embed_dim, self.hidden_dim
        blocks = self.depth * (4 * width**2 + 2 * width * hidden)
        parameters = blocks + width * (self.patch_features + self.num_tokens + self.num_classes)
        values = self.num_heads * self.num_scores + self.num_tokens * max(width, hidden, self.patch_features)
        if self.depth > LARGEST_DEPTH or parameters > LARGEST_PARAMETERS or values > LARGEST_LAYER:
            raise ConfigError(
                f"embed_dim {width:,}, depth {self.depth:,} and the image's size make a model that is too large: "
                f"{parameters:,} weights, {values:,} values in a layer; at most {LARGEST_PARAMETERS:,} and "
                f"{LARGEST_LAYER:,} are supported, and a depth of {LARGEST_DEPTH}"
            )

    def _check_tiles(self) -> None:
        windowed, size = self.attention == "windowed", self.tile_size
        # A model of fewer tokens than the default needs no tile_size of its own for global attention.
        if size > self.num_tokens and (windowed or size != DEFAULT_TILE_SIZE):
            raise ConfigError(f"tile_size {size} is larger than the sequence of {self.num_tokens} tokens")
        if windowed and self.num_prefix_tokens:
            raise ConfigError(
                'attention "windowed" needs global_pool "mean": the class token is the first of the sequence '
                "and would never see the image"
            )
        if windowed and self.num_tokens % size:
            raise ConfigError(f"tile_size {size} does not divide the {self.num_tokens} tokens of windowed attention")
        height, width = self.block_shape
        if self.grid_size % height or self.grid_size % width:
            raise ConfigError(
                f"tile_size {size} makes blocks of {height} x {width} patches, "
                f"which do not divide the {self.grid_size} x {self.grid_size} patches of an image"
            )

    @property
    def grid_size(self) -> int:
        """Patches along one side of the image."""
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
    def num_tiles(self) -> int:
        """Tiles of the sequence; the last one may be shorter in global attention."""
        return math.ceil(self.num_tokens / self.tile_size)

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of the patches that flow together; one row of the image in order ``"rows"``."""
        if self.token_order == "rows":
            return 1, self.grid_size
        height = max(n for n in range(1, math.isqrt(self.tile_size) + 1) if self.tile_size % n == 0)
        return height, self.tile_size // height

    @property
    def num_scores(self) -> int:
        """Pairs of a query and a key that it sees, of one head."""
        if self.attention == "global":
            return self.num_tokens**2
        return self.tile_size**2 * sum(min(tile, self.context_tiles) + 1 for tile in range(self.num_tiles))

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
        smallest = SMALLEST.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            kind = "a positive integer" if smallest else "0 or a positive integer"
            raise ConfigError(f"{name} must be {kind}, not {value!r}")
        if value > LARGEST_SIZE:
            raise ConfigError(f"{name} must be at most {LARGEST_SIZE:,}")
    elif value not in get_args(hint):
        raise ConfigError(f"{name} must be one of {', '.join(get_args(hint))}, not {value!r}")

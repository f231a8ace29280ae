"""The vision transformer, top to bottom: softmax, norm, attention, MLP, block, model.

Shapes: B images, T tokens, D ``embed_dim``, H ``num_heads``, C ``head_dim``. In eval mode every
tensor that a quantizer did not just produce is a sum or a product of codes that float32 holds
exactly, so the order in which a library adds them does not matter.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brevitas_model import quantizers
from brevitas_model.config import ViTConfig

PIXEL_OFFSET = 128.0
PIXEL_SCALE = 1.0 / 64.0
# Stands in for the variance of a row of equal values, which is zero and so is its numerator.
VARIANCE_FLOOR = 2.0**-24


def reciprocal(count: int) -> float:
    """1/``count`` rounded to eight significant bits, so that a product with a code stays exact."""
    mantissa, exponent = math.frexp(1.0 / count)
    return math.ldexp(round(math.ldexp(mantissa, 8)), exponent - 8)


def seen_keys(config: ViTConfig) -> Tensor | None:
    """1 where a query (first axis) sees a key, else 0, (T, T); None where it sees them all."""
    if config.attention == "global" or config.num_tiles == 1:
        return None
    tile = torch.arange(config.num_tokens) // config.tile_size
    age = tile[:, None] - tile[None, :]
    return ((age >= 0) & (age <= config.context_tiles)).float()


def raster_places(config: ViTConfig) -> Tensor | None:
    """Place row by row of each token of the stream, int64 (T,); None where the two orders are the same."""
    if config.token_order == "rows":
        return None
    height, width = config.block_shape
    grid = config.grid_size
    blocks = torch.arange(config.num_patches).reshape(grid // height, height, grid // width, width)
    patches = blocks.permute(0, 2, 1, 3).reshape(-1) + config.num_prefix_tokens
    return torch.cat([torch.arange(config.num_prefix_tokens), patches])


class Softmax(nn.Module):
    """Softmax over the last axis of score codes, (B, H, T, T) -> (B, H, T, T).

    Keys that a query does not see get probability 0. Quantized: the exponential of the distance to
    the row's maximum is an 8-bit code, the sum and its reciprocal keep eight significant bits, the
    probability is an 8-bit code of 2^-8.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.quantized = config.quantized
        self.scale = 1.0 / math.sqrt(config.head_dim)
        self.exp_quant = quantizers.fixed_activation(config, scale=2.0**-8, signed=False, bits=8)
        self.sum_quant = quantizers.significant_bits(config)
        self.reciprocal_quant = quantizers.significant_bits(config)
        self.prob_quant = quantizers.fixed_activation(config, scale=2.0**-8, signed=False, bits=8)
        self.register_buffer("seen", seen_keys(config), persistent=False)

    def forward(self, scores: Tensor) -> Tensor:
        if self.seen is not None:
            scores = self.hide(scores)
        if not self.quantized:
            return torch.softmax(scores * self.scale, dim=-1)
        # A softmax does not depend on what is subtracted: no gradient through the maximum.
        distance = scores - scores.amax(dim=-1, keepdim=True).detach()
        exp = self.exp_quant(torch.exp(distance * self.scale))
        if self.seen is not None:
            exp = exp * self.seen
        total = self.sum_quant(exp.sum(dim=-1, keepdim=True))
        return self.prob_quant(exp * self.reciprocal_quant(1.0 / total))

    def hide(self, scores: Tensor) -> Tensor:
        """``scores`` with those of unseen keys where they do not count: minus infinity, or the row's lowest code."""
        if not self.quantized:
            return scores.masked_fill(self.seen == 0, -math.inf)
        lowest = scores.amin(dim=-1, keepdim=True).detach()
        return scores * self.seen + lowest * (1.0 - self.seen)


class LayerNorm(nn.Module):
    """LayerNorm over the last axis without gain or offset, (B, T, D) -> (B, T, D).

    The affine part belongs to the linear layer that follows. Quantized: the mean is a code of its
    own scale, the centred value a code of one bit more than an activation (the largest whose
    squares sum exactly), and the variance and its inverse root keep eight significant bits.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.dim = config.embed_dim
        self.quantized = config.quantized
        self.mean_quant = quantizers.activation(config)
        self.centred_quant = quantizers.activation(config, bits=config.activation_bits + 1)
        self.variance_quant = quantizers.significant_bits(config)
        self.inverse_quant = quantizers.significant_bits(config)
        self.out_quant = quantizers.activation(config)

    def forward(self, x: Tensor) -> Tensor:
        if not self.quantized:
            return F.layer_norm(x, (self.dim,))
        mean = self.mean_quant(x.sum(dim=-1, keepdim=True) * reciprocal(self.dim))
        centred = self.centred_quant(x - mean)
        variance = self.variance_quant((centred * centred).sum(dim=-1, keepdim=True))
        deviation = torch.sqrt(variance.clamp_min(VARIANCE_FLOOR) * (1.0 / self.dim))
        return self.out_quant(centred * self.inverse_quant(1.0 / deviation))


class Attention(nn.Module):
    """Multi-head self-attention, (B, T, D) -> (B, T, D), over all tokens or by tiles of them."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        dim = config.embed_dim
        self.heads = (-1, config.num_tokens, config.num_heads, config.head_dim)
        self.merged = (-1, config.num_tokens, dim)
        self.q, self.k, self.v = (quantizers.linear(config, dim, dim) for _ in range(3))
        self.q_quant, self.k_quant, self.v_quant = (quantizers.activation(config) for _ in range(3))
        self.score_quant = quantizers.activation(config)
        self.softmax = Softmax(config)
        self.value_quant = quantizers.activation(config)
        self.proj = quantizers.linear(config, dim, dim)
        self.proj_quant = quantizers.activation(config)

    def forward(self, x: Tensor) -> Tensor:
        q = self.q_quant(self.q(x)).reshape(self.heads).permute(0, 2, 1, 3)  # (B, H, T, C)
        k = self.k_quant(self.k(x)).reshape(self.heads).permute(0, 2, 3, 1)  # (B, H, C, T)
        v = self.v_quant(self.v(x)).reshape(self.heads).permute(0, 2, 1, 3)  # (B, H, T, C)
        probs = self.softmax(self.score_quant(q @ k))  # (B, H, T, T)
        values = self.value_quant(probs @ v).permute(0, 2, 1, 3).reshape(self.merged)
        return self.proj_quant(self.proj(values))


class Mlp(nn.Module):
    """Two linear layers around a non-linearity, (B, T, D) -> (B, T, D)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.fc1 = quantizers.linear(config, config.embed_dim, config.hidden_dim)
        self.fc1_quant = quantizers.activation(config)
        self.act = nn.GELU() if config.activation == "gelu" else nn.ReLU()
        self.act_quant = quantizers.activation(config, signed=config.activation == "gelu")
        self.fc2 = quantizers.linear(config, config.hidden_dim, config.embed_dim)
        self.fc2_quant = quantizers.activation(config)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.act_quant(self.act(self.fc1_quant(self.fc1(x))))
        return self.fc2_quant(self.fc2(hidden))


class Block(nn.Module):
    """Pre-norm transformer block, (B, T, D) -> (B, T, D)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.norm1, self.norm2 = LayerNorm(config), LayerNorm(config)
        self.attn, self.mlp = Attention(config), Mlp(config)
        self.attn_add_quant = quantizers.activation(config)
        self.mlp_add_quant = quantizers.activation(config)

    def forward(self, x: Tensor) -> Tensor:
        x = self.attn_add_quant(x + self.attn(self.norm1(x)))
        return self.mlp_add_quant(x + self.mlp(self.norm2(x)))


class VisionTransformer(nn.Module):
    """Images to logits.

    Args:
        config: shape and number formats.

    Shape:
        input (B, ``image_size``, ``image_size``, ``in_channels``), uint8 values held in float32;
        output (B, ``num_classes``), real units.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        grid, patch, (height, width) = config.grid_size, config.patch_size, config.block_shape
        self.grid = (-1, grid // height, height, patch, grid // width, width, patch, config.in_channels)
        self.patches = (-1, config.num_patches, config.patch_features)
        self.pixel_quant = quantizers.fixed_activation(config, scale=PIXEL_SCALE, signed=True, bits=8)
        self.patch_embed = quantizers.linear(config, config.patch_features, config.embed_dim)
        self.embed_quant = quantizers.activation(config)
        # The class token, where there is one, is the first row of the position embedding. The other
        # rows lie row by row whatever the token_order, so that a checkpoint serves any.
        self.pos_embed = nn.Parameter(torch.empty(1, config.num_tokens, config.embed_dim))
        self.register_buffer("places", raster_places(config), persistent=False)
        self.pos_quant = quantizers.activation(config)
        self.token_quant = quantizers.activation(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        if not config.num_prefix_tokens:
            self.pool_quant = quantizers.activation(config)
        self.norm = LayerNorm(config)
        self.head = quantizers.linear(config, config.embed_dim, config.num_classes)
        self.head_quant = quantizers.activation(config, bits=config.logit_bits)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.pixel_quant((pixels - PIXEL_OFFSET) * PIXEL_SCALE)
        x = x.reshape(self.grid).permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(self.patches)
        x = self.embed_quant(self.patch_embed(x))  # (B, patches, D)
        if self.config.num_prefix_tokens:
            x = F.pad(x, (0, 0, 1, 0))  # (B, T, D)
        positions = self.pos_embed if self.places is None else self.pos_embed[:, self.places]
        x = self.token_quant(x + self.pos_quant(positions))
        for block in self.blocks:
            x = block(x)
        x = self.norm(self.pool(x))  # (B, 1, D)
        return self.head_quant(self.head(x)).reshape(-1, self.config.num_classes)

    def pool(self, x: Tensor) -> Tensor:
        """All tokens to the one that is classified, (B, T, D) -> (B, 1, D)."""
        if self.config.num_prefix_tokens:
            return x[:, :1]
        return self.pool_quant(x.sum(dim=1, keepdim=True) * reciprocal(self.config.num_tokens))


def count_parameters(model: nn.Module) -> int:
    """Weights, biases and embeddings; the scales of quantizers do not count."""
    return sum(p.numel() for name, p in model.named_parameters() if "scaling_impl" not in name)

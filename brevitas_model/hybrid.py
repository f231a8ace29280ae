"""The hybrid model, top to bottom: convolution blocks see the image first, attention last.

Shapes: B images, C channels of an H × W grid, T tokens of width D. As in
:mod:`brevitas_model.vit`, every tensor of a quantized model that a quantizer did not just produce is
a sum or a product of codes that float32 holds exactly.

Sources: Dai et al., "CoAtNet", 2021 (the order of the stages); Sandler et al., "MobileNetV2", 2018
(the inverted bottleneck); Wang et al., "PVT v2", 2022 (the depthwise convolution in the MLP).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from brevitas_model import quantizers
from brevitas_model.stages import DEPTHWISE_KERNEL, AttentionStage, ConvStage, HybridConfig
from brevitas_model.vit import PIXEL_OFFSET, PIXEL_SCALE, Attention, LayerNorm, reciprocal


class NormedConv(nn.Module):
    """A convolution and its batch norm, (B, C, H, W) -> (B, C', H', W').

    A quantized model has the norm's gain and offset in the weights and the bias of the convolution.
    """

    def __init__(
        self, config: HybridConfig, in_channels: int, out_channels: int, kernel_size: int = 1, **geometry: int
    ) -> None:
        super().__init__()
        self.conv = quantizers.conv(config, in_channels, out_channels, kernel_size, bias=config.quantized, **geometry)
        self.norm = nn.Identity() if config.quantized else nn.BatchNorm2d(out_channels)  # folded by batch_norm.py

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class Activation(nn.Module):
    """A code of its own in front of a non-linearity and one behind it, any shape."""

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.in_quant = quantizers.activation(config)
        self.function = nn.GELU() if config.activation == "gelu" else nn.ReLU()
        self.out_quant = quantizers.activation(config, signed=config.activation == "gelu")

    def forward(self, x: Tensor) -> Tensor:
        return self.out_quant(self.function(self.in_quant(x)))


class InvertedBottleneck(nn.Module):
    """1×1 expand, depthwise 3×3, 1×1 project, residual, (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, config: HybridConfig, stage: ConvStage) -> None:
        super().__init__()
        dim, hidden = stage.embed_dim, stage.hidden_dim
        self.expand = NormedConv(config, dim, hidden)
        self.expand_act = Activation(config)
        self.depthwise = NormedConv(
            config, hidden, hidden, DEPTHWISE_KERNEL, padding=DEPTHWISE_KERNEL // 2, groups=hidden
        )
        self.depthwise_act = Activation(config)
        self.project = NormedConv(config, hidden, dim)
        self.project_quant = quantizers.activation(config)
        self.add_quant = quantizers.activation(config, bits=config.stream_bits)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.expand_act(self.expand(x))
        hidden = self.depthwise_act(self.depthwise(hidden))
        return self.add_quant(x + self.project_quant(self.project(hidden)))


class TokenDepthwise(nn.Module):
    """A depthwise 3×3 convolution over the grid of tokens, (B, T, D) -> (B, T, D), padded with zeros."""

    def __init__(self, config: HybridConfig, size: int, dim: int) -> None:
        super().__init__()
        self.grid, self.tokens = (-1, size, size, dim), (-1, size * size, dim)
        self.conv = quantizers.conv(
            config, dim, dim, DEPTHWISE_KERNEL, bias=True, padding=DEPTHWISE_KERNEL // 2, groups=dim
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x.reshape(self.grid).permute(0, 3, 1, 2))
        return x.permute(0, 2, 3, 1).reshape(self.tokens)


class Mlp(nn.Module):
    """Two linear layers around a non-linearity, with a depthwise convolution or without, (B, T, D) -> (B, T, D)."""

    def __init__(self, config: HybridConfig, stage: AttentionStage, size: int) -> None:
        super().__init__()
        self.fc1 = quantizers.linear(config, stage.embed_dim, stage.hidden_dim)
        self.depthwise = None
        if stage.mlp_depthwise:
            self.fc1_quant = quantizers.activation(config)
            self.depthwise = TokenDepthwise(config, size, stage.hidden_dim)
        self.act = Activation(config)
        self.fc2 = quantizers.linear(config, stage.hidden_dim, stage.embed_dim)
        self.fc2_quant = quantizers.activation(config)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.fc1(x)
        if self.depthwise is not None:
            hidden = self.depthwise(self.fc1_quant(hidden))
        return self.fc2_quant(self.fc2(self.act(hidden)))


class AttentionBlock(nn.Module):
    """Pre-norm transformer block, (B, T, D) -> (B, T, D)."""

    def __init__(self, config: HybridConfig, index: int) -> None:
        super().__init__()
        tokens = config.attention_config(index)
        self.norm1, self.norm2 = LayerNorm(tokens), LayerNorm(tokens)
        self.attn = Attention(tokens)
        self.mlp = Mlp(config, config.stages[index], config.sizes[index])
        self.attn_add_quant = quantizers.activation(config, bits=config.stream_bits)
        self.mlp_add_quant = quantizers.activation(config, bits=config.stream_bits)

    def forward(self, x: Tensor) -> Tensor:
        x = self.attn_add_quant(x + self.attn(self.norm1(x)))
        return self.mlp_add_quant(x + self.mlp(self.norm2(x)))


class ConvBlocks(nn.Module):
    """A convolution that changes the grid, then inverted bottlenecks, (B, C, H, W) -> (B, C', H', W')."""

    def __init__(self, config: HybridConfig, index: int) -> None:
        super().__init__()
        self.entry, self.entry_quant = _entry(config, index)
        stage = config.stages[index]
        self.blocks = nn.ModuleList(InvertedBottleneck(config, stage) for _ in range(stage.depth))

    def forward(self, x: Tensor) -> Tensor:
        x = self.entry_quant(self.entry(x))
        for block in self.blocks:
            x = block(x)
        return x


class AttentionBlocks(nn.Module):
    """A convolution that changes the grid, then transformer blocks over its pixels, (B, C, H, W) -> (B, T, D)."""

    def __init__(self, config: HybridConfig, index: int) -> None:
        super().__init__()
        self.entry, self.entry_quant = _entry(config, index)
        stage, tokens = config.stages[index], config.attention_config(index)
        self.tokens, self.prefix = (-1, tokens.num_patches, tokens.embed_dim), tokens.num_prefix_tokens
        # The class token, where there is one, is the first row of the embedding, and of one without positions the only.
        self.pos_embed = None
        rows = tokens.num_tokens if stage.position_embedding else self.prefix
        if rows:
            self.pos_embed = nn.Parameter(torch.empty(1, rows, tokens.embed_dim))
            self.padded_rows = tokens.num_tokens - rows
            self.pos_quant = quantizers.activation(config, bits=config.stream_bits)
            self.token_quant = quantizers.activation(config, bits=config.stream_bits)
            nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.blocks = nn.ModuleList(AttentionBlock(config, index) for _ in range(stage.depth))

    def forward(self, x: Tensor) -> Tensor:
        x = self.entry_quant(self.entry(x))
        x = x.permute(0, 2, 3, 1).reshape(self.tokens)
        if self.pos_embed is not None:
            x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return x

    def embed(self, x: Tensor) -> Tensor:
        """Prepend the class token and add the positions, as far as there are any, (B, patches, D) -> (B, T, D)."""
        if self.prefix:
            x = F.pad(x, (0, 0, 1, 0))
        rows = F.pad(self.pos_embed, (0, 0, 0, self.padded_rows)) if self.padded_rows else self.pos_embed
        return self.token_quant(x + self.pos_quant(rows))


class HybridTransformer(nn.Module):
    """Images to logits.

    Args:
        config: stages and number formats.

    Shape:
        input (B, ``image_size``, ``image_size``, ``in_channels``), uint8 values held in float32;
        output (B, ``num_classes``), real units.
    """

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.config = config
        last = config.attention_config(len(config.stages) - 1)
        self.pixel_quant = quantizers.fixed_activation(config, scale=PIXEL_SCALE, signed=True, bits=8)
        self.stages = nn.ModuleList(BLOCKS[type(stage)](config, index) for index, stage in enumerate(config.stages))
        self.grids = [
            (-1, size, size, stage.embed_dim) for size, stage in zip(config.sizes, config.stages, strict=True)
        ]
        self.num_tokens = last.num_tokens
        if not last.num_prefix_tokens:
            self.pool_quant = quantizers.activation(config)
        self.norm = LayerNorm(last)
        self.head = quantizers.linear(config, last.embed_dim, config.num_classes)
        self.head_quant = quantizers.activation(config, bits=config.logit_bits)
        self.to(memory_format=torch.channels_last)  # half the time of a convolution on CPUs

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.pixel_quant((pixels - PIXEL_OFFSET) * PIXEL_SCALE).permute(0, 3, 1, 2)
        for stage, grid in zip(self.stages, self.grids, strict=True):
            x = stage(x)
            if isinstance(stage, AttentionBlocks) and stage is not self.stages[-1]:
                x = x.reshape(grid).permute(0, 3, 1, 2)
        x = self.norm(self.pool(x))  # (B, 1, D)
        return self.head_quant(self.head(x)).reshape(-1, self.config.num_classes)

    def pool(self, x: Tensor) -> Tensor:
        """All tokens to the one that is classified, (B, T, D) -> (B, 1, D)."""
        if self.config.global_pool == "token":
            return x[:, :1]
        return self.pool_quant(x.sum(dim=1, keepdim=True) * reciprocal(self.num_tokens))


BLOCKS = {ConvStage: ConvBlocks, AttentionStage: AttentionBlocks}


def _entry(config: HybridConfig, index: int) -> tuple[NormedConv, nn.Module]:
    """The convolution in front of stage ``index``, and the quantizer of its output."""
    stage = config.stages[index]
    conv = NormedConv(
        config,
        config.in_dim(index),
        stage.embed_dim,
        stage.kernel_size,
        stride=stage.stride,
        padding=stage.padding,
    )
    return conv, quantizers.activation(config, bits=config.stream_bits)

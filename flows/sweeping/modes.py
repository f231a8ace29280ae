"""Attention modes of a sweep: what a query sees, and which fine-tuning that needs."""

from __future__ import annotations

import dataclasses

from brevitas_model.config import ViTConfig
from brevitas_model.vit import seen_keys


def mode_config(base: ViTConfig, attention: str, tile_size: int, context_tiles: int) -> ViTConfig:
    """``base`` in an attention mode; no more context than there are other tiles.

    Raises:
        ConfigError: tiles that do not fit the sequence.
    """
    config = dataclasses.replace(base, attention=attention, tile_size=tile_size)
    return dataclasses.replace(config, context_tiles=min(context_tiles, config.num_tiles - 1))


def trained_config(base: ViTConfig, config: ViTConfig) -> ViTConfig:
    """The model whose weights ``config`` takes.

    Where every query sees every key, tiles only order the work: one training of global attention serves
    every tile size, and the window that holds the whole sequence.
    """
    return dataclasses.replace(base, attention="global") if seen_keys(config) is None else config


def training_name(config: ViTConfig) -> str:
    """Name of the training of ``config``, which is one of :func:`trained_config`."""
    if config.attention == "global":
        return config.attention
    return f"{config.attention}-{config.tile_size}-{config.context_tiles}"

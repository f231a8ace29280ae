"""Training recipes: a typed TOML file."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brevitas_model.config import ConfigError, ViTConfig


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One stretch of training with a warm-up and a cosine to zero.

    Args:
        epochs: passes over the training split; 0 skips the phase.
        learning_rate: peak of the schedule.
        warmup_epochs: linear rise to the peak, in epochs.
    """

    epochs: int
    learning_rate: float
    warmup_epochs: float = 1.0

    def __post_init__(self) -> None:
        if type(self.epochs) is not int or self.epochs < 0 or self.learning_rate <= 0 or self.warmup_epochs < 0:
            raise ConfigError(f"impossible training phase {self}")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides a training run: float phase, then quantized phase."""

    model: ViTConfig
    float_phase: Phase
    quantized_phase: Phase
    batch_size: int = 128
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if type(self.batch_size) is not int or self.batch_size < 1:
            raise ConfigError(f"batch_size must be a positive integer, not {self.batch_size!r}")
        if self.weight_decay < 0 or not 0 <= self.label_smoothing < 1 or type(self.seed) is not int:
            raise ConfigError("weight_decay must be >= 0, label_smoothing in [0, 1) and seed an integer")

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Recipe:
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(fields) - known)
        if unknown:
            raise ConfigError(f"unknown recipe key {unknown[0]!r}; known keys: {', '.join(sorted(known))}")
        plain = dict(fields)
        try:
            plain["model"] = ViTConfig.from_dict(plain.get("model", {}))
            for phase in ("float_phase", "quantized_phase"):
                plain[phase] = Phase(**plain[phase])
            return cls(**plain)
        except (KeyError, TypeError) as error:
            raise ConfigError(f"incomplete recipe: {error}") from error


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        ConfigError: no such file, not TOML, an unknown key or an impossible value.
    """
    try:
        return Recipe.from_dict(tomllib.loads(path.read_text()))
    except OSError as error:
        raise ConfigError(f"recipe {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"recipe {path} is not TOML: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"recipe {path}: {error}") from error

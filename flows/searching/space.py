"""The search space: which values each size and format of a model may take, and the models they make."""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from brevitas_model.config import ConfigError, ViTConfig
from flows.searching.cost import OBJECTIVE, cost
from hls_projects.files import parse_toml, read_text

Point = dict[str, Any]
MOST_POINTS = 100_000


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """Choices of every searched field of :class:`ViTConfig`; the field names are the same.

    Raises:
        ConfigError: no choices, the same one twice, or one that no model may have.
    """

    embed_dim: tuple[int, ...] = (32, 64, 96, 128, 160)
    depth: tuple[int, ...] = (2, 3, 4, 5, 6)
    num_heads: tuple[int, ...] = (1, 2, 3, 4, 6, 8)
    mlp_ratio: tuple[int, ...] = (1, 2, 3, 4)
    patch_size: tuple[int, ...] = (4, 8)
    global_pool: tuple[str, ...] = ("mean", "token")
    weight_format: tuple[str, ...] = ("float", "pot4", "pot6")

    def __post_init__(self) -> None:
        for name, choices in self.choices().items():
            if not isinstance(choices, tuple) or not choices:
                raise ConfigError(f"{name} must be a list of one or more choices, not {choices!r}")
            if len(set(choices)) < len(choices):
                raise ConfigError(f"{name} names a choice twice: {list(choices)}")
            for choice in choices:
                # One field alone: with one head and patches of one pixel all sizes divide each other.
                ViTConfig(**({"num_heads": 1, "patch_size": 1, "image_size": 64} | _alone(name, choice)))
        if math.prod(map(len, self.choices().values())) > MOST_POINTS:
            raise ConfigError(f"the search space has more than {MOST_POINTS} points; leave out choices")

    def choices(self) -> dict[str, tuple[Any, ...]]:
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}

    def distributions(self) -> dict[str, BaseDistribution]:
        """What Optuna samples from: evenly spaced sizes as numbers, so that their order is used."""
        return {name: _distribution(choices) for name, choices in self.choices().items()}

    def points(self, base: ViTConfig, most: int | None = None) -> list[Point]:
        """Every point that describes a model, in a fixed order.

        Args:
            base: gives the fields that are not searched.
            most: limit of the cost, see :data:`flows.searching.cost.OBJECTIVE`.

        Raises:
            ConfigError: a choice that is part of no model, or a limit below the smallest model.
        """
        names = list(self.choices())
        points = [dict(zip(names, values, strict=True)) for values in itertools.product(*self.choices().values())]
        points = [p for p in points if not p["embed_dim"] % p["num_heads"] and not base.image_size % p["patch_size"]]
        for name, choices in self.choices().items():
            idle = sorted(set(choices) - {point[name] for point in points})
            if idle:
                raise ConfigError(f"{name} {idle[0]} fits no model: it divides, or is divided by, no other choice")
        if most is None:
            return points
        costs = [cost(dataclasses.replace(base, **point))[OBJECTIVE] for point in points]
        if min(costs) > most:
            raise ConfigError(f"no model has at most {most} {OBJECTIVE}; the smallest of the space has {min(costs)}")
        return [point for point, price in zip(points, costs, strict=True) if price <= most]


def _alone(name: str, choice: Any) -> Point:
    """A model with ``choice`` in which other sizes are in nobody's way."""
    if name == "num_heads" and isinstance(choice, int):
        return {name: choice, "embed_dim": choice}
    if name == "patch_size" and isinstance(choice, int):
        return {name: choice, "image_size": choice}
    return {name: choice}


def _distribution(choices: tuple[Any, ...]) -> BaseDistribution:
    numbers = sorted(choices) if all(isinstance(choice, int) for choice in choices) else []
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    if len(numbers) > 2 and len(steps) == 1:
        return IntDistribution(numbers[0], numbers[-1], step=steps.pop())
    return CategoricalDistribution(choices)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """What the file of ``what`` says.

    Raises:
        ConfigError: no such file, not TOML.
    """
    try:
        return parse_toml(read_text(path))
    except OSError as error:
        raise ConfigError(f"{what} {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{what} {path} is not TOML: {error}") from error


def load_space(path: Path | None) -> SearchSpace:
    """A search space from a TOML file of lists, such as ``depth = [2, 3]``; None is the default one.

    Raises:
        ConfigError: no such file, not TOML, an unknown key or an impossible choice.
    """
    if path is None:
        return SearchSpace()
    fields = read_toml(path, "search space")
    known = sorted(item.name for item in dataclasses.fields(SearchSpace))
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise ConfigError(f"search space {path}: unknown key {unknown[0]!r}; known keys: {', '.join(known)}")
    try:
        return SearchSpace(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        )
    except (ConfigError, TypeError) as error:
        raise ConfigError(f"search space {path}: {error}") from error

"""Training recipes: one phase of training each, as a typed TOML file."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from brevitas_model.config import ConfigError
from brevitas_model.models import ModelConfig, config_from_dict
from brevitas_model.shipped import SHIPPED_RECIPES
from hls_projects.files import parse_toml, read_text

Precision = Literal["float32", "bfloat16"]


class Table:
    """A table of a recipe: every field has its type and its domain.

    Subclasses are frozen dataclasses. ``domains`` maps a field to what its value must be, in words,
    and the test of it.
    """

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            _check(item.name, getattr(self, item.name), hints[item.name])
        self.check()

    def check(self) -> None:
        """Raise ConfigError where fields do not make sense."""

    def need(self, holds: bool, words: str) -> None:
        if not holds:
            raise ConfigError(words)


@dataclass(frozen=True, kw_only=True)
class Schedule(Table):
    """A stretch of training with a linear warm-up and a cosine to zero.

    Args:
        epochs: passes over the training split.
        learning_rate: peak of the schedule.
        warmup_epochs: linear rise to the peak, in epochs.
        batch_size: images a step.
        weight_decay: of matrices and filters; biases and embeddings do not decay.
        precision: of matrix products in training; bfloat16 halves the time of a step on processors
            that have it. Accuracies are always computed in float32.
        compiled: through ``torch.compile``, which needs g++ and a minute, and shortens a step of the
            float model.
        optimizer: ``"adamw"``, or ``"sgd"`` with Nesterov momentum, which suits convolutional networks.
        momentum: of ``"sgd"``.
        bias_rate: learning rate of biases, embeddings and norms over that of matrices and filters
            ("scalebias" of D. Page and K. Jordan: many times higher where norms have no gain).
    """

    epochs: int
    learning_rate: float
    warmup_epochs: float = 1.0
    batch_size: int = 128
    weight_decay: float = 0.05
    precision: Precision = "float32"
    compiled: bool = False
    optimizer: Literal["adamw", "sgd"] = "adamw"
    momentum: float = 0.85
    bias_rate: float = 1.0

    def check(self) -> None:
        self.need(self.epochs >= 1, f"epochs must be at least 1, not {self.epochs}")
        self.need(self.learning_rate > 0, f"learning_rate must be positive, not {self.learning_rate}")
        self.need(self.warmup_epochs >= 0, f"warmup_epochs must not be negative, not {self.warmup_epochs}")
        self.need(self.batch_size >= 1, f"batch_size must be at least 1, not {self.batch_size}")
        self.need(self.weight_decay >= 0, f"weight_decay must not be negative, not {self.weight_decay}")
        self.need(0 < self.momentum < 1, f"momentum must lie between 0 and 1, not {self.momentum}")
        self.need(self.bias_rate > 0, f"bias_rate must be positive, not {self.bias_rate}")


@dataclass(frozen=True, kw_only=True)
class Augmentation(Table):
    """What is done to the images beside random crops and flips.

    Args:
        mixup: share of the images that are blended with another (Zhang et al. 2018).
        cutmix: share of the images into which a box of another is pasted (Yun et al. 2019).
        views: different draws of the whole training split; epoch e shows draw e modulo ``views``, so
            that a teacher answers each once. 0 draws anew in every epoch.
        unmixed_epochs: last epochs of the schedule without mixup and cutmix.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    views: int = 0
    unmixed_epochs: int = 0

    def check(self) -> None:
        self.need(self.mixup >= 0 and self.cutmix >= 0, "mixup and cutmix must not be negative")
        self.need(self.mixup + self.cutmix <= 1, "mixup and cutmix together must not exceed 1")
        self.need(self.views >= 0, f"views must not be negative, not {self.views}")
        self.need(self.unmixed_epochs >= 0, f"unmixed_epochs must not be negative, not {self.unmixed_epochs}")

    def view(self, epoch: int) -> int:
        """The number of the view that ``epoch`` shows."""
        return epoch % self.views if self.views else epoch


@dataclass(frozen=True, kw_only=True)
class Distillation(Table):
    """Learning from a teacher's answers (Hinton et al. 2015; Beyer et al. 2022).

    Args:
        teacher: name of a shipped checkpoint, or a path.
        weight: share of the teacher in the loss; the rest are the labels.
        temperature: by which both sides' logits are divided.
    """

    teacher: str
    weight: float = 0.5
    temperature: float = 2.0

    def check(self) -> None:
        self.need(0 < self.weight <= 1, f"weight must be above 0 and at most 1, not {self.weight}")
        self.need(self.temperature > 0, f"temperature must be positive, not {self.temperature}")


@dataclass(frozen=True, kw_only=True)
class Pruning(Table):
    """Which weights become zero, by magnitude, and stay so.

    Args:
        sparsity: share of zeros in the pruned matrices.
        structure: ``"block"`` puts the same number of zeros into every block of ``block`` inputs of a
            row, so that hardware can skip them; ``"unstructured"`` puts them anywhere.
        block: inputs a block; divides the inputs of every pruned matrix.
        scope: ``"layer"`` gives every matrix the same sparsity, ``"global"`` takes the smallest of all
            (with ``"block"``: of all blocks' k-th smallest, so that whole layers differ).
        ramp_epochs: over which the sparsity rises as a cubic (Zhu and Gupta 2017); 0 prunes at once.
        skip: layers left whole, by name.
    """

    sparsity: float = 0.5
    structure: Literal["block", "unstructured"] = "block"
    block: int = 8
    scope: Literal["layer", "global"] = "layer"
    ramp_epochs: float = 0.0
    skip: tuple[str, ...] = ()

    def check(self) -> None:
        self.need(0 < self.sparsity < 1, f"sparsity must lie between 0 and 1, not {self.sparsity}")
        self.need(self.block >= 2, f"block must be at least 2, not {self.block}")
        self.need(self.ramp_epochs >= 0, f"ramp_epochs must not be negative, not {self.ramp_epochs}")


@dataclass(frozen=True, kw_only=True)
class Recipe(Table):
    """Everything that decides a run of training.

    Args:
        model: shape and number formats.
        start: checkpoint that the run starts from, the name of a shipped one or a path; None starts
            from random weights.
        label_smoothing: of the labels' part of the loss.
        pos_embed_std: of the position embedding at a random start.
        seed: of every random draw.
    """

    model: ModelConfig
    schedule: Schedule
    augmentation: Augmentation = field(default_factory=Augmentation)
    distillation: Distillation | None = None
    pruning: Pruning | None = None
    start: str | None = None
    label_smoothing: float = 0.1
    pos_embed_std: float = 0.3
    seed: int = 0

    def check(self) -> None:
        self.need(0 <= self.label_smoothing < 1, f"label_smoothing must lie in [0, 1), not {self.label_smoothing}")
        self.need(self.pos_embed_std > 0, f"pos_embed_std must be positive, not {self.pos_embed_std}")
        self.need(0 <= self.seed < 2**63, f"seed must lie in 0 … 2^63 - 1, not {self.seed}")
        self.need(
            self.augmentation.unmixed_epochs <= self.schedule.epochs,
            f"augmentation.unmixed_epochs {self.augmentation.unmixed_epochs} are more than the schedule has",
        )
        if self.pruning:
            self.need(self.start is not None, "pruning starts from a trained checkpoint; name one with start")
            self.need(
                self.pruning.ramp_epochs < self.schedule.epochs,
                f"ramp_epochs {self.pruning.ramp_epochs} leaves none of {self.schedule.epochs} epochs for fine-tuning",
            )

    def augmentation_of(self, epoch: int) -> Augmentation:
        """What is done to the images in ``epoch``."""
        if epoch < self.schedule.epochs - self.augmentation.unmixed_epochs:
            return self.augmentation
        return dataclasses.replace(self.augmentation, mixup=0.0, cutmix=0.0)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Recipe:
        """Build from plain data, refusing unknown keys.

        Raises:
            ConfigError: an unknown or missing key, or an impossible value.
        """
        tables = {"schedule": Schedule, "augmentation": Augmentation, "distillation": Distillation, "pruning": Pruning}
        plain = dict(fields)
        for name in ("model", *tables):
            if name in plain and plain[name] is not None and not isinstance(plain[name], dict):
                raise ConfigError(f"{name} must be a table, not {plain[name]!r}")
        if "model" in plain:
            plain["model"] = config_from_dict(plain["model"])
        for name, table in tables.items():
            if plain.get(name) is not None:
                plain[name] = _build(table, plain[name], f"{name}.")
        return _build(cls, plain, "")


def _build(table: type, fields: dict[str, Any], prefix: str) -> Any:
    """An object of ``table`` from plain data."""
    known = {item.name: item for item in dataclasses.fields(table)}
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise ConfigError(f"unknown recipe key {prefix + unknown[0]!r}; known keys: {', '.join(sorted(known))}")
    needed = [
        name
        for name, item in known.items()
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING and name not in fields
    ]
    if needed:
        raise ConfigError(f"incomplete recipe: {prefix + needed[0]} is missing")
    try:
        return table(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})
    except ConfigError as error:
        raise ConfigError(f"{prefix}{error}") from error


def _check(name: str, value: Any, hint: Any) -> None:
    options = get_args(hint)
    if get_origin(hint) is Literal:
        if value not in options:
            raise ConfigError(f"{name} must be one of {', '.join(options)}, not {value!r}")
    elif hint is float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise ConfigError(f"{name} must be a number, not {value!r}")
    elif get_origin(hint) is tuple:
        if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{name} must be a list of strings, not {value!r}")
    elif hint in (int, str, bool) or type(None) in options:
        wanted = (hint,) if hint in (int, str, bool) else options
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            words = {int: "an integer", str: "a string", bool: "true or false"}
            raise ConfigError(f"{name} must be {words.get(wanted[0], 'a table')}, not {value!r}")


def load_recipe(path: Path, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe.

    Args:
        path: a TOML file, or the name of a shipped recipe.
        overrides: assignments such as ``schedule.epochs=3``, their values in TOML; a value that is
            not TOML is taken as a string.

    Raises:
        ConfigError: no such file, not TOML, an unknown key or an impossible value.
    """
    shipped = SHIPPED_RECIPES / f"{path}.toml"
    source = shipped if len(path.parts) == 1 and shipped.is_file() else path
    try:
        fields = parse_toml(read_text(source))
        for text in overrides or ():
            override(fields, text)
        return Recipe.from_dict(fields)
    except OSError as error:
        raise ConfigError(f"recipe {path} cannot be read: {error.strerror}") from error
    except ConfigError as error:
        raise ConfigError(f"recipe {path}: {error}") from error
    except ValueError as error:
        raise ConfigError(f"recipe {path} is not TOML: {error}") from error


def override(fields: dict[str, Any], text: str) -> None:
    """Set one key of plain data to the value that ``text``, ``key.key=value``, gives it.

    Raises:
        ConfigError: ``text`` is no assignment, or goes through a value that is no table.
    """
    path, equals, written = text.partition("=")
    *tables, name = path.strip().split(".")
    if not equals or not name:
        raise ConfigError(f"{text!r} is no assignment such as schedule.epochs=3")
    for table in tables:
        fields = fields.setdefault(table, {})
        if not isinstance(fields, dict):
            raise ConfigError(f"{text!r}: {table} is no table")
    try:
        fields[name] = tomllib.loads(f"value = {written.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        fields[name] = written.strip()

"""Checkpoints with what they started from, as far back as it can be found and proved by digest."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from brevitas_model.checkpoint import load_checkpoint, load_masks
from brevitas_model.config import ConfigError
from brevitas_model.pruning import Masks
from brevitas_model.shipped import SHIPPED_CHECKPOINTS, CheckpointError, find_checkpoint
from brevitas_model.training.data import IMAGE_SHAPE
from brevitas_model.training.recipe import Pruning
from flows.reporting.facts import CIFAR10_NAMES
from hls_projects.files import read_whole

CHAIN = ("vit-float", "vit-pruned", "vit-pot4", "vit-pot6")
RESULT = "model.safetensors"


class StartError(Exception):
    """The start of a checkpoint is not there, or is not the one that it was trained from."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint in memory.

    Args:
        name: unique, and fit for a file's name.
        path: its file.
        digest: SHA-256 of the file.
        model: in eval mode.
        masks: what pruning kept, by layer; empty where nothing was pruned.
        recipe: of its training, as plain data; empty where the file does not tell.
        start: what it started from, as its recipe names it; None for random weights.
        start_digest: SHA-256 of that.
    """

    name: str
    path: Path
    digest: str
    model: nn.Module
    masks: Masks
    recipe: dict[str, Any]
    start: str | None
    start_digest: str

    @property
    def quantized(self) -> bool:
        return self.model.config.quantized

    @property
    def pruning(self) -> Pruning | None:
        """How its own training pruned, if it did."""
        table = self.recipe.get("pruning")
        return Pruning(**table | {"skip": tuple(table.get("skip", ()))}) if table else None


def shipped_chain() -> list[str]:
    """Names of the shipped checkpoints of the chain of phases.

    Raises:
        CheckpointError: none is shipped.
    """
    names = [name for name in CHAIN if find_checkpoint(name) != Path(name)]
    if not names:
        raise CheckpointError(f"none of {', '.join(CHAIN)} is shipped; name checkpoints or run folders")
    return names


def checkpoint_path(name: str) -> Path:
    """The file of a shipped name, a file or the folder of a run.

    Raises:
        CheckpointError: a folder without a finished model.
    """
    path = find_checkpoint(name)
    if not path.is_dir():
        return path
    if not (path / RESULT).is_file():
        raise CheckpointError(f"folder {path} holds no {RESULT}; give the command of that run again to finish it")
    return path / RESULT


def open_checkpoint(path: Path, name: str) -> Checkpoint:
    """Read a checkpoint of a classifier of CIFAR-10.

    Raises:
        CheckpointError: missing, damaged, of other images or of another number of classes, or with facts
            about its training that make no sense.
    """
    model, facts = load_checkpoint(path)
    config = model.config
    if config.num_classes != len(CIFAR10_NAMES):
        raise CheckpointError(
            f"checkpoint {path} tells {config.num_classes} classes apart, the labels {len(CIFAR10_NAMES)}; "
            "it cannot be evaluated on CIFAR-10"
        )
    size, channels = getattr(config, "image_size", IMAGE_SHAPE[0]), getattr(config, "in_channels", IMAGE_SHAPE[2])
    if (size, size, channels) != IMAGE_SHAPE:
        raise CheckpointError(f"checkpoint {path} takes images of {size} x {size} x {channels}, not {IMAGE_SHAPE}")
    facts = facts if isinstance(facts, dict) else {}
    recipe = facts.get("recipe") if isinstance(facts.get("recipe"), dict) else {}
    digest = hashlib.sha256(read_whole(path)).hexdigest()
    start, start_digest = recipe.get("start"), str(facts.get("start", ""))
    found = Checkpoint(name, path, digest, model, load_masks(path, model), recipe, start, start_digest)
    try:
        _ = found.pruning
    except (ConfigError, TypeError, AttributeError) as error:
        raise CheckpointError(f"checkpoint {path} tells of an impossible pruning: {error}; train it again") from error
    return found


class Family:
    """The checkpoints that were asked for and, in front of each, the starts that it came from.

    Args:
        names: shipped names, files or folders of runs.

    Raises:
        CheckpointError: one of them cannot be evaluated.
    """

    def __init__(self, names: list[str]) -> None:
        self.members: dict[str, Checkpoint] = {}
        self._starts: dict[str, Checkpoint | StartError] = {}
        self._names: set[str] = set()
        paths = [checkpoint_path(name) for name in names]
        given: dict[str, Checkpoint] = {}
        for path in paths:
            found = open_checkpoint(path, self._name(path))
            given.setdefault(found.digest, found)
        self._given = given
        for checkpoint in given.values():
            self._admit(checkpoint)

    def start_of(self, checkpoint: Checkpoint) -> Checkpoint | None:
        """What ``checkpoint`` started from; None for random weights.

        Raises:
            StartError: it is not there, has another digest, or cannot be used.
        """
        if checkpoint.start is None:
            return None
        if checkpoint.digest not in self._starts:
            self._starts[checkpoint.digest] = self._find_start(checkpoint)
        found = self._starts[checkpoint.digest]
        if isinstance(found, StartError):
            raise found
        return found

    def ancestors(self, checkpoint: Checkpoint) -> list[Checkpoint]:
        """The starts of ``checkpoint``, its own first, as far as they can be found."""
        found: list[Checkpoint] = []
        try:
            start = self.start_of(checkpoint)
            while start is not None:
                found.append(start)
                start = self.start_of(start)
        except StartError:
            pass
        return found

    def _admit(self, checkpoint: Checkpoint) -> None:
        for member in (*reversed(self.ancestors(checkpoint)), checkpoint):
            self.members.setdefault(member.digest, member)

    def _find_start(self, checkpoint: Checkpoint) -> Checkpoint | StartError:
        wanted, named = checkpoint.start_digest, find_checkpoint(str(checkpoint.start))
        if wanted in self._given:
            return self._given[wanted]
        if wanted in self.members:
            return self.members[wanted]
        # A run may have been given the file that later became a shipped checkpoint.
        for path in (named, *sorted(SHIPPED_CHECKPOINTS.glob("*.safetensors"))):
            try:
                if hashlib.sha256(read_whole(path)).hexdigest() == wanted:
                    return open_checkpoint(path, self._name(path))
            except OSError:
                continue
            except CheckpointError as error:
                return StartError(f"its start {checkpoint.start} cannot be used: {' '.join(str(error).split())}")
        if named.is_file():
            return StartError(f"its start {checkpoint.start} is there with another SHA-256 than it was trained from")
        return StartError(f"its start {checkpoint.start} is not there")

    def _name(self, path: Path) -> str:
        path = path.resolve()
        plain = path.parent.name if path.name == RESULT else path.stem
        plain = re.sub(r"[^\w.+=-]+", "_", plain) or "model"
        name, number = plain, 1
        while name in self._names:
            number += 1
            name = f"{plain}-{number}"
        self._names.add(name)
        return name

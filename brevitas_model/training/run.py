"""A run of training: one recipe in one folder.

``state.safetensors`` holds model, masks, optimizer and history after the last whole epoch, so that a
run that was stopped goes on from there; ``metrics.jsonl``, ``curves.csv`` and ``curves.png`` show the
history; ``model.safetensors`` is the result. Every random draw comes from a stream that the seed and
the epoch name, so nothing else has to be kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from brevitas_model import fused
from brevitas_model.batch_norm import folded_state
from brevitas_model.checkpoint import load_checkpoint, load_masks, read_tensors, save_checkpoint, write_tensors
from brevitas_model.config import ConfigError, ViTConfig
from brevitas_model.convnet import ConvNet
from brevitas_model.hybrid import HybridTransformer
from brevitas_model.models import ModelConfig, build_model
from brevitas_model.pruning import Masks, apply_masks, make_masks, ramp, removed, sparsity
from brevitas_model.quantizers import CALIBRATION_STEPS
from brevitas_model.shipped import CheckpointError, find_checkpoint
from brevitas_model.stages import HybridConfig
from brevitas_model.training.augmentation import View, generator, order
from brevitas_model.training.curves import write_history
from brevitas_model.training.data import Dataset
from brevitas_model.training.distillation import Teacher, distillation_loss
from brevitas_model.training.recipe import Recipe, Schedule
from hls_projects.errors import InputError
from hls_projects.files import cache_folder, held_folder, parse_json, read_whole

# Of an epoch in the history, all of them numbers.
METRICS = ("epoch", "loss", "validation_accuracy", "sparsity", "seconds")
EVAL_BATCH = 250
GRADIENT_NORM = 1.0
# Images of which the first convolution of a ConvNet is made.
WHITENING_IMAGES = 5_000
# Steps between two rankings of the weights while sparsity rises.
RANKING_STEPS = 32
# What a model and the checkpoint that it starts from may differ in.
NUMBER_FORMATS = {
    "weight_format", "depthwise_format", "weight_scaling", "activation_bits", "stream_bits", "logit_bits",
}  # fmt: skip
# No weight has a shape or a place of its own for these; position embeddings lie row by row in any token_order.
TOKEN_LAYOUT = {"attention", "tile_size", "context_tiles", "token_order"}
# Names of the random streams that a seed and an epoch or view select.
VIEW_STREAM, ORDER_STREAM, CALIBRATION_STREAM = range(3)


@torch.no_grad()
def predictions(model: nn.Module, dataset: Dataset) -> Tensor:
    """Classes (N,) that ``model`` gives in eval mode, in float32."""
    was_training = model.training
    model.eval()
    parts = torch.from_numpy(dataset.images).split(EVAL_BATCH)
    guesses = torch.cat([model(part.float()).argmax(dim=1) for part in parts])
    model.train(was_training)
    return guesses


def accuracy(model: nn.Module, dataset: Dataset) -> float:
    """Top-1 of ``model`` in eval mode, in percent."""
    return 100.0 * int((predictions(model, dataset) == torch.from_numpy(dataset.labels)).sum()) / len(dataset)


def learning_rate(schedule: Schedule, epoch: float) -> float:
    """Linear warm-up, then cosine to zero at the end of the schedule."""
    if epoch < schedule.warmup_epochs:
        return schedule.learning_rate * (epoch + 1e-3) / schedule.warmup_epochs
    progress = (epoch - schedule.warmup_epochs) / max(schedule.epochs - schedule.warmup_epochs, 1e-9)
    return schedule.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


def make_optimizer(model: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    """The optimizer of ``schedule``; matrices and filters decay, biases and embeddings do not.

    Frozen scales take no part. A group's ``factor`` multiplies the learning rate of the schedule.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in trained if p.ndim in (2, 4)]
    plain = [p for p in trained if p.ndim not in (2, 4)]
    groups = [
        {"params": decayed, "weight_decay": schedule.weight_decay, "factor": 1.0},
        {"params": plain, "weight_decay": 0.0, "factor": schedule.bias_rate},
    ]
    if schedule.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=0.0, momentum=schedule.momentum, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=0.0, fused=True)


def freeze_scales(model: nn.Module) -> None:
    """Hold the calibrated power-of-two scales: a step of one would double or halve a range."""
    for name, parameter in model.named_parameters():
        if "scaling_impl" in name:
            parameter.requires_grad_(False)
    fused.freeze(model)


@torch.no_grad()
def calibrate(model: nn.Module, pixels: list[Tensor]) -> None:
    """Let the activation quantizers see ``pixels``, batches of (B, H, W, C), and fix their scales."""
    was_training = model.training
    model.train()
    for step in range(CALIBRATION_STEPS + 1):
        model(pixels[step % len(pixels)])
    model.train(was_training)
    freeze_scales(model)


def carry_weights(source: nn.Module, model: nn.Module) -> None:
    """Give ``model`` the weights of ``source``, whose number formats, attention and tiles may be others.

    Activation scales come along where both are quantized. Batch norms of a float source are folded for a
    quantized model.

    Raises:
        CheckpointError: the shapes differ.
    """
    if type(source) is not type(model):
        raise CheckpointError(f"the start is a {type(source).__name__}, not a {type(model).__name__}")
    shape, other = carried_shape(model.config), carried_shape(source.config)
    different = [name for name in {**shape, **other} if shape.get(name) != other.get(name)]
    if different:
        words = ", ".join(f"{name} {other.get(name)} instead of {shape.get(name)}" for name in different)
        raise CheckpointError(f"the start is a model of another shape: {words}")
    folds = isinstance(source, HybridTransformer) and model.config.quantized and not source.config.quantized
    kept = model.load_state_dict(folded_state(source) if folds else source.state_dict(), strict=False)
    missing = [key for key in kept.missing_keys if "_quant" not in key and "tensor_quant" not in key]
    if missing or kept.unexpected_keys:
        raise CheckpointError(f"the start is another model: {', '.join(missing + kept.unexpected_keys)[:200]}")


def carried_shape(config: ModelConfig) -> dict[str, Any]:
    """What two models must have in common for one to start from the other, field by field."""
    fields = {name: value for name, value in dataclasses.asdict(config).items() if name not in NUMBER_FORMATS}
    stages = [_without(stage, TOKEN_LAYOUT) for stage in fields.pop("stages", ())]
    return _without(fields, TOKEN_LAYOUT) | {f"stages[{index}]": stage for index, stage in enumerate(stages)}


def _without(fields: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def check_images(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse a recipe whose model or batches do not fit ``images``.

    Raises:
        ConfigError: images of another size, labels of more classes, fewer images than a batch.
    """
    model, batch_size = recipe.model, recipe.schedule.batch_size
    shape, classes = dataset.images.shape[1:], int(dataset.labels.max()) + 1
    if (
        isinstance(model, (ViTConfig, HybridConfig))
        and (model.image_size, model.image_size, model.in_channels) != shape
    ):
        raise ConfigError(
            f"model.image_size {model.image_size} with in_channels {model.in_channels} does not fit images of "
            + "×".join(map(str, shape))
        )
    if classes > model.num_classes:
        raise ConfigError(f"model.num_classes {model.num_classes} is less than the {classes} classes of the images")
    if batch_size > len(dataset):
        raise ConfigError(f"schedule.batch_size {batch_size} is more than the {len(dataset)} training images")


def start_model(recipe: Recipe, dataset: Dataset) -> tuple[nn.Module, Masks]:
    """The model and masks that ``recipe`` begins with.

    Raises:
        CheckpointError: a start that is missing, damaged or of another shape.
        ConfigError: a model or batches that do not fit the images.
    """
    check_images(recipe, dataset)
    torch.manual_seed(recipe.seed)
    model = build_model(recipe.model)
    if recipe.start is None:
        for name, parameter in model.named_parameters():
            if name.rpartition(".")[2] == "pos_embed":
                nn.init.trunc_normal_(parameter, std=recipe.pos_embed_std)
        if isinstance(model, ConvNet):
            model.whiten(torch.from_numpy(dataset.images[:WHITENING_IMAGES]).float())
        masks: Masks = {}
    else:
        path = find_checkpoint(recipe.start)
        source, _ = load_checkpoint(path)
        if source.config == recipe.model:
            model.load_state_dict(source.state_dict())
            freeze_scales(model)
        else:
            carry_weights(source, model)
        masks = load_masks(path, model)
    if recipe.model.quantized and (recipe.start is None or source.config != recipe.model):
        view = View(dataset, recipe.augmentation, generator(recipe.seed, CALIBRATION_STREAM, 0))
        chosen = order(len(view), recipe.schedule.batch_size, generator(recipe.seed, CALIBRATION_STREAM, 1))
        calibrate(model, [view.pixels(part) for part in itertools.islice(chosen, CALIBRATION_STEPS)])
    return model, masks


@dataclasses.dataclass
class Run:
    """A training run in a folder: model, masks, optimizer, and what every finished epoch gave."""

    folder: Path
    recipe: Recipe
    model: nn.Module
    masks: Masks
    optimizer: torch.optim.Optimizer
    history: list[dict[str, Any]]
    origin: str  # SHA-256 of the checkpoint that it started from

    @classmethod
    def start(cls, folder: Path, recipe: Recipe, dataset: Dataset) -> Run:
        """Begin with random weights or the recipe's start.

        Raises:
            CheckpointError: a start that cannot be used.
            ConfigError: pruning that does not fit the model, a model that does not fit the images.
        """
        model, masks = start_model(recipe, dataset)
        origin = start_digest(recipe)
        if recipe.pruning and not recipe.pruning.ramp_epochs:
            masks = make_masks(model, recipe.pruning)
        apply_masks(model, masks)
        return cls(folder, recipe, model, masks, make_optimizer(model, recipe.schedule), [], origin)

    @classmethod
    def resume(cls, folder: Path, recipe: Recipe) -> Run:
        """Go on after the last whole epoch.

        Raises:
            CheckpointError: no state, a damaged one, or the state of another recipe or start.
        """
        tensors, metadata = read_tensors(folder / "state.safetensors")
        if _recipe(metadata) != recipe:
            raise CheckpointError(f"{folder} was made by another recipe; choose another --out")
        if metadata.get("start") != start_digest(recipe):
            raise CheckpointError(f"{folder} started from another {recipe.start}; choose another --out")
        try:
            model = build_model(recipe.model)
            model.load_state_dict(_strip(tensors, "model."))
            freeze_scales(model)
            optimizer = make_optimizer(model, recipe.schedule)
            _load_optimizer(optimizer, _strip(tensors, "optimizer."))
            masks, history = _strip(tensors, "mask."), _history(metadata)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(f"{folder} holds a damaged state ({reason}); remove it and train again") from error
        return cls(folder, recipe, model, masks, optimizer, history, metadata["start"])

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return len(self.history)

    @functools.cached_property
    def forward(self) -> Callable[[Tensor], Tensor]:
        """The model, compiled once where the recipe says so."""
        return torch.compile(self.model) if self.recipe.schedule.compiled else self.model

    def save(self) -> None:
        """Write the state, then the files made of its history, each whole or not at all."""
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        tensors |= {f"mask.{name}": t for name, t in self.masks.items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": t for name, t in state.items()}
        metadata = {
            "recipe": self.recipe.to_json(),
            "start": self.origin,
            "history": json.dumps(self.history),
        }
        write_tensors(self.folder / "state.safetensors", tensors, metadata)
        write_history(self.folder, self.history)

    def view(self, dataset: Dataset, number: int) -> View:
        """View ``number``, without mixing in the last epochs where the recipe says so."""
        augmentation = self.recipe.augmentation_of(self.epoch)
        return View(dataset, augmentation, generator(self.recipe.seed, VIEW_STREAM, number))

    def train_epoch(self, dataset: Dataset, teacher: Teacher | None, bar: tqdm) -> float:
        """One pass over ``images``; returns the mean loss."""
        schedule, seed = self.recipe.schedule, self.recipe.seed
        number = self.recipe.augmentation.view(self.epoch)
        view = self.view(dataset, number)
        answers = teacher.answers(number, view) if teacher else None
        steps = len(dataset) // schedule.batch_size
        total = 0.0
        self.model.train()
        for step, chosen in enumerate(order(len(view), schedule.batch_size, generator(seed, ORDER_STREAM, self.epoch))):
            now = self.epoch + step / steps
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(schedule, now) * group["factor"]
            self.raise_sparsity(self.epoch * steps + step, steps)
            with torch.autocast("cpu", torch.bfloat16, enabled=schedule.precision == "bfloat16"):
                logits = self.forward(view.pixels(chosen)).float()
            loss = self.loss(logits, view, chosen, answers)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_NORM)
            self.optimizer.step()
            apply_masks(self.model, self.masks)
            total += loss.item()
            bar.update()
            bar.set_postfix(loss=f"{total / (step + 1):.3f}", validation=self.last_score(), refresh=False)
        return total / max(steps, 1)

    def loss(self, logits: Tensor, view: View, chosen: Tensor, answers: Tensor | None) -> Tensor:
        """The labels' and the teacher's part together, a scalar."""
        targets = view.targets(chosen, logits.shape[1])
        labels = F.cross_entropy(logits, targets, label_smoothing=self.recipe.label_smoothing)
        table = self.recipe.distillation
        if not table:
            return labels
        return (1 - table.weight) * labels + table.weight * distillation_loss(logits, answers[chosen], table)

    def raise_sparsity(self, step: int, steps: int) -> None:
        """Rank the weights anew while sparsity rises, the last time where the ramp ends.

        ``step`` counts from the start of the run, ``steps`` are those of an epoch.
        """
        pruning = self.recipe.pruning
        # A ramp that fills the last epoch still ends on one of its steps.
        last = self.recipe.schedule.epochs * steps - 1
        end = min(math.ceil(pruning.ramp_epochs * steps), last) if pruning else 0
        if step == end > 0:
            self.masks = make_masks(self.model, pruning)
        elif step < end and step % RANKING_STEPS == 0:
            # What is gone stays, also what the start had pruned.
            share = max(ramp(pruning, step / steps), removed(self.masks))
            self.masks = make_masks(self.model, pruning, share)
        else:
            return
        apply_masks(self.model, self.masks)

    def last_score(self) -> str:
        return f"{self.history[-1]['validation_accuracy']:.2f} %" if self.history else "-"

    def train(
        self,
        dataset: Dataset,
        validation: Dataset,
        after_epoch: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        """All epochs that are left, saving after each.

        Args:
            after_epoch: told the metrics of every epoch once it is saved; ends the training early by
                answering True.
        """
        epochs = self.recipe.schedule.epochs
        steps = len(dataset) // self.recipe.schedule.batch_size
        # Files of the history are a state behind where a run was killed between the two.
        if self.history:
            write_history(self.folder, self.history)
        teacher = Teacher(self.recipe, cache_folder("teacher")) if self.recipe.distillation else None
        with tqdm(total=epochs * steps, initial=self.epoch * steps, unit="step") as bar:
            while self.epoch < epochs:
                bar.set_description(f"epoch {self.epoch + 1}/{epochs}")
                started = time.perf_counter()
                loss = self.train_epoch(dataset, teacher, bar)
                if not math.isfinite(loss):
                    raise InputError(
                        f"the loss of epoch {self.epoch + 1} is {loss}; the state of epoch {self.epoch} is kept; "
                        "lower schedule.learning_rate in a run of its own"
                    )
                self.history.append(
                    {
                        "epoch": self.epoch + 1,
                        "loss": round(loss, 4),
                        "validation_accuracy": round(accuracy(self.model, validation), 2),
                        "sparsity": round(sparsity(self.model), 4),
                        "seconds": round(time.perf_counter() - started, 1),
                    }
                )
                self.save()
                if after_epoch and after_epoch(self.history[-1]):
                    return


@contextlib.contextmanager
def hold_run(folder: Path) -> Iterator[None]:
    """Hold a run's folder, which one training at a time writes to.

    Raises:
        LockedError: another training holds it.
    """
    with held_folder(folder, f"another training writes to {folder}; wait for it or choose another --out"):
        yield


def train(run: Run, dataset: Dataset, validation: Dataset, command: str) -> Path:
    """Carry ``run`` to its end and save the result as ``model.safetensors``; returns its path.

    The result of a run that is at its end already stays as it is, and with it the runs that started from it.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    path = run.folder / "model.safetensors"
    if run.epoch >= run.recipe.schedule.epochs and path.is_file():
        return path
    run.train(dataset, validation)
    facts = {"command": command, "recipe": dataclasses.asdict(run.recipe), "start": run.origin}
    save_checkpoint(path, run.model.eval(), facts, run.masks)
    return path


def start_digest(recipe: Recipe) -> str:
    """SHA-256 of the checkpoint that ``recipe`` starts from, "" where it starts from random weights."""
    if recipe.start is None:
        return ""
    path = find_checkpoint(recipe.start)
    try:
        return hashlib.sha256(read_whole(path)).hexdigest()
    except OSError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error.strerror}") from error


def _strip(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


def _recipe(metadata: dict[str, str]) -> Recipe | None:
    """The recipe of a stored state; a key that recipes did not have at the time stands for its default."""
    try:
        return Recipe.from_dict(parse_json(metadata["recipe"]))
    except (KeyError, TypeError, ValueError):
        return None


def _history(metadata: dict[str, str]) -> list[dict[str, Any]]:
    """The metrics of the finished epochs in a stored state.

    Raises:
        KeyError, TypeError, ValueError: there are none, or they are of another form.
    """
    history = parse_json(metadata["history"])
    return [{**line, **{key: line[key] + 0 for key in METRICS}} for line in history]


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        like = trained[int(index)]
        # A fused step walks through memory: averages need the layout of their filter, which no file keeps.
        laid_out = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
        state.setdefault(int(index), {})[key] = laid_out
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

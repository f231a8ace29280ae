"""Training: a float phase, calibration of the quantizers, a quantized phase.

A run is a folder. ``state.safetensors`` holds the model, the optimizer and the random state after
the last whole epoch, so that a run that was stopped goes on from there; ``metrics.jsonl`` has one
line an epoch; ``model.safetensors`` is the result.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from brevitas_model.checkpoint import CheckpointError, read_tensors, save_checkpoint, write_tensors
from brevitas_model.data import Pictures
from brevitas_model.quantizers import CALIBRATION_STEPS
from brevitas_model.recipe import Phase, Recipe
from brevitas_model.vit import VisionTransformer

PHASES = ("float", "quantized")
CROP_PADDING = 4
EVAL_BATCH = 250


def augment(images: Tensor) -> Tensor:
    """Random crop after padding and random flip of a whole batch, uint8 (B, H, W, C) -> same."""
    batch, height, width, _ = images.shape
    padded = F.pad(images, (0, 0, CROP_PADDING, CROP_PADDING, CROP_PADDING, CROP_PADDING))
    shift = torch.randint(0, 2 * CROP_PADDING + 1, (2, batch, 1))
    rows = shift[0] + torch.arange(height)
    columns = shift[1] + torch.arange(width)
    flip = torch.rand(batch, 1) < 0.5
    columns = torch.where(flip, columns.flip(1), columns)
    index = torch.arange(batch)[:, None, None]
    return padded[index, rows[:, :, None], columns[:, None, :]]


def batches(pictures: Pictures, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """One shuffled, augmented epoch of (float pixels, labels); the last short batch is dropped."""
    images, labels = torch.from_numpy(pictures.images), torch.from_numpy(pictures.labels)
    order = torch.randperm(len(images))
    for start in range(0, len(order) - batch_size + 1, batch_size):
        chosen = order[start : start + batch_size]
        yield augment(images[chosen]).float(), labels[chosen]


@torch.no_grad()
def accuracy(model: nn.Module, pictures: Pictures) -> float:
    """Top-1 of ``model`` in eval mode, in percent."""
    was_training = model.training
    model.eval()
    right = 0
    for start in range(0, len(pictures), EVAL_BATCH):
        part = pictures[start : start + EVAL_BATCH]
        guess = model(torch.from_numpy(part.images).float()).argmax(dim=1)
        right += int((guess == torch.from_numpy(part.labels)).sum())
    model.train(was_training)
    return 100.0 * right / len(pictures)


def learning_rate(phase: Phase, epoch: float) -> float:
    """Linear warm-up, then cosine to zero at the end of the phase."""
    if epoch < phase.warmup_epochs:
        return phase.learning_rate * (epoch + 1e-3) / phase.warmup_epochs
    progress = (epoch - phase.warmup_epochs) / max(phase.epochs - phase.warmup_epochs, 1e-9)
    return phase.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


def make_optimizer(model: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """AdamW; matrices decay, biases and embeddings do not; frozen scales take no part."""
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    decayed = [p for n, p in trained if p.ndim == 2]
    plain = [p for n, p in trained if p.ndim != 2]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0)


def freeze_scales(model: nn.Module) -> None:
    """Hold the calibrated power-of-two scales: a step of one would double or halve a range."""
    for name, parameter in model.named_parameters():
        if "scaling_impl" in name:
            parameter.requires_grad_(False)


@torch.no_grad()
def calibrate(model: VisionTransformer, pixels: list[Tensor]) -> None:
    """Let the activation quantizers see ``pixels``, batches of (B, H, W, C), and fix their scales."""
    was_training = model.training
    model.train()
    for step in range(CALIBRATION_STEPS + 1):
        model(pixels[step % len(pixels)])
    model.train(was_training)
    freeze_scales(model)


def quantized_from(float_model: VisionTransformer, recipe: Recipe, pictures: Pictures) -> VisionTransformer:
    """The quantized model that starts with the float model's weights."""
    model = VisionTransformer(recipe.model)
    kept = model.load_state_dict(float_model.state_dict(), strict=False)
    missing = [key for key in kept.missing_keys if "_quant" not in key and "tensor_quant" not in key]
    if missing or kept.unexpected_keys:
        raise CheckpointError(f"float weights do not fit the quantized model: {missing + kept.unexpected_keys}")
    stream = itertools.islice(batches(pictures, recipe.batch_size), CALIBRATION_STEPS)
    calibrate(model, [pixels for pixels, _ in stream])
    return model


@dataclasses.dataclass
class Run:
    """A training run in a folder: model, optimizer and the number of finished epochs."""

    folder: Path
    recipe: Recipe
    phase: str
    epoch: int
    model: VisionTransformer
    optimizer: torch.optim.AdamW

    @classmethod
    def start(cls, folder: Path, recipe: Recipe) -> Run:
        torch.manual_seed(recipe.seed)
        model = VisionTransformer(dataclasses.replace(recipe.model, weight_format="float"))
        return cls(folder, recipe, "float", 0, model, make_optimizer(model, recipe.weight_decay))

    @classmethod
    def resume(cls, folder: Path, recipe: Recipe) -> Run:
        """Go on after the last whole epoch.

        Raises:
            CheckpointError: no state, or the state of another recipe.
        """
        tensors, metadata = read_tensors(folder / "state.safetensors")
        if metadata.get("recipe") != recipe_text(recipe):
            raise CheckpointError(f"{folder} was made by another recipe; choose another --out")
        phase, epoch = metadata["phase"], int(metadata["epoch"])
        weight_format = recipe.model.weight_format if phase == "quantized" else "float"
        model = VisionTransformer(dataclasses.replace(recipe.model, weight_format=weight_format))
        model.load_state_dict(_strip(tensors, "model."))
        freeze_scales(model)
        optimizer = make_optimizer(model, recipe.weight_decay)
        _load_optimizer(optimizer, _strip(tensors, "optimizer."))
        torch.set_rng_state(tensors["rng"])
        return cls(folder, recipe, phase, epoch, model, optimizer)

    def save(self) -> None:
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": t for name, t in state.items()}
        tensors["rng"] = torch.get_rng_state()
        metadata = {"phase": self.phase, "epoch": str(self.epoch), "recipe": recipe_text(self.recipe)}
        write_tensors(self.folder / "state.safetensors", tensors, metadata)

    def log(self, **facts: Any) -> None:
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(facts) + "\n")

    def train_epoch(self, pictures: Pictures) -> float:
        """One pass; returns the mean loss."""
        phase = getattr(self.recipe, f"{self.phase}_phase")
        steps = len(pictures) // self.recipe.batch_size
        total = 0.0
        self.model.train()
        stream = batches(pictures, self.recipe.batch_size)
        bar = tqdm(stream, total=steps, desc=f"{self.phase} {self.epoch + 1}/{phase.epochs}")
        for step, (pixels, labels) in enumerate(bar):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(phase, self.epoch + step / steps)
            loss = F.cross_entropy(self.model(pixels), labels, label_smoothing=self.recipe.label_smoothing)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            total += loss.item()
            bar.set_postfix(loss=f"{total / (step + 1):.3f}")
        self.epoch += 1
        return total / max(steps, 1)

    def train_phase(self, train: Pictures, validation: Pictures) -> None:
        phase = getattr(self.recipe, f"{self.phase}_phase")
        while self.epoch < phase.epochs:
            loss = self.train_epoch(train)
            score = accuracy(self.model, validation)
            self.save()
            self.log(phase=self.phase, epoch=self.epoch, loss=round(loss, 4), validation_accuracy=round(score, 2))
            print(f"{self.phase} epoch {self.epoch}: loss {loss:.3f}, validation accuracy {score:.2f} %", flush=True)

    def quantize(self, train: Pictures) -> None:
        """Enter the quantized phase with the float weights."""
        self.model = quantized_from(self.model, self.recipe, train)
        self.optimizer = make_optimizer(self.model, self.recipe.weight_decay)
        self.phase, self.epoch = "quantized", 0


def train(run: Run, pictures: Pictures, validation: Pictures, command: str) -> VisionTransformer:
    """Carry ``run`` to its end and save the result as ``model.safetensors``."""
    if run.phase == "float":
        run.train_phase(pictures, validation)
        run.quantize(pictures)
    run.train_phase(pictures, validation)
    facts = {"command": command, "recipe": dataclasses.asdict(run.recipe)}
    save_checkpoint(run.folder / "model.safetensors", run.model.eval(), facts)
    return run.model


def recipe_text(recipe: Recipe) -> str:
    return json.dumps(dataclasses.asdict(recipe), sort_keys=True)


def _strip(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


def _load_optimizer(optimizer: torch.optim.AdamW, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

"""A teacher's answers to views of the training split, computed once and kept.

Sources: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; Beyer et al.,
"Knowledge distillation: a good teacher is patient and consistent", 2022; kept answers as in
"A Fast Knowledge Distillation Framework for Visual Recognition", Shen and Xing 2022.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from brevitas_model.checkpoint import load_checkpoint, read_tensors, write_tensors
from brevitas_model.shipped import CheckpointError, find_checkpoint
from brevitas_model.training.augmentation import View
from brevitas_model.training.recipe import Augmentation, Distillation, Recipe
from hls_projects.files import read_whole

BATCH = 125


class Teacher:
    """Answers of a checkpoint, kept in ``folder`` by what they depend on.

    Args:
        recipe: names the teacher and says how views are drawn.
        folder: where answers are kept.

    Raises:
        CheckpointError: no such teacher, or one of other classes.
    """

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        path = find_checkpoint(recipe.distillation.teacher)
        self.model, _ = load_checkpoint(path)
        self.classes = self.model.config.num_classes
        if self.classes != recipe.model.num_classes:
            raise CheckpointError(
                f"teacher {path} answers {self.classes} classes, the model {recipe.model.num_classes}"
            )
        self.augmentation = recipe.augmentation
        drawn = json.dumps([_drawn(recipe.augmentation), recipe.seed])
        self.key = hashlib.sha256(hashlib.sha256(read_whole(path)).digest() + drawn.encode()).hexdigest()[:16]
        self.folder = folder / self.key

    def answers(self, number: int, view: View) -> Tensor:
        """Logits to every image of view ``number``, float32 (N, classes)."""
        kind = "view" if view.augmentation == self.augmentation else "unmixed-view"
        path = self.folder / f"{kind}-{number}-of-{len(view)}.safetensors"
        try:
            kept = read_tensors(path)[0]["logits"]
            if kept.shape == (len(view), self.classes):
                return kept.float()
        except (CheckpointError, KeyError):
            pass  # none yet, or a damaged one, which is made again
        made = self._ask(view, f"teacher on view {number}").half()
        write_tensors(path, {"logits": made}, {})
        return made.float()

    @torch.no_grad()
    def _ask(self, view: View, what: str) -> Tensor:
        parts = []
        for chosen in tqdm(torch.arange(len(view)).split(BATCH), desc=what, leave=False):
            with torch.autocast("cpu", torch.bfloat16):
                parts.append(self.model(view.pixels(chosen)).float())
        return torch.cat(parts)


def _drawn(augmentation: Augmentation) -> dict[str, Any]:
    """What decides the draws; a key is absent at its default where answers were cached before it existed."""
    fields = dataclasses.asdict(augmentation)
    return (
        fields if augmentation.unmixed_epochs else {name: fields[name] for name in fields if name != "unmixed_epochs"}
    )


def distillation_loss(logits: Tensor, answers: Tensor, table: Distillation) -> Tensor:
    """Divergence of the student's ``logits`` from the teacher's, both (B, classes), a scalar.

    Scaled by the square of the temperature, so that gradients keep their size (Hinton et al.).
    """
    student = F.log_softmax(logits / table.temperature, dim=1)
    teacher = F.log_softmax(answers / table.temperature, dim=1)
    return F.kl_div(student, teacher, log_target=True, reduction="batchmean") * table.temperature**2

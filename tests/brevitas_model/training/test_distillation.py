"""Distillation: the teacher is asked once a view, and its part of the loss has the right size."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from brevitas_model.checkpoint import save_checkpoint
from brevitas_model.models import build_model
from brevitas_model.resnet import ResNet9Config
from brevitas_model.shipped import CheckpointError
from brevitas_model.training.augmentation import View, generator
from brevitas_model.training.data import Dataset
from brevitas_model.training.distillation import Teacher, distillation_loss
from brevitas_model.training.recipe import Augmentation, Distillation, Recipe, Schedule
from tests.support.models import noise, random_model, tiny_config

IMAGES = Dataset(noise(40), np.arange(40) % 10)


def resnet_checkpoint(path: Path, seed: int = 0, num_classes: int = 10) -> Path:
    torch.manual_seed(seed)
    save_checkpoint(path, build_model(ResNet9Config(width=1, num_classes=num_classes)), {})
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return Recipe(
        model=tiny_config(weight_format="float"),
        schedule=Schedule(epochs=1, learning_rate=1e-3),
        augmentation=Augmentation(mixup=0.3, cutmix=0.3, views=2),
        distillation=Distillation(teacher=str(resnet_checkpoint(tmp_path / "teacher.safetensors"))),
    )


def view_of(recipe: Recipe, number: int = 0) -> View:
    return View(IMAGES, recipe.augmentation, generator(recipe.seed, 0, number))


class Counted:
    """Counts the images that a teacher is shown."""

    def __init__(self, teacher: Teacher) -> None:
        self.dataset = 0
        teacher.model.register_forward_hook(self.count)

    def count(self, module: object, args: tuple[torch.Tensor], output: object) -> None:
        self.dataset += len(args[0])


def test_answers_are_the_teachers(recipe: Recipe, tmp_path: Path):
    teacher, view = Teacher(recipe, tmp_path / "kept"), view_of(recipe)
    answers = teacher.answers(0, view)
    assert answers.shape == (40, 10) and answers.dtype == torch.float32
    with torch.no_grad():
        expected = teacher.model(view.pixels(torch.arange(40)))
    assert not teacher.model.training
    # The teacher answers in bfloat16.
    torch.testing.assert_close(answers, expected, rtol=0.05, atol=0.1)
    assert (answers - expected).abs().mean() < 0.1 * expected.std()


def test_answers_are_kept(recipe: Recipe, tmp_path: Path):
    teacher = Teacher(recipe, tmp_path / "kept")
    counted = Counted(teacher)
    first = teacher.answers(0, view_of(recipe))
    assert counted.dataset == 40
    assert torch.equal(teacher.answers(0, view_of(recipe)), first) and counted.dataset == 40
    assert not torch.equal(teacher.answers(1, view_of(recipe, 1)), first) and counted.dataset == 80
    another = Teacher(recipe, tmp_path / "kept")
    counted = Counted(another)
    assert torch.equal(another.answers(0, view_of(recipe)), first) and counted.dataset == 0


@pytest.mark.parametrize("content", [b"", b"half a file", None, "other"])
def test_damaged_answers_are_made_anew(recipe: Recipe, tmp_path: Path, content: bytes | str | None):
    teacher, view = Teacher(recipe, tmp_path / "kept"), view_of(recipe)
    first = teacher.answers(0, view)
    (path,) = (tmp_path / "kept").rglob("*.safetensors")
    if content == "other":
        save_checkpoint(path, random_model(tiny_config()), {})
    else:
        path.write_bytes(path.read_bytes()[:-1] if content is None else content)
    counted = Counted(teacher)
    assert torch.equal(teacher.answers(0, view), first) and counted.dataset == 40
    assert torch.equal(teacher.answers(0, view), first) and counted.dataset == 40


def test_other_number_of_images_is_asked_anew(recipe: Recipe, tmp_path: Path):
    teacher = Teacher(recipe, tmp_path / "kept")
    teacher.answers(0, view_of(recipe))
    fewer = View(IMAGES[:30], recipe.augmentation, generator(0, 0, 0))
    assert teacher.answers(0, fewer).shape == (30, 10)


def test_what_answers_depend_on_is_in_the_key(recipe: Recipe, tmp_path: Path):
    other = resnet_checkpoint(tmp_path / "other.safetensors", seed=1)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(Path(recipe.distillation.teacher).read_bytes())
    keys = [
        Teacher(changed, tmp_path / "kept").key
        for changed in (
            recipe,
            dataclasses.replace(recipe, seed=1),
            dataclasses.replace(recipe, distillation=Distillation(teacher=str(other))),
            dataclasses.replace(recipe, augmentation=Augmentation(mixup=0.3, cutmix=0.2, views=2)),
        )
    ]
    assert len(set(keys)) == 4
    same = dataclasses.replace(
        recipe,
        distillation=Distillation(teacher=str(copy), temperature=4.0, weight=0.9),
        schedule=Schedule(epochs=9, learning_rate=1.0),
    )
    assert Teacher(same, tmp_path / "kept").key == keys[0]


def test_teacher_of_other_classes_is_refused(recipe: Recipe, tmp_path: Path):
    seven = resnet_checkpoint(tmp_path / "seven.safetensors", num_classes=7)
    wrong = dataclasses.replace(recipe, distillation=Distillation(teacher=str(seven)))
    with pytest.raises(CheckpointError, match=r"teacher .*seven.* answers 7 classes, the model 10"):
        Teacher(wrong, tmp_path)


def test_missing_teacher(recipe: Recipe, tmp_path: Path):
    wrong = dataclasses.replace(recipe, distillation=Distillation(teacher=str(tmp_path / "none.safetensors")))
    with pytest.raises(CheckpointError, match=r"none.safetensors does not exist"):
        Teacher(wrong, tmp_path)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 8.0])
def test_equal_logits_cost_nothing(temperature: float):
    logits = torch.randn(5, 10, requires_grad=True)
    table = Distillation(teacher="t", temperature=temperature)
    loss = distillation_loss(logits, logits.detach(), table)
    loss.backward()
    assert abs(float(loss.detach())) < 1e-5 and logits.grad.abs().max() < 1e-6
    shifted = distillation_loss(logits.detach() + 3.0, logits.detach(), table)
    assert abs(float(shifted)) < 1e-4


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 8.0])
def test_loss_and_gradient_are_hintons(temperature: float):
    """d loss / d z = T (softmax(z / T) - softmax(v / T)) / B: at T², the size of a gradient without temperature."""
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 10, generator=random, dtype=torch.float64).requires_grad_()
    answers = torch.randn(6, 10, generator=random, dtype=torch.float64)
    loss = distillation_loss(logits, answers, Distillation(teacher="t", temperature=temperature))
    loss.backward()
    student, teacher = (torch.softmax(x / temperature, dim=1) for x in (logits.detach(), answers))
    divergence = (teacher * (teacher / student).log()).sum(dim=1).mean() * temperature**2
    torch.testing.assert_close(loss.detach(), divergence)
    torch.testing.assert_close(logits.grad, temperature * (student - teacher) / 6)
    assert float(loss.detach()) > 0

"""Recipes say what is wrong with them, by the key's full name."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from brevitas_model.config import ConfigError
from brevitas_model.models import build_model
from brevitas_model.training.recipe import (
    SHIPPED_RECIPES,
    Augmentation,
    Distillation,
    Pruning,
    Recipe,
    Schedule,
    load_recipe,
    override,
)
from tests.support.models import tiny_config

RECIPE = """
start = "vit-float"
seed = 3

[model]
embed_dim = 16
depth = 1
num_heads = 2
patch_size = 8

[schedule]
epochs = 4
learning_rate = 1e-3

[augmentation]
mixup = 0.5

[distillation]
teacher = "teacher"

[pruning]
block = 4
skip = ["head"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "r.toml").write_text(RECIPE)
    return tmp_path / "r.toml"


def test_all_tables_are_read(path: Path):
    assert load_recipe(path) == Recipe(
        model=tiny_config(),
        schedule=Schedule(epochs=4, learning_rate=1e-3),
        augmentation=Augmentation(mixup=0.5),
        distillation=Distillation(teacher="teacher"),
        pruning=Pruning(block=4, skip=("head",)),
        start="vit-float",
        seed=3,
    )


def test_overrides(path: Path):
    recipe = load_recipe(
        path,
        [
            "schedule.epochs=9",
            "schedule.learning_rate = 2e-4",
            "schedule.compiled=true",
            "model.weight_format=pot6",
            'distillation.teacher="a = b.safetensors"',
            "pruning.skip=[]",
            "start=runs/a/model.safetensors",
            "augmentation.views=5",
            "seed=1",
            "seed=2",
        ],
    )
    assert recipe.schedule == Schedule(epochs=9, learning_rate=2e-4, compiled=True)
    assert recipe.model == tiny_config(weight_format="pot6")
    assert recipe.distillation.teacher == "a = b.safetensors" and recipe.pruning.skip == ()
    assert recipe.start == "runs/a/model.safetensors" and recipe.seed == 2
    assert recipe.augmentation == Augmentation(mixup=0.5, views=5)


def test_override_makes_a_table():
    fields: dict[str, object] = {}
    override(fields, "pruning.sparsity=0.25")
    override(fields, "pruning.structure=unstructured")
    assert fields == {"pruning": {"sparsity": 0.25, "structure": "unstructured"}}


@pytest.mark.parametrize(
    "text, message",
    [
        ("seed", "'seed' is no assignment such as schedule.epochs=3"),
        ("=3", "'=3' is no assignment"),
        ("schedule.=3", "is no assignment"),
        ("", "'' is no assignment"),
        ("seed.x=3", "'seed.x=3': seed is no table"),
        ("pruning.skip.x=3", "skip is no table"),
        ("schedule=3", "schedule must be a table, not 3"),
        ("model=vit", "model must be a table, not 'vit'"),
        ("distillation=false", "distillation must be a table, not False"),
        # Unknown keys, at each level.
        ("sed=3", "unknown recipe key 'sed'; known keys: .*seed"),
        ("schedule.epoch=3", "unknown recipe key 'schedule.epoch'; known keys: .*epochs"),
        ("augmentation.mix=0", "unknown recipe key 'augmentation.mix'; known keys: cutmix, mixup, .*, views"),
        ("distillation.heat=1", "unknown recipe key 'distillation.heat'; known keys: .*temperature"),
        ("pruning.blocks=4", "unknown recipe key 'pruning.blocks'; known keys: .*block"),
        ("model.heads=3", "unknown model key 'heads'; known keys: .*num_heads"),
        # Wrong types.
        ("seed=1.5", "seed must be an integer, not 1.5"),
        ("seed=true", "seed must be an integer, not True"),
        ("start=3", "start must be a string, not 3"),
        ("label_smoothing=much", "label_smoothing must be a number, not 'much'"),
        ("schedule.epochs=3.0", "schedule.epochs must be an integer, not 3.0"),
        ("schedule.epochs=[3]", "schedule.epochs must be an integer"),
        ("schedule.learning_rate=true", "schedule.learning_rate must be a number, not True"),
        ("schedule.compiled=1", "schedule.compiled must be true or false, not 1"),
        ("schedule.precision=int4", "schedule.precision must be one of float32, bfloat16, not 'int4'"),
        ("schedule.precision=['float32']", "schedule.precision must be one of"),
        ("augmentation.views=2.5", "augmentation.views must be an integer, not 2.5"),
        ("distillation.teacher=1", "distillation.teacher must be a string, not 1"),
        ("pruning.skip=head", "pruning.skip must be a list of strings, not 'head'"),
        ("pruning.skip=[1]", "pruning.skip must be a list of strings"),
        ("pruning.structure=columns", "pruning.structure must be one of block, unstructured, not 'columns'"),
        ("model.depth=two", "depth must be a positive integer, not 'two'"),
        ("model.architecture=mlp", "architecture must be one of vit, hybrid, resnet9, convnet, not 'mlp'"),
        ("model.architecture=['vit']", "architecture must be one of vit, hybrid, resnet9, convnet"),
        ("model.architecture=resnet9", "unknown model key 'depth'; known keys: architecture, num_classes, width"),
        # Impossible values.
        ("model.num_heads=3", "num_heads 3 does not divide embed_dim 16"),
        ("model.patch_size=5", "patch_size 5 does not divide image_size 32"),
        ("model.activation_bits=9", "activation_bits must be 4 to 8, not 9"),
        ("schedule.epochs=0", "schedule.epochs must be at least 1, not 0"),
        ("schedule.batch_size=0", "schedule.batch_size must be at least 1"),
        ("schedule.learning_rate=-1e-3", "schedule.learning_rate must be positive"),
        ("schedule.learning_rate=inf", "schedule.learning_rate must be a number, not inf"),
        ("schedule.learning_rate=nan", "schedule.learning_rate must be a number, not nan"),
        ("schedule.warmup_epochs=-1", "schedule.warmup_epochs must not be negative"),
        ("schedule.weight_decay=-0.1", "schedule.weight_decay must not be negative"),
        ("augmentation.mixup=-0.1", "augmentation.mixup and cutmix must not be negative"),
        ("augmentation.cutmix=0.6", "augmentation.mixup and cutmix together must not exceed 1"),
        ("augmentation.views=-1", "augmentation.views must not be negative"),
        ("distillation.weight=0", "distillation.weight must be above 0 and at most 1"),
        ("distillation.weight=1.1", "distillation.weight must be above 0 and at most 1"),
        ("distillation.temperature=0", "distillation.temperature must be positive"),
        ("pruning.sparsity=1", "pruning.sparsity must lie between 0 and 1"),
        ("pruning.sparsity=0", "pruning.sparsity must lie between 0 and 1"),
        ("pruning.block=1", "pruning.block must be at least 2"),
        ("pruning.ramp_epochs=4", "ramp_epochs 4 leaves none of 4 epochs for fine-tuning"),
        ("pruning.ramp_epochs=inf", "pruning.ramp_epochs must be a number, not inf"),
        ("label_smoothing=1", r"label_smoothing must lie in \[0, 1\), not 1"),
        ("pos_embed_std=0", "pos_embed_std must be positive"),
        ("seed=-1", "seed must lie in"),
        ("seed=9223372036854775808", "seed must lie in"),
    ],
)
def test_wrong_override_is_told(path: Path, text: str, message: str):
    with pytest.raises(ConfigError, match=rf"^recipe \S*r.toml: .*{message}"):
        load_recipe(path, [text])


@pytest.mark.parametrize(
    "line, message",
    [
        ("[model]\n", "incomplete recipe: schedule is missing"),
        ("[schedule]\nepochs = 1\n[model]\n", "incomplete recipe: schedule.learning_rate is missing"),
        ("[schedule]\nepochs = 1\nlearning_rate = 1\n", "incomplete recipe: model is missing"),
        ("[schedule]\nepochs = 1\nlearning_rate = 1\n[model]\n[distillation]\n", "distillation.teacher is missing"),
        ("[schedule]\nepochs = 1\nlearning_rate = 1\n[model]\n[pruning]\n", "name one with start"),
        ("[schedule\n", "is not TOML"),
        ("seed = 1\nseed = 2\n", "is not TOML"),
    ],
)
def test_incomplete_recipe(path: Path, line: str, message: str):
    path.write_text(line)
    with pytest.raises(ConfigError, match=message):
        load_recipe(path)


def test_file_that_is_no_recipe(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_recipe(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_recipe(tmp_path / "binary.toml")
    with pytest.raises(ConfigError, match="recipe vit-flaot cannot be read"):
        load_recipe(Path("vit-flaot"))


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED_RECIPES.glob("*.toml")))
def test_shipped_recipes_load(name: str):
    recipe = load_recipe(Path(name))
    assert recipe == load_recipe(SHIPPED_RECIPES / f"{name}.toml")
    build_model(recipe.model)


def test_the_chain_of_shipped_recipes():
    recipes = {path.stem: load_recipe(path) for path in SHIPPED_RECIPES.glob("*.toml")}
    assert {"teacher", "vit-float", "vit-pot4", "vit-pot6"} <= set(recipes)
    for name, recipe in recipes.items():
        if recipe.distillation:
            assert recipe.distillation.teacher == ("teacher94" if "hybrid" in name else "teacher"), name
            asked = recipe.augmentation.views or recipe.schedule.epochs
            assert asked <= 20, f"{name} asks the teacher about {asked} draws"
    for name in ("vit-pot4-mixed", "vit-pot4", "vit-pot6"):
        weight_format = recipes[name].model.weight_format
        assert weight_format == name.split("-")[1]
        assert recipes[name].model == dataclasses.replace(recipes["vit-float"].model, weight_format=weight_format)


def test_a_recipe_survives_json(path: Path):
    recipe = load_recipe(path)
    assert Recipe.from_dict(json.loads(recipe.to_json())) == recipe
    assert json.loads(json.dumps(dataclasses.asdict(recipe))) == json.loads(recipe.to_json())

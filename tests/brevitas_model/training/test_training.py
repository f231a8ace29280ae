"""Training on a few hundred random images: it resumes bit for bit, and refuses what cannot work."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from tqdm import tqdm

from brevitas_model import checkpoint as checkpoint_module
from brevitas_model.checkpoint import load_checkpoint, load_masks, read_tensors, save_checkpoint, write_tensors
from brevitas_model.config import ConfigError
from brevitas_model.convnet import ConvNetConfig
from brevitas_model.models import build_model
from brevitas_model.pruning import apply_masks, make_masks, matrices, removed, sparsity
from brevitas_model.resnet import ResNet9Config
from brevitas_model.shipped import CheckpointError
from brevitas_model.training import data
from brevitas_model.training.data import Dataset
from brevitas_model.training.distillation import Teacher, distillation_loss
from brevitas_model.training.recipe import Augmentation, Distillation, Pruning, Recipe, Schedule, load_recipe
from brevitas_model.training.run import (
    Run,
    accuracy,
    calibrate,
    hold_run,
    learning_rate,
    make_optimizer,
    predictions,
    start_digest,
    train,
)
from flows import train as command
from flows.training import train as work
from tests.support import ROOT
from tests.support.disk import file_limit
from tests.support.models import hybrid_config, listing, noise, random_model, snapshot, tiny_config

IMAGES = Dataset(noise(160), np.arange(160) % 10)
VALIDATION = Dataset(noise(20, seed=1), np.arange(20) % 10)
FLOAT = tiny_config(weight_format="float")
Starts = dict[str, Path]


@pytest.fixture(autouse=True)
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing the curves of every epoch would take most of the time; the killed runs draw them."""
    monkeypatch.setattr("brevitas_model.training.curves._plot", lambda history: b"image")


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Starts:
    """Checkpoints to start from: a float model, a pruned one, a quantized one and a teacher."""
    folder = tmp_path_factory.mktemp("starts")
    paths = {name: folder / f"{name}.safetensors" for name in ("float", "pruned", "pot4", "teacher")}
    model = random_model(FLOAT)
    save_checkpoint(paths["float"], model, {})
    masks = make_masks(model, Pruning())
    apply_masks(model, masks)
    save_checkpoint(paths["pruned"], model, {}, masks)
    save_checkpoint(paths["pot4"], random_model(tiny_config()), {})
    save_checkpoint(paths["teacher"], build_model(ResNet9Config(width=1)).eval(), {})
    return paths


def tiny_recipe(
    epochs: int = 2, weight_format: str = "float", schedule: dict[str, object] | None = None, **fields: object
) -> Recipe:
    """Five steps an epoch."""
    settings = {"learning_rate": 2e-3, "warmup_epochs": 0.5, "batch_size": 32} | (schedule or {})
    return Recipe(
        model=fields.pop("model", tiny_config(weight_format=weight_format)),
        schedule=Schedule(epochs=epochs, **settings),
        **fields,
    )


def everything(starts: Starts, **fields: object) -> Recipe:
    """A quantized, distilled, mixed run from a pruned start."""
    return tiny_recipe(
        epochs=3,
        weight_format="pot4",
        start=str(starts["pruned"]),
        augmentation=Augmentation(mixup=0.3, cutmix=0.3, views=2),
        distillation=Distillation(teacher=str(starts["teacher"])),
        **fields,
    )


def finish(run: Run) -> dict[str, torch.Tensor]:
    """The tensors of the result."""
    return read_tensors(train(run, IMAGES, VALIDATION, "test"))[0]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def metrics(folder: Path) -> list[dict[str, object]]:
    """What the epochs gave, without how long they took."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


def train_epoch(run: Run) -> float:
    with tqdm(disable=True) as bar:
        return run.train_epoch(IMAGES, None, bar)


# Going on.

RECIPES: dict[str, Callable[[Starts], Recipe]] = {
    "float": lambda starts: tiny_recipe(epochs=3),
    "gradual pruning": lambda starts: tiny_recipe(
        epochs=3, start=str(starts["float"]), pruning=Pruning(ramp_epochs=1.5)
    ),
    "quantized": lambda starts: tiny_recipe(epochs=3, weight_format="pot6"),
    "from quantized": lambda starts: tiny_recipe(epochs=3, weight_format="pot4", start=str(starts["pot4"])),
    "resnet9": lambda starts: tiny_recipe(epochs=3, model=ResNet9Config(width=1)),
    "convnet": lambda starts: tiny_recipe(
        epochs=3, model=ConvNetConfig(width=24, wide=1), schedule={"optimizer": "sgd", "bias_rate": 4.0}
    ),
    "hybrid": lambda starts: tiny_recipe(
        epochs=3,
        model=hybrid_config(weight_format="float"),
        augmentation=Augmentation(mixup=0.3, cutmix=0.3, unmixed_epochs=1),
        schedule={"precision": "bfloat16"},
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_stopped_run_goes_on_bit_for_bit(starts: Starts, tmp_path: Path, name: str):
    recipe = RECIPES[name](starts)
    straight = finish(Run.start(tmp_path / "straight", recipe, IMAGES))
    for done in range(3):
        run = Run.resume(tmp_path / "parts", recipe) if done else Run.start(tmp_path / "parts", recipe, IMAGES)
        assert run.epoch == done
        torch.manual_seed(12345 + done)
        run.train(IMAGES, VALIDATION, after_epoch=lambda line: True)
    assert same(finish(Run.resume(tmp_path / "parts", recipe)), straight)
    assert metrics(tmp_path / "parts") == metrics(tmp_path / "straight")
    assert [line["epoch"] for line in metrics(tmp_path / "parts")] == [1, 2, 3]
    wanted = ["curves.csv", "curves.png", "metrics.jsonl", "model.safetensors", "state.safetensors"]
    assert listing(tmp_path / "parts") == wanted


def test_result_says_how_it_was_made(starts: Starts, tmp_path: Path):
    recipe = tiny_recipe(start=str(starts["float"]))
    finish(Run.start(tmp_path, recipe, IMAGES))
    _, facts = load_checkpoint(tmp_path / "model.safetensors")
    assert Recipe.from_dict(facts["recipe"]) == recipe and facts["command"] == "test"
    assert facts["start"] == start_digest(recipe)


# Killed processes. The child plays flows/train.py on random images and is killed at a given place.
DRIVER = """
import os, signal, sys
import numpy as np, torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from tests.support.models import noise
from brevitas_model.training import data
from brevitas_model.training import run as training
from brevitas_model import (checkpoint)
from brevitas_model.training.data import Dataset
from flows import train as command
from flows.training import train as work

data.VALIDATION_IMAGES = 20
labels = np.concatenate([np.arange(160), np.arange(20)]) % 10
everything = Dataset(np.concatenate([noise(160), noise(20, seed=1)]), labels)
work.load_cifar10 = lambda folder, *, train: everything

def kill(module, name, count, wanted=lambda *args: True, before=lambda *args: None):
    original, calls = getattr(module, name), []
    def work(*args, **named):
        calls.append(0) if wanted(*args) else None
        if len(calls) == count and wanted(*args):
            before(*args)
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **named)
    setattr(module, name, work)

def half(tensors, path, *rest):
    path.write_bytes(b"half a file")

def writes(name):
    return lambda tensors, path, *rest: name in path.name

places = {
    "epoch": lambda: kill(training, "apply_masks", 9),  # at the start, in five steps, and in three more
    "state": lambda: kill(checkpoint, "save_file", 1, writes("state"), half),
    "history": lambda: kill(training, "write_history", 2),  # once where it goes on
    "model": lambda: kill(checkpoint, "save_file", 1, writes("model"), half),
    "-": lambda: None,
}
for place, folder in zip(sys.argv[3::2], sys.argv[4::2]):
    child = os.fork()
    if not child:
        places[place]()
        os._exit(command.main([sys.argv[2], "--out", folder]))
    print(place, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(list(os.scandir(folder))), flush=True)
"""


def write_recipe(path: Path, recipe: Recipe) -> Path:
    """``recipe`` as TOML: every value of these is the same in JSON."""
    top, tables = [], []
    for key, value in dataclasses.asdict(recipe).items():
        if isinstance(value, dict):
            tables += [f"[{key}]", *(f"{name} = {json.dumps(item)}" for name, item in value.items())]
        elif value is not None:
            top.append(f"{key} = {json.dumps(value)}")
    path.write_text("\n".join([*top, *tables, ""]))
    assert load_recipe(path) == recipe
    return path


def test_killed_run_goes_on_bit_for_bit(starts: Starts, tmp_path: Path):
    recipe = write_recipe(tmp_path / "r.toml", everything(starts))
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    killed.mkdir()
    places = ["epoch", "state", "history", "model"]
    plays = [*((place, killed) for place in places), ("-", killed), ("-", straight)]
    child = subprocess.run(
        [sys.executable, "-c", DRIVER, ROOT, recipe, *(part for play in plays for part in play)],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    ends = [line.split() for line in child.stdout.splitlines() if line.split()[0] in (*places, "-")]
    died = str(-signal.SIGKILL)
    # State, metrics, table and image; the lock, and the half-written part of the last write; the model.
    assert ends == [
        ["epoch", died, "5"], ["state", died, "6"], ["history", died, "5"], ["model", died, "6"],
        ["-", "0", "5"], ["-", "0", "5"],
    ], child.stderr  # fmt: skip
    results = [read_tensors(folder / "model.safetensors") for folder in (killed, straight)]
    assert same(results[0][0], results[1][0])
    assert metrics(killed) == metrics(straight) and len(metrics(killed)) == 3
    assert same(*(read_tensors(folder / "state.safetensors")[0] for folder in (killed, straight)))


def test_diverging_run_keeps_the_last_good_state(
    splits: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    argv = [str(write_recipe(tmp_path / "r.toml", tiny_recipe())), "--out", str(tmp_path / "run")]
    loss = Run.loss
    monkeypatch.setattr(Run, "loss", lambda self, *args: loss(self, *args) * (1.0 if self.epoch == 0 else math.nan))
    assert command.main(argv) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("train: the loss of epoch 2 is nan; the state of epoch 1 is kept")
    tensors, _ = read_tensors(tmp_path / "run" / "state.safetensors")
    assert all(bool(t.isfinite().all()) for t in tensors.values()) and len(metrics(tmp_path / "run")) == 1


# A full disk.


@pytest.fixture
def splits(monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-10 of a few random images."""
    together = Dataset(
        np.concatenate([IMAGES.images, VALIDATION.images]), np.concatenate([IMAGES.labels, VALIDATION.labels])
    )
    monkeypatch.setattr(data, "VALIDATION_IMAGES", 20)
    monkeypatch.setattr(work, "load_cifar10", lambda folder, *, train: together)


@contextmanager
def no_space() -> Iterator[None]:
    def fail(tensors: object, path: Path, metadata: object = None) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint_module, "save_file", fail)
        yield


def small_files() -> AbstractContextManager[None]:
    """The system itself refuses to write as much as a state has."""
    return file_limit(20_000)


@pytest.mark.parametrize("full", [no_space, small_files])
def test_full_disk(
    splits: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    full: Callable[[], AbstractContextManager[None]],
):
    recipe, out = tiny_recipe(), tmp_path / "run"
    run = Run.start(out, recipe, IMAGES)
    run.train(IMAGES, VALIDATION, after_epoch=lambda line: True)
    before = {path: path.read_bytes() for path in out.iterdir()}
    argv = [str(write_recipe(tmp_path / "r.toml", recipe)), "--out", str(out)]
    capsys.readouterr()
    with full():
        status = command.main(argv)
    said = capsys.readouterr().err
    last = said.strip().splitlines()[-1]
    assert status == 2 and "Traceback" not in said
    assert last.startswith("train: ") and ("No space left" in last or "File too large" in last)
    # The history of finished epochs is written again, its image with another time in it.
    assert listing(out) == sorted(path.name for path in before)
    assert (out / "state.safetensors").read_bytes() == before[out / "state.safetensors"]
    assert metrics(out) == [metrics(out)[0]]
    assert command.main(argv) == 0
    assert same(read_tensors(out / "model.safetensors")[0], finish(Run.start(tmp_path / "new", recipe, IMAGES)))


# What is refused.


def test_another_recipe_is_refused(tmp_path: Path):
    Run.start(tmp_path, tiny_recipe(), IMAGES).save()
    for other in (tiny_recipe(epochs=3), tiny_recipe(seed=1), tiny_recipe(weight_format="pot4")):
        with pytest.raises(CheckpointError, match="was made by another recipe; choose another --out"):
            Run.resume(tmp_path, other)


def test_a_recipe_from_before_a_key_is_the_same(tmp_path: Path):
    Run.start(tmp_path, tiny_recipe(), IMAGES).save()
    state = tmp_path / "state.safetensors"
    tensors, metadata = read_tensors(state)
    recipe = json.loads(metadata["recipe"])
    for key in ("attention", "tile_size", "context_tiles", "token_order"):
        del recipe["model"][key]
    write_tensors(state, tensors, metadata | {"recipe": json.dumps(recipe)})
    assert Run.resume(tmp_path, tiny_recipe()).epoch == 0
    for broken in ({}, {"recipe": json.dumps(recipe | {"unknown": 1})}):
        write_tensors(state, tensors, {name: text for name, text in metadata.items() if name != "recipe"} | broken)
        with pytest.raises(CheckpointError, match="was made by another recipe"):
            Run.resume(tmp_path, tiny_recipe())


def test_another_start_is_refused(starts: Starts, tmp_path: Path):
    start = tmp_path / "start.safetensors"
    start.write_bytes(starts["float"].read_bytes())
    recipe = tiny_recipe(start=str(start))
    Run.start(tmp_path / "run", recipe, IMAGES).save()
    assert Run.resume(tmp_path / "run", recipe).epoch == 0
    start.write_bytes(starts["pruned"].read_bytes())
    with pytest.raises(CheckpointError, match=r"started from another .*start.safetensors; choose another --out"):
        Run.resume(tmp_path / "run", recipe)
    start.unlink()
    with pytest.raises(CheckpointError, match=r"start.safetensors cannot be read: No such file"):
        Run.resume(tmp_path / "run", recipe)


def test_resuming_writes_nothing(tmp_path: Path):
    recipe = tiny_recipe()
    run = Run.start(tmp_path, recipe, IMAGES)
    run.train(IMAGES, VALIDATION, after_epoch=lambda line: True)
    (tmp_path / "curves.csv").unlink()
    before = snapshot(tmp_path)
    resumed = Run.resume(tmp_path, recipe)
    assert snapshot(tmp_path) == before and resumed.history == run.history
    resumed.train(IMAGES, VALIDATION)
    assert (tmp_path / "curves.csv").is_file()


@pytest.mark.parametrize("history", ["", "{", "[[]]", "[{}]", '[{"epoch": "1"}]', "[" * 5000, None])
def test_a_state_with_a_damaged_history(tmp_path: Path, history: str | None):
    Run.start(tmp_path, tiny_recipe(), IMAGES).save()
    state = tmp_path / "state.safetensors"
    tensors, metadata = read_tensors(state)
    metadata.pop("history")
    write_tensors(state, tensors, metadata if history is None else metadata | {"history": history})
    before = snapshot(tmp_path)
    with pytest.raises(CheckpointError, match=r"holds a damaged state .*; remove it and train again"):
        Run.resume(tmp_path, tiny_recipe())
    assert snapshot(tmp_path) == before


def test_a_state_with_damaged_tensors(tmp_path: Path):
    run = Run.start(tmp_path, tiny_recipe(), IMAGES)
    run.train(IMAGES, VALIDATION, after_epoch=lambda line: True)
    state = tmp_path / "state.safetensors"
    tensors, metadata = read_tensors(state)
    name = next(name for name in tensors if name.startswith("optimizer."))
    for wrong in ("optimizer.99999.exp_avg", "optimizer.x", "model.more"):
        write_tensors(state, tensors | {wrong: tensors[name].clone()}, metadata)
        with pytest.raises(CheckpointError, match="holds a damaged state"):
            Run.resume(tmp_path, tiny_recipe())


def test_one_training_a_folder(splits: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The second says so in one line and writes nothing."""
    argv = [str(write_recipe(tmp_path / "r.toml", tiny_recipe())), "--out", str(tmp_path / "run")]
    with hold_run(tmp_path / "run"):
        before = snapshot(tmp_path / "run")
        assert command.main(argv) == 2
        assert snapshot(tmp_path / "run") == before
    said = capsys.readouterr().err
    assert said == f"train: another training writes to {tmp_path / 'run'}; wait for it or choose another --out\n"
    assert not (tmp_path / "run").exists()
    assert command.main(argv) == 0 and (tmp_path / "run" / "model.safetensors").is_file()


def test_a_start_that_is_replaced_during_the_run(starts: Starts, tmp_path: Path):
    """The run goes on, and still says what it started from."""
    start = tmp_path / "start.safetensors"
    start.write_bytes(starts["float"].read_bytes())
    recipe = tiny_recipe(start=str(start))
    digest = start_digest(recipe)
    run = Run.start(tmp_path / "run", recipe, IMAGES)
    start.write_bytes(starts["pruned"].read_bytes())
    run.train(IMAGES, VALIDATION, after_epoch=lambda line: True)
    with pytest.raises(CheckpointError, match="started from another"):
        Run.resume(tmp_path / "run", recipe)
    start.unlink()
    finish(run)
    assert load_checkpoint(tmp_path / "run" / "model.safetensors")[1]["start"] == digest


@pytest.mark.parametrize("start", ["pruned", "pot4"])
@pytest.mark.parametrize(
    "layout",
    [
        {"attention": "windowed", "tile_size": 4, "context_tiles": 0},
        {"attention": "windowed", "tile_size": 4, "token_order": "blocks"},
        {"tile_size": 5, "context_tiles": 3},
    ],
)
def test_a_start_of_other_tiles(starts: Starts, tmp_path: Path, start: str, layout: dict[str, object]):
    """Weights, position embeddings, masks and the scales of a quantized start are carried over as they are."""
    source, _ = load_checkpoint(starts[start])
    recipe = tiny_recipe(model=dataclasses.replace(source.config, **layout), start=str(starts[start]))
    run = Run.start(tmp_path / "run", recipe, IMAGES)
    assert run.model.config == recipe.model
    assert same(run.model.state_dict(), source.state_dict())
    assert same(run.masks, load_masks(starts[start], source)) and bool(run.masks) == (start == "pruned")
    dataset = torch.from_numpy(IMAGES.images[:8]).float()
    with torch.no_grad():
        differs = not torch.equal(run.model.eval()(dataset), source(dataset))
    assert differs == ("attention" in layout)
    train_epoch(run)


@pytest.mark.parametrize("start", ["float", "pot4"])
def test_tokens_in_another_order_keep_their_positions(starts: Starts, tmp_path: Path, start: str):
    """Where every token sees every token their order is none of the result's: embeddings lie row by row in a file."""
    source, _ = load_checkpoint(starts[start])
    for layout in ({"tile_size": 4}, {"attention": "windowed", "tile_size": 16, "context_tiles": 0}):
        config = dataclasses.replace(source.config, token_order="blocks", **layout)
        run = Run.start(tmp_path / "run", tiny_recipe(model=config, start=str(starts[start])), IMAGES)
        dataset = torch.from_numpy(IMAGES.images[:8]).float()
        with torch.no_grad():
            assert torch.allclose(run.model.eval()(dataset), source(dataset), atol=1e-5)


@pytest.mark.parametrize(
    "model, start, message",
    [
        ({"num_heads": 4}, "float", "of another shape: num_heads 2 instead of 4"),
        ({"embed_dim": 32, "depth": 2}, "float", "of another shape: embed_dim 16 instead of 32, depth 1 instead of 2"),
        ({"activation": "relu"}, "float", "of another shape: activation gelu instead of relu"),
        ({"depth": 2, "weight_format": "pot4"}, "pruned", "of another shape: depth 1 instead of 2"),
        ({}, "teacher", "the start is a ResNet9, not a VisionTransformer"),
        ({}, "pot4", "the start is another model"),
        ({}, "none", "none.safetensors does not exist"),
    ],
)
def test_start_of_another_shape(starts: Starts, tmp_path: Path, model: dict[str, object], start: str, message: str):
    path = starts.get(start, tmp_path / f"{start}.safetensors")
    recipe = tiny_recipe(model=tiny_config(**({"weight_format": "float"} | model)), start=str(path))
    with pytest.raises(CheckpointError, match=message) as error:
        Run.start(tmp_path / "run", recipe, IMAGES)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model": tiny_config(image_size=64)}, "model.image_size 64 with in_channels 3 does not fit .* 32×32×3"),
        ({"model": tiny_config(image_size=16)}, "model.image_size 16"),
        ({"model": tiny_config(in_channels=1)}, "in_channels 1 does not fit"),
        ({"model": tiny_config(num_classes=9)}, "model.num_classes 9 is less than the 10 classes"),
        ({"model": ResNet9Config(width=1, num_classes=5)}, "model.num_classes 5 is less"),
        ({"schedule": {"batch_size": 161}}, "schedule.batch_size 161 is more than the 160 training images"),
    ],
)
def test_recipe_that_does_not_fit_the_images(tmp_path: Path, changes: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        Run.start(tmp_path, tiny_recipe(**changes), IMAGES)


def test_more_classes_than_the_images_have(tmp_path: Path):
    run = Run.start(tmp_path, tiny_recipe(model=tiny_config(num_classes=12), schedule={"batch_size": 160}), IMAGES)
    train_epoch(run)


# Steps.


@pytest.mark.parametrize("weight_format", ["pot4", "pot6"])
def test_training_changes_weights_but_not_calibrated_scales(tmp_path: Path, weight_format: str):
    run = Run.start(tmp_path, tiny_recipe(weight_format=weight_format), IMAGES)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    assert [name for name in before if "scaling_impl" in name]
    train_epoch(run)
    changed = {name for name, tensor in run.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {"head.weight", "head.bias", "pos_embed", "blocks.0.attn.q.weight"} <= changed
    assert not [name for name in changed if "scaling_impl" in name]


def test_scales_are_calibrated_on_the_start(starts: Starts, tmp_path: Path):
    """Quantized at once, the model still thinks as the float model did."""
    run = Run.start(tmp_path, tiny_recipe(weight_format="pot6", start=str(starts["float"])), IMAGES)
    source, _ = load_checkpoint(starts["float"])
    assert torch.equal(run.model.head.weight, source.head.weight)
    pixels = torch.from_numpy(IMAGES.images).float()
    with torch.no_grad():
        ours, theirs = run.model.eval()(pixels), source(pixels)
    assert torch.nn.functional.cosine_similarity(ours, theirs).mean() > 0.9


def test_fewer_batches_than_calibration_steps(tmp_path: Path):
    run = Run.start(tmp_path, tiny_recipe(weight_format="pot4", schedule={"batch_size": 80}), IMAGES)
    assert all(not p.requires_grad for name, p in run.model.named_parameters() if "scaling_impl" in name)


def test_calibration_leaves_the_mode_alone():
    for training in (True, False):
        model = build_model(tiny_config()).train(training)
        calibrate(model, [torch.from_numpy(noise(4)).float()])
        assert model.training is training


def test_frozen_scales_take_no_part_in_the_optimizer(tmp_path: Path):
    run = Run.start(tmp_path, tiny_recipe(weight_format="pot4"), IMAGES)
    groups = run.optimizer.param_groups
    weights = [layer.weight for layer in matrices(run.model).values()]
    assert {id(p) for p in groups[0]["params"]} == {id(p) for p in weights} and groups[0]["weight_decay"] == 0.05
    biases = [layer.bias for layer in matrices(run.model).values()]
    assert {id(p) for p in groups[1]["params"]} == {id(p) for p in [*biases, run.model.pos_embed]}
    assert groups[1]["weight_decay"] == 0


def test_filters_decay():
    decayed, plain = make_optimizer(
        build_model(ResNet9Config(width=1)), Schedule(epochs=1, learning_rate=1.0)
    ).param_groups
    assert {p.ndim for p in decayed["params"]} == {2, 4} and {p.ndim for p in plain["params"]} == {1}


def test_sgd_gives_biases_a_rate_of_their_own(tmp_path: Path):
    schedule = {"optimizer": "sgd", "bias_rate": 4.0, "momentum": 0.7, "warmup_epochs": 0}
    run = Run.start(tmp_path, tiny_recipe(model=ConvNetConfig(width=24, wide=1), schedule=schedule), IMAGES)
    decayed, plain = run.optimizer.param_groups
    assert (
        decayed["momentum"] == 0.7
        and decayed["nesterov"]
        and (decayed["weight_decay"], plain["weight_decay"]) == (0.05, 0)
    )
    train_epoch(run)
    assert plain["lr"] == 4 * decayed["lr"] > 0


def test_the_teacher_is_asked_about_unmixed_views_apart(starts: Starts, tmp_path: Path):
    mixed = Augmentation(mixup=0.5, views=1, unmixed_epochs=1)
    distillation = Distillation(teacher=str(starts["teacher"]))
    run = Run.start(tmp_path, tiny_recipe(epochs=2, augmentation=mixed, distillation=distillation), IMAGES)
    teacher = Teacher(run.recipe, tmp_path / "cache")
    first = run.view(IMAGES, 0)
    answers = teacher.answers(0, first)
    run.history.append({"epoch": 1})
    last = run.view(IMAGES, 0)
    assert bool(first.mixed.any()) and not bool(last.mixed.any()) and torch.equal(first.shift, last.shift)
    chosen = torch.arange(len(IMAGES))
    assert not torch.equal(teacher.answers(0, last), answers)
    torch.testing.assert_close(teacher.answers(0, last)[~first.mixed], answers[~first.mixed], rtol=0.02, atol=0.02)
    assert torch.equal(last.targets(chosen, 10).amax(dim=1), torch.ones(len(IMAGES)))


def test_schedule_rises_and_falls():
    schedule = Schedule(epochs=10, learning_rate=1.0, warmup_epochs=2)
    rates = [learning_rate(schedule, epoch) for epoch in (0, 1, 2, 6, 10)]
    assert 0 < rates[0] < 0.01 and rates[1] == pytest.approx(0.5, abs=0.01)
    assert rates[2:] == pytest.approx([1.0, 0.5, 0.0])
    assert learning_rate(Schedule(epochs=1, learning_rate=1.0, warmup_epochs=0), 0) == 1.0


@pytest.mark.parametrize("weight_format", ["float", "pot4"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, weight_format: str):
    """bfloat16 reaches the matrix products, not the parameters, nor the validation."""
    recipe = tiny_recipe(epochs=1, weight_format=weight_format, schedule={"precision": precision})
    run = Run.start(tmp_path, recipe, IMAGES)
    training, validating, product = set(), set(), torch.nn.functional.linear

    def seen(*args: torch.Tensor) -> torch.Tensor:
        made = product(*args)
        (training if run.model.training else validating).add(made.dtype)
        return made

    monkeypatch.setattr(torch.nn.functional, "linear", seen)
    run.train(IMAGES, VALIDATION)
    assert training == {getattr(torch, precision)} and validating == {torch.float32}
    assert all(parameter.dtype == torch.float32 for parameter in run.model.parameters())
    kept = read_tensors(tmp_path / "state.safetensors")[0]
    assert {tensor.dtype for tensor in kept.values() if tensor.is_floating_point()} == {torch.float32}


def test_position_embedding_starts_as_wide_as_asked(tmp_path: Path):
    run = Run.start(tmp_path, tiny_recipe(pos_embed_std=0.5), IMAGES)
    assert float(run.model.pos_embed.detach().std()) == pytest.approx(0.5, rel=0.2)


def test_seed_decides_the_run(tmp_path: Path):
    results = [
        finish(Run.start(tmp_path / str(index), tiny_recipe(epochs=1, seed=seed), IMAGES))
        for index, seed in enumerate((7, 7, 8))
    ]
    assert same(results[0], results[1]) and not same(results[0], results[2])


def test_loss_is_that_of_labels_and_teacher(tmp_path: Path):
    table = Distillation(teacher="t", weight=0.7, temperature=3.0)
    run = Run.start(tmp_path, tiny_recipe(augmentation=Augmentation(mixup=0.5), label_smoothing=0.2), IMAGES)
    view, chosen = run.view(IMAGES, 0), torch.tensor([5, 3, 150])
    logits, answers = torch.randn(3, 10), torch.randn(160, 10)
    smooth = 0.8 * view.targets(chosen, 10) + 0.2 / 10
    labels = -(smooth * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(run.loss(logits, view, chosen, None), labels)
    run.recipe = dataclasses.replace(run.recipe, distillation=table)
    expected = 0.3 * labels + 0.7 * distillation_loss(logits, answers[chosen], table)
    torch.testing.assert_close(run.loss(logits, view, chosen, answers), expected)


def test_teacher_is_asked_once_a_view(starts: Starts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Three epochs show two views; a second run finds both answered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recipe = everything(starts)
    Run.start(tmp_path / "a", recipe, IMAGES).train(IMAGES, VALIDATION)
    kept = sorted((tmp_path / "cache").rglob("*.safetensors"))
    assert [path.name for path in kept] == ["view-0-of-160.safetensors", "view-1-of-160.safetensors"]
    times = [path.stat().st_mtime_ns for path in kept]
    Run.start(tmp_path / "b", recipe, IMAGES).train(IMAGES, VALIDATION)
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")


def test_accuracy_is_the_share_of_right_guesses():
    model = random_model(FLOAT).train()
    guesses = predictions(model, VALIDATION)
    assert guesses.shape == (20,) and model.training
    labels = guesses.numpy().copy()
    labels[:5] = (labels[:5] + 1) % 10
    assert accuracy(model, Dataset(VALIDATION.images, labels)) == 75.0


# Pruning.


def watched(run: Run, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The sparsity that every step of ``run`` had."""
    seen, rank = [], Run.raise_sparsity

    def raise_and_note(self: Run, *args: int) -> None:
        rank(self, *args)
        seen.append(removed(self.masks))
        assert all(torch.equal(self.model.get_submodule(n).weight == 0, ~mask) for n, mask in self.masks.items())

    monkeypatch.setattr(Run, "raise_sparsity", raise_and_note)
    monkeypatch.setattr("brevitas_model.training.run.RANKING_STEPS", 2)
    run.train(IMAGES, VALIDATION)
    return seen


@pytest.mark.parametrize("start", ["float", "pruned"])
@pytest.mark.parametrize("ramp_epochs", [0, 0.3, 1.99])
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_sparsity_rises_to_the_target(
    starts: Starts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: str, ramp_epochs: float, start: str
):
    pruning = Pruning(sparsity=0.75, ramp_epochs=ramp_epochs, scope=scope)
    run = Run.start(tmp_path, tiny_recipe(start=str(starts[start]), pruning=pruning), IMAGES)
    seen = watched(run, monkeypatch)
    assert len(seen) == 10 and seen == sorted(seen)
    assert seen[0] == (pytest.approx(0.75, abs=0.02) if not ramp_epochs else {"float": 0, "pruned": 0.5}[start])
    assert 0.75 <= seen[-1] < 0.77 and sparsity(run.model) == pytest.approx(seen[-1])
    if scope == "layer":
        for mask in run.masks.values():
            assert set((~mask).reshape(-1, 8).sum(dim=1).tolist()) == {6}


def test_masks_hold_through_the_quantized_phase(starts: Starts, tmp_path: Path):
    """Zeros of the start are zero codes of the result, and its masks are the same."""
    finish(Run.start(tmp_path, everything(starts), IMAGES))
    model, _ = load_checkpoint(tmp_path / "model.safetensors")
    masks = load_masks(tmp_path / "model.safetensors", model)
    before = load_masks(starts["pruned"], model)
    assert set(masks) == set(matrices(model)) and same(masks, before)
    for name, layer in matrices(model).items():
        weight = layer.quant_weight().value
        assert not weight[~masks[name]].any() and weight[masks[name]].any()
    assert [line["sparsity"] for line in metrics(tmp_path)] == [0.5] * 3


# The command.


def test_command_trains_and_goes_on(splits: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = [str(write_recipe(tmp_path / "r.toml", tiny_recipe())), "--out", str(tmp_path / "run")]
    assert command.main(argv) == 0
    made = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert command.main(argv) == 0  # all epochs are done
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == made
    out = capsys.readouterr().out.splitlines()
    score = metrics(tmp_path / "run")[-1]["validation_accuracy"]
    assert out == [f"validation accuracy {score:.2f} %, 0.0% zeros; model in {tmp_path}/run/model.safetensors"] * 2
    for more in (["--set", "schedule.learning_rate=3e-3"], ["--set", "seed=1"], ["--start", "other"]):
        assert command.main([*argv, *more]) == 2
        assert "was made by another recipe; choose another --out" in capsys.readouterr().err


def test_command_takes_overrides_and_a_start(splits: None, starts: Starts, tmp_path: Path):
    recipe = write_recipe(tmp_path / "r.toml", tiny_recipe())
    out = ["--out", str(tmp_path / "run"), "--start", str(starts["pruned"]), "--set", "schedule.epochs=1"]
    assert command.main([str(recipe), *out, "--set", "model.weight_format=pot6"]) == 0
    model, facts = load_checkpoint(tmp_path / "run" / "model.safetensors")
    assert model.config == tiny_config(weight_format="pot6")
    assert facts["recipe"]["start"] == str(starts["pruned"]) and facts["recipe"]["schedule"]["epochs"] == 1
    assert len(load_masks(tmp_path / "run" / "model.safetensors", model)) == 8


@pytest.mark.parametrize(
    "more, message",
    [
        (["--set", "schedule.epoch=1"], "unknown recipe key 'schedule.epoch'"),
        (["--set", "model.num_heads=3"], "num_heads 3 does not divide embed_dim 16"),
        (["--set", "model.patch_size=5"], "patch_size 5 does not divide image_size 32"),
        (["--set", "model.image_size=64"], "does not fit images of 32×32×3"),
        (["--set", "schedule.batch_size=999"], "more than the 160 training images"),
        (["--start", "nowhere.safetensors"], "nowhere.safetensors does not exist"),
        (["--start", "2024"], "checkpoint 2024 does not exist"),
        (["--set", "distillation.teacher=nobody"], "checkpoint nobody does not exist"),
    ],
)
def test_command_refuses_in_one_line(
    splits: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
):
    recipe = write_recipe(tmp_path / "r.toml", tiny_recipe())
    assert command.main([str(recipe), "--out", str(tmp_path / "run"), *more]) == 2
    said = capsys.readouterr().err
    assert said.startswith("train: ") and said.count("\n") == 1 and message in said
    assert not (tmp_path / "run").exists() or not listing(tmp_path / "run")


def test_missing_recipe(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert command.main([str(tmp_path / "none.toml")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("train: recipe") and said.count("\n") == 1 and "No such file" in said


def test_command_can_be_interrupted(
    splits: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    recipe = tiny_recipe()
    argv = [str(write_recipe(tmp_path / "r.toml", recipe)), "--out", str(tmp_path / "run")]
    save = Run.save

    def save_and_interrupt(self: Run) -> None:
        save(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", save_and_interrupt)
        assert command.main(argv) == 130
    assert "train: interrupted; the same command goes on after the last whole epoch" in capsys.readouterr().err
    assert len(metrics(tmp_path / "run")) == 1
    assert command.main(argv) == 0
    straight = finish(Run.start(tmp_path / "straight", recipe, IMAGES))
    assert same(read_tensors(tmp_path / "run" / "model.safetensors")[0], straight)


def test_command_without_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    recipe = write_recipe(tmp_path / "r.toml", tiny_recipe())
    assert command.main([str(recipe), "--data", str(tmp_path / "none"), "--out", str(tmp_path / "run")]) == 2
    assert "does not exist" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_script_runs_on_its_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["train.py", "--help"])
    with pytest.raises(SystemExit) as stop:
        command.main()
    assert stop.value.code == 0 and "--set" in capsys.readouterr().out

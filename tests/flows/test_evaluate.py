"""Evaluation counts what it says: accuracies, zeros and bytes against numpy, promises that are broken are found."""

from __future__ import annotations

import copy
import csv
import dataclasses
import errno
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model import shipped as shipped_module
from brevitas_model.checkpoint import load_checkpoint, load_masks, read_tensors, save_checkpoint
from brevitas_model.export import export
from brevitas_model.pruning import apply_masks, make_masks, matrices
from brevitas_model.resnet import ResNet9, ResNet9Config
from brevitas_model.shipped import CheckpointError
from brevitas_model.training import data
from brevitas_model.training.data import Dataset
from brevitas_model.training.recipe import Pruning, Recipe, Schedule
from brevitas_model.training.run import carry_weights, start_digest
from brevitas_model.vit import VisionTransformer, count_parameters
from flows import evaluate as command
from flows.evaluation import evaluate as work
from flows.evaluation import lineage, phases
from flows.evaluation.exported import read_exported
from flows.evaluation.images import confusion_figure
from flows.evaluation.measures import Score, check_blocks, packed_bytes, unmasked_count, zero_share
from hls_projects.errors import InputError
from tests.support.models import (
    calibrated,
    hybrid_config,
    listing,
    noise,
    random_hybrid,
    random_model,
    tiny_config,
)

IMAGES = Dataset(noise(60), np.arange(60) % 10)
FLOAT, POT4 = tiny_config(weight_format="float"), tiny_config()
SCHEDULE = Schedule(epochs=1, learning_rate=1e-3)
PRUNING = Pruning(sparsity=0.5, structure="block", block=8)


def saved(path: Path, model: torch.nn.Module, masks: dict | None = None, **recipe: object) -> Path:
    """A checkpoint with the facts that training leaves."""
    made = Recipe(model=model.config, schedule=SCHEDULE, **recipe)
    facts = {"command": "test", "recipe": dataclasses.asdict(made), "start": start_digest(made)}
    save_checkpoint(path, model, facts, masks)
    return path


def tuned(start: Path, path: Path, seed: int = 0, pruning: Pruning = PRUNING) -> Path:
    """``start`` pruned, its weights moved a little."""
    model, _ = load_checkpoint(start)
    masks = make_masks(model, pruning)
    torch.manual_seed(100 + seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    apply_masks(model, masks)
    return saved(path, model, masks, pruning=pruning, start=str(start), seed=seed)


def quantized(start: Path, path: Path) -> Path:
    source, _ = load_checkpoint(start)
    masks = load_masks(start, source)
    model = VisionTransformer(POT4)
    carry_weights(source, model)
    return saved(path, calibrated(model), masks, start=str(start))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("chain")
    float_ = saved(folder / "float.safetensors", random_model(FLOAT))
    (folder / "pruned").mkdir()
    pruned = tuned(float_, folder / "pruned" / "model.safetensors")
    return {
        "float": float_,
        "pruned": pruned,
        "seed1": tuned(float_, folder / "seed1.safetensors", seed=1),
        "seed2": tuned(float_, folder / "seed2.safetensors", seed=2),
        "pot4": quantized(pruned, folder / "pot4.safetensors"),
    }


@pytest.fixture(scope="module", autouse=True)
def splits() -> None:
    """CIFAR-10 of a few random images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "VALIDATION_IMAGES", 20)
        patch.setattr(work, "load_cifar10", lambda folder, *, train: IMAGES)
        yield


@pytest.fixture(scope="module")
def evaluated(chain: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of an evaluation of the 4-bit model and of three seeds of the pruned one."""
    folder = tmp_path_factory.mktemp("evaluated")
    names = [str(chain["pot4"]), str(chain["pruned"].parent), str(chain["seed1"]), str(chain["seed2"])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            phases, "export", lambda model, path: export(model, path) and shutil.copy(path, folder / "pot4.onnx")
        )
        assert command.main([*names, "--out", str(folder / "out")]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def exported(evaluated: Path) -> Path:
    """The file that this evaluation exported, and removed."""
    return evaluated.with_name("pot4.onnx")


@pytest.fixture
def exported_once(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Export is a copy of the file that one export made."""
    monkeypatch.setattr(phases, "export", lambda model, path: shutil.copyfile(exported, path))


@pytest.fixture(scope="module")
def facts(evaluated: Path) -> dict:
    return json.loads((evaluated / "evaluation.json").read_text())


def top1(model: torch.nn.Module) -> float:
    with torch.no_grad():
        guesses = model(torch.from_numpy(IMAGES.images).float()).numpy().argmax(axis=1)
    return 100.0 * float(np.mean(guesses == IMAGES.labels))


def phase(facts: dict, phase: str, checkpoint: str) -> dict:
    (row,) = [row for row in facts["phases"] if (row["phase"], row["checkpoint"]) == (phase, checkpoint)]
    return row


def run(*argv: object) -> dict:
    """Evaluate into a folder that ``--out`` names last; returns the figures."""
    command.main([*map(str, argv)])
    return json.loads((Path(argv[-1]) / "evaluation.json").read_text())


def test_phases_in_order(facts: dict):
    assert [(row["phase"], row["checkpoint"]) for row in facts["phases"]] == [
        ("float", "float"),
        ("pruned", "pruned"), ("fine-tuned", "pruned"),
        ("4 bits", "pot4"), ("exported", "pot4"),
        ("pruned", "seed1"), ("fine-tuned", "seed1"), ("pruned", "seed2"), ("fine-tuned", "seed2"),
    ]  # fmt: skip


def test_accuracies_and_losses_are_those_of_the_models(chain: dict[str, Path], facts: dict):
    models = {name: load_checkpoint(path)[0] for name, path in chain.items()}
    untuned = copy.deepcopy(models["float"])
    apply_masks(untuned, load_masks(chain["pruned"], untuned))
    expected = {
        ("float", "float"): models["float"],
        ("pruned", "pruned"): untuned,
        ("fine-tuned", "pruned"): models["pruned"],
        ("4 bits", "pot4"): models["pot4"],
        ("exported", "pot4"): models["pot4"],
    }
    accuracies = {key: top1(model) for key, model in expected.items()}
    assert len(set(accuracies.values())) > 2  # else one model could stand for another
    for key, accuracy in accuracies.items():
        row = phase(facts, *key)
        assert row["accuracy"] == pytest.approx(accuracy, abs=1e-4), key
        assert row["loss"] == pytest.approx(accuracies["float", "float"] - accuracy, abs=1e-4)
        assert row["reference"] == "float" and row["correct"] == round(accuracy * 0.6)


def test_sizes(chain: dict[str, Path], facts: dict):
    count = sum(p.numel() for p in load_checkpoint(chain["float"])[0].parameters())
    assert {row["parameters"] for row in facts["phases"]} == {count}
    assert phase(facts, "float", "float")["bytes"] == 4 * count
    torch_row, exported_row = phase(facts, "4 bits", "pot4"), phase(facts, "exported", "pot4")
    assert torch_row["weight_bits"] == exported_row["weight_bits"] == 4
    # Counted once from the model and once from the file.
    assert torch_row["bytes"] == exported_row["bytes"] < count
    assert exported_row["mismatched_logits"] == 0
    assert "every logit matches torch's, 600 on 60 images" in exported_row["notes"]


def test_sparsity_is_counted(chain: dict[str, Path], facts: dict):
    model, _ = load_checkpoint(chain["pot4"])
    codes = [layer.quant_weight().value.detach().numpy() for layer in matrices(model).values()]
    share = sum((array == 0).sum() for array in codes) / sum(array.size for array in codes)
    assert share > 0.5
    for name in ("4 bits", "exported"):
        row = phase(facts, name, "pot4")
        assert row["sparsity"] == pytest.approx(share, abs=1e-6)
        # The promise is that of the pruned checkpoint that it started from.
        assert (row["block_size"], row["zeros_per_block_min"], row["broken_blocks"]) == (8, 4, 0)
        assert row["blocks"] == sum(array.size for array in codes) // 8
    assert phase(facts, "pruned", "pruned")["sparsity"] == phase(facts, "fine-tuned", "pruned")["sparsity"] == 0.5


def test_spread_of_seeds(chain: dict[str, Path], facts: dict, evaluated: Path):
    (spread,) = facts["seeds"]
    accuracies = [top1(load_checkpoint(chain[name])[0]) for name in ("pruned", "seed1", "seed2")]
    assert spread["checkpoints"] == ["pruned", "seed1", "seed2"] and spread["seeds"] == [0, 1, 2]
    assert len(set(accuracies)) > 1
    expected = {"mean": np.mean(accuracies), "min": min(accuracies), "max": max(accuracies)}
    assert spread["accuracy"] == pytest.approx(expected)
    losses = [top1(load_checkpoint(chain["float"])[0]) - accuracy for accuracy in accuracies]
    assert spread["loss"] == pytest.approx({"mean": np.mean(losses), "min": min(losses), "max": max(losses)})
    assert "3 seeds (0, 1, 2) of pruned: mean" in (evaluated / "evaluation.txt").read_text()


def test_confusion_and_recall(chain: dict[str, Path], facts: dict):
    model, _ = load_checkpoint(chain["pot4"])
    with torch.no_grad():
        guesses = model(torch.from_numpy(IMAGES.images).float()).argmax(dim=1).tolist()
    counted = Counter(zip(IMAGES.labels.tolist(), guesses, strict=True))
    (found,) = [entry for entry in facts["checkpoints"] if entry["name"] == "pot4"]
    assert found["confusion"] == [[counted[true, guess] for guess in range(10)] for true in range(10)]
    recall = [100 * counted[true, true] / 6 for true in range(10)]
    assert found["accuracy_by_class"] == pytest.approx(recall, abs=1e-4)


def test_files(evaluated: Path, facts: dict):
    images = [f"confusion-{name}.png" for name in ("float", "pot4", "pruned", "seed1", "seed2")]
    assert listing(evaluated) == sorted([*images, "evaluation.csv", "evaluation.json", "evaluation.txt"])
    for name in images:
        with Image.open(evaluated / name) as image:
            assert image.format == "PNG" and min(image.size) > 600
    with (evaluated / "evaluation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["accuracy"]) for row in rows] == [row["accuracy"] for row in facts["phases"]]
    text = (evaluated / "evaluation.txt").read_text()
    assert "60 images of the test split" in text and "4 of 8, everywhere" in text
    assert [line.split()[0] for line in text.splitlines() if line.startswith("exported ")] == ["exported"]


def test_confusion_figure_shows_counts_and_names():
    logits = np.eye(10)[[0, 0, 1, 9]]
    score = Score.of(logits, np.array([0, 1, 1, 9]))
    figure = confusion_figure(score, [f"class{i}" for i in range(10)], "model")
    (axes,) = figure.axes
    shown = {text.get_position(): text.get_text() for text in axes.texts}
    assert len(shown) == 100
    assert shown[0, 0] == shown[0, 1] == shown[1, 1] == "1" and shown[1, 0] == "0"  # (answer, true class)
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"class{i}" for i in range(10)]
    recall = [label.get_text() for label in axes.child_axes[0].get_yticklabels()]
    assert recall[:3] == ["100.0 %", "50.0 %", "-"]
    assert axes.get_title() == "model: 75.00 % of 4 images"


def test_hand_made_zeros_of_a_float_model(tmp_path: Path):
    model = random_model(FLOAT)
    with torch.no_grad():
        for layer in matrices(model).values():
            layer.weight.fill_(1.0)
        model.head.weight[:, :5] = 0.0
        model.blocks[0].attn.q.weight[3] = 0.0
    found = run(saved(tmp_path / "m.safetensors", model), "--out", tmp_path / "out")
    weights = sum(layer.weight.numel() for layer in matrices(model).values())
    assert found["phases"][0]["sparsity"] == pytest.approx((50 + 16) / weights, abs=1e-6)
    assert found["phases"][0]["broken_blocks"] is None


def test_start_with_another_digest(chain: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    start = shutil.copy(chain["float"], tmp_path / "start.safetensors")
    pruned = tuned(start, tmp_path / "pruned.safetensors")
    saved(start, random_model(FLOAT, seed=7))
    found = run(pruned, "--out", tmp_path / "out")
    assert [row["phase"] for row in found["phases"]] == ["pruned", "fine-tuned"]
    row = phase(found, "pruned", "pruned")
    assert row["accuracy"] is None and "with another SHA-256" in row["notes"][0]
    assert phase(found, "fine-tuned", "pruned")["loss"] is None
    assert "not evaluated: its start" in capsys.readouterr().out


def test_start_that_is_gone(chain: dict[str, Path], tmp_path: Path):
    start = Path(shutil.copy(chain["float"], tmp_path / "start.safetensors"))
    pruned = tuned(start, tmp_path / "pruned.safetensors")
    moved = start.rename(tmp_path / "moved.safetensors")
    row = phase(run(pruned, "--out", tmp_path / "out"), "pruned", "pruned")
    assert row["accuracy"] is None and row["notes"][0].endswith("start.safetensors is not there")
    # Its digest tells that it is the one, wherever it lies.
    again = run(pruned, moved, "--out", tmp_path / "out")
    assert [entry["phase"] for entry in again["phases"]] == ["float", "pruned", "fine-tuned"]
    assert phase(again, "pruned", "pruned")["accuracy"] is not None


def test_masks_that_do_not_fit_the_start(chain: dict[str, Path], tmp_path: Path):
    start = saved(tmp_path / "other.safetensors", random_model(tiny_config(weight_format="float", embed_dim=32)))
    model, _ = load_checkpoint(chain["pruned"])
    pruned = saved(
        tmp_path / "p.safetensors", model, load_masks(chain["pruned"], model), pruning=PRUNING, start=str(start)
    )
    row = phase(run(pruned, "--out", tmp_path / "out"), "pruned", "p")
    assert row["accuracy"] is None and "do not fit its start other" in row["notes"][0]


def test_every_model_is_run_once(chain: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    titles, real = [], phases.torch_logits
    monkeypatch.setattr(
        phases, "torch_logits", lambda model, images, title: titles.append(title) or real(model, images, title)
    )
    run(chain["seed1"], chain["float"], chain["seed1"], chain["seed2"], "--out", tmp_path / "out")
    assert sorted(titles) == ["float", "seed1", "seed1, before tuning", "seed2", "seed2, before tuning"]


def test_violated_mask_is_found(chain: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    model, _ = load_checkpoint(chain["pruned"])
    masks = load_masks(chain["pruned"], model)
    row, column = (~masks["head"]).nonzero()[0].tolist()
    with torch.no_grad():
        model.head.weight[row, column] = 0.25
    path = saved(tmp_path / "broken.safetensors", model, masks, pruning=PRUNING, start=str(chain["float"]))
    assert command.main([str(path), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert "4 of 8, TOO FEW in 1" in said and f"the first in head, row {row}, inputs" in said
    assert "1 weights that its masks remove are not zero" in said


def test_violated_mask_in_an_exported_file(chain: dict[str, Path], exported: Path):
    model, _ = load_checkpoint(chain["pot4"])
    masks = load_masks(chain["pot4"], model)
    graph = ModelWrapper(str(exported))
    held = read_exported(graph, matrices(model))
    assert check_blocks(held.weights, masks, PRUNING).broken == unmasked_count(held.weights, masks) == 0
    row, column = (~masks["blocks.0.mlp.fc2"]).nonzero()[-1].tolist()
    (node,) = [node for node in graph.graph.node if node.name.startswith("blocks_0_mlp_fc2_weight_quant")]
    weight = graph.get_initializer(node.input[0]).copy()
    weight[row, column] = np.abs(weight[row]).max()
    graph.set_initializer(node.input[0], weight)
    changed = read_exported(graph, matrices(model))
    blocks = check_blocks(changed.weights, masks, PRUNING)
    assert blocks.broken == 1 == unmasked_count(changed.weights, masks)
    inputs = f"inputs {column // 8 * 8} to {column // 8 * 8 + 7}"
    assert blocks.first == f"blocks.0.mlp.fc2, row {row}, {inputs}: 3 zeros of 4"
    assert zero_share(changed.weights) < zero_share(held.weights)


def test_exported_weights_are_the_model_s(chain: dict[str, Path], exported: Path):
    model, _ = load_checkpoint(chain["pot4"])
    held = read_exported(ModelWrapper(str(exported)), matrices(model))
    for name, layer in matrices(model).items():
        assert np.array_equal(held.weights[name], layer.quant_weight().value.detach().numpy()), name


def test_exported_file_of_other_layers(chain: dict[str, Path], exported: Path):
    names = list(matrices(load_checkpoint(chain["pot4"])[0]))
    with pytest.raises(InputError, match=r"0 FloatQuant nodes for the weights of blocks\.1\.attn\.q"):
        read_exported(ModelWrapper(str(exported)), [*names, "blocks.1.attn.q"])
    with pytest.raises(InputError, match=r"head_weight_quant.* belongs to no layer"):
        read_exported(ModelWrapper(str(exported)), [name for name in names if name != "head"])


def test_logit_that_differs(
    chain: dict[str, Path], tmp_path: Path, exported_once: None, monkeypatch: pytest.MonkeyPatch
):
    real = phases.run_standard

    def wrong(*args: object) -> np.ndarray:
        logits = real(*args)
        logits[3, 2:4] += 2.0**-9
        return logits

    monkeypatch.setattr(phases, "run_standard", wrong)
    assert command.main([str(chain["pot4"]), "--out", str(tmp_path), "--images", "20"]) == 1
    found = json.loads((tmp_path / "evaluation.json").read_text())
    row = phase(found, "exported", "pot4")
    assert row["mismatched_logits"] == 2 and found["images"] == 20
    assert row["notes"] == ["2 of 200 logits differ from torch's, on 1 images"]


def blocks_of(*rows: list[int]) -> dict[str, np.ndarray]:
    return {"a": np.array(rows, dtype=np.float32)}


@pytest.mark.parametrize(
    "rows, broken, first",
    [
        ([[0, 0, 1, 2, 0, 3, 0, 4], [0, 0, 0, 0, 5, 0, 0, 1]], 0, ""),
        ([[0, 0, 1, 2, 0, 3, 0, 4], [0, 0, 0, 0, 5, 1, 1, 0]], 1, "a, row 1, inputs 4 to 7: 1 zeros of 2"),
        ([[0, 1, 1, 2, 0, 3, 5, 4], [0, 0, 0, 0, 5, 1, 1, 0]], 3, "a, row 0, inputs 0 to 3: 1 zeros of 2"),
    ],
)
def test_blocks(rows: list[list[int]], broken: int, first: str):
    found = check_blocks(blocks_of(*rows), {}, Pruning(sparsity=0.5, block=4))
    assert (found.count, found.broken, found.first, found.zeros) == (4, broken, first, (2, 2))


def test_blocks_of_a_global_pruning_are_those_of_the_masks():
    pruning = Pruning(sparsity=0.5, block=4, scope="global")
    weights = blocks_of([0, 0, 0, 2], [0, 0, 0, 1])
    balanced = torch.tensor([[0, 0, 0, 1], [0, 0, 0, 1]]).bool()
    assert check_blocks(weights, {"a": balanced}, pruning).zeros == (3, 3)
    assert check_blocks(blocks_of([0, 0, 1, 2], [0, 0, 0, 1]), {"a": balanced}, pruning).broken == 1
    with pytest.raises(CheckpointError, match="no mask"):
        check_blocks(weights, {}, pruning)


def test_blocks_that_cannot_be():
    with pytest.raises(CheckpointError, match="blocks of 3 inputs do not fit a"):
        check_blocks(blocks_of([0, 1, 0, 1]), {}, Pruning(block=3))
    skipped = blocks_of([1, 1, 1, 1]) | {"b": np.zeros((1, 4))}
    assert check_blocks(skipped, {}, Pruning(block=4, skip=("a",))).broken == 0


@pytest.mark.parametrize("changes", [{}, {"weight_format": "pot6"}, {"weight_scaling": "tensor"}])
def test_packed_bytes_are_those_of_the_codes(tmp_path: Path, changes: dict[str, str]):
    model = random_model(tiny_config(**changes))
    save_checkpoint(tmp_path / "m.safetensors", model, {})
    tensors, _ = read_tensors(tmp_path / "m.safetensors")
    codes = sum(t.numel() for name, t in tensors.items() if name.endswith("weight_codes"))
    rows = sum(t.numel() for name, t in tensors.items() if name.endswith("weight_exponent"))
    scales = len(matrices(model)) if "weight_scaling" in changes else rows
    # Every row has a bias of a byte, every position and channel a code of a byte.
    assert packed_bytes(model) == codes + scales + rows + model.pos_embed.numel()
    assert count_parameters(model) == sum(p.numel() for p in random_model(FLOAT).parameters())


def test_convnet(tmp_path: Path):
    torch.manual_seed(0)
    model = ResNet9(ResNet9Config(width=2)).eval()
    found = run(saved(tmp_path / "teacher.safetensors", model), "--out", tmp_path / "out")
    (row,) = found["phases"]
    assert row["phase"] == "float" and row["bytes"] == 4 * sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("depthwise_format, bits", [("same", 4), ("pot6", 6)])
def test_hybrid(tmp_path: Path, depthwise_format: str, bits: int):
    """Blocks along the channels of windows are found where pruning put them, and every code is counted."""
    pruning = Pruning(sparsity=0.5, block=8)
    model = random_hybrid(hybrid_config(depthwise_format=depthwise_format, stream_bits=10))
    masks = make_masks(model, pruning)
    apply_masks(model, masks)
    start = saved(tmp_path / "float.safetensors", random_hybrid(hybrid_config(weight_format="float")))
    path = saved(tmp_path / "hybrid.safetensors", model, masks, pruning=pruning, start=str(start))
    found = run(path, "--out", tmp_path / "out")
    torch_row, exported_row = found["phases"][-2:]
    assert (torch_row["phase"], exported_row["phase"]) == (f"{bits} bits", "exported")
    assert exported_row["mismatched_logits"] == 0
    for key in ("parameters", "weight_bits", "bytes", "sparsity", "blocks", "zeros_per_block_min"):
        assert torch_row[key] == exported_row[key], key
    assert torch_row["broken_blocks"] == exported_row["broken_blocks"] == 0 < torch_row["blocks"]
    assert torch_row["zeros_per_block_min"] == torch_row["zeros_per_block_max"] == 4
    every = [module for module in model.modules() if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))]
    depthwise = sum(layer.weight.numel() for layer in every if getattr(layer, "groups", 1) > 1)
    outputs = sum(len(layer.weight) for layer in every)
    others = sum(layer.weight.numel() for layer in every) - depthwise
    assert torch_row["bytes"] == -(-(4 * others + bits * depthwise + 16 * outputs) // 8)
    assert torch_row["parameters"] == model.config.num_parameters == others + depthwise + outputs


def test_shipped_chain_is_the_default(chain: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    for module in (shipped_module, lineage):
        monkeypatch.setattr(module, "SHIPPED_CHECKPOINTS", shipped)
    with pytest.raises(CheckpointError, match="none of vit-float, vit-pruned, vit-pot4, vit-pot6 is shipped"):
        lineage.shipped_chain()
    shutil.copy(chain["float"], shipped / "vit-float.safetensors")
    saved(shipped / "vit-pruned.safetensors", load_checkpoint(chain["pruned"])[0], None, start="vit-float")
    found = run("--out", tmp_path / "out")
    assert [entry["checkpoint"] for entry in found["phases"]] == ["vit-float", "vit-pruned"]


def test_runs_of_one_name_keep_apart(chain: dict[str, Path], tmp_path: Path):
    for folder, name in (("a", "seed1"), ("b", "seed2")):
        (tmp_path / folder / "run").mkdir(parents=True)
        shutil.copy(chain[name], tmp_path / folder / "run" / "model.safetensors")
    found = run(tmp_path / "a" / "run", tmp_path / "b" / "run", "--out", tmp_path / "out")
    assert [entry["name"] for entry in found["checkpoints"]] == ["float", "run", "run-2"]


def test_validation_split(chain: dict[str, Path], tmp_path: Path):
    found = run(chain["float"], "--split", "validation", "--out", tmp_path / "out")
    assert (found["split"], found["images"]) == ("validation", 20)
    model, _ = load_checkpoint(chain["float"])
    with torch.no_grad():
        guesses = model(torch.from_numpy(IMAGES.images[-20:]).float()).argmax(dim=1).numpy()
    assert found["phases"][0]["correct"] == int((guesses == IMAGES.labels[-20:]).sum())


def refused(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    capsys.readouterr()
    try:
        status = command.main([*map(str, argv)])
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr().err
    assert status == 2 and said.startswith("evaluate: ") and said.count("\n") == 1, said
    return said


def test_checkpoints_that_cannot_be_evaluated(
    chain: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = ("--out", tmp_path / "out")
    assert "does not exist" in refused(capsys, tmp_path / "none.safetensors", *out)
    assert "does not exist" in refused(capsys, "vit-none", *out)
    (tmp_path / "run").mkdir()
    assert "holds no model.safetensors; give the command" in refused(capsys, tmp_path / "run", *out)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(chain["float"].read_bytes()[:-9])
    assert "not a whole safetensors file" in refused(capsys, chain["float"], cut, *out)
    seven = saved(tmp_path / "seven.safetensors", random_model(tiny_config(weight_format="float", num_classes=7)))
    assert "tells 7 classes apart, the labels 10" in refused(capsys, seven, *out)
    small = saved(tmp_path / "small.safetensors", random_model(tiny_config(weight_format="float", image_size=16)))
    assert "images of 16 x 16 x 3" in refused(capsys, small, *out)
    save_checkpoint(tmp_path / "odd.safetensors", random_model(FLOAT), {"recipe": {"pruning": {"sparsity": 7}}})
    assert "impossible pruning" in refused(capsys, tmp_path / "odd.safetensors", *out)
    assert not (tmp_path / "out").exists()


def test_data_and_folders_that_cannot_be_used(
    chain: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").touch()
    assert "choose another --out" in refused(capsys, chain["float"], "--out", tmp_path / "file")
    assert "choose another --out" in refused(capsys, chain["float"], "--out", tmp_path / "file" / "out")
    assert "at least 1, not '0'" in refused(capsys, chain["float"], "--images", "0")
    monkeypatch.setattr(work, "load_cifar10", data.load_cifar10)
    said = refused(capsys, chain["float"], "--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert "data folder" in said and "does not exist" in said and not (tmp_path / "out").exists()


def test_full_disk_leaves_earlier_files(
    chain: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    run(chain["float"], "--out", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert command.main([str(chain["float"]), "--images", "30", "--out", str(tmp_path)]) == 2
    assert "No space left on device; choose another --out" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_interrupted(chain: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "evaluate", interrupt)
    assert command.main([str(chain["float"]), "--out", str(tmp_path / "out")]) == 130


def test_help_tells_about_the_test_split(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        command.main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert stop.value.code == 0 and "looked at once, at the end" in said

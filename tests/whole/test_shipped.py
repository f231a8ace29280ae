"""The shipped models on real images."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch

from brevitas_model.checkpoint import load_checkpoint, load_masks
from brevitas_model.pruning import matrices
from brevitas_model.shipped import find_checkpoint
from brevitas_model.training.data import load_cifar10
from brevitas_model.training.recipe import Recipe, load_recipe
from brevitas_model.training.run import accuracy
from brevitas_model.vit import count_parameters
from flows import build
from tests.support.models import patterns

needs_cifar10 = pytest.mark.skipif(
    "CIFAR10_ROOT" not in os.environ, reason="needs CIFAR-10: set CIFAR10_ROOT to a torchvision root"
)
STARTING_POINT = 413_706  # parameters of the model that the project set out to beat
# Top-1 in percent on the first thousand test images, and on all ten thousand.
ACCURACY = {"vit-pot4": (85.2, 84.70), "vit-pot6": (85.0, 84.80)}
# SHA-256 of the float32 logits of sixteen test patterns, which no machine and no later version may change.
LOGITS = {
    "vit-pot4-mixed": "718e547e155877f774fcb9ba441d3239",
    "vit-pot4": "b718aa7513476cdf114d1f94eeb374e5",
    "vit-pot6": "596ec43826483e3f270c56d54b9d1815",
}
CHAIN = ("teacher", "teacher94", "vit-float", "vit-pruned", "vit-pot4-mixed", "vit-pot4", "vit-pot6")


@pytest.mark.parametrize("name", CHAIN)
def test_made_by_its_recipe(name: str):
    _, training = load_checkpoint(find_checkpoint(name))
    recipe = load_recipe(Path(name))
    assert Recipe.from_dict(training["recipe"]) == recipe
    script = "prune" if recipe.pruning else "train"
    assert training["command"].startswith(f"python flows/{script}.py")
    epochs = [json.loads(line) for line in find_checkpoint(name).with_suffix(".jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in epochs] == list(range(1, recipe.schedule.epochs + 1))


@pytest.mark.parametrize("name", LOGITS)
def test_logits_stay_what_they_were(name: str):
    model, _ = load_checkpoint(find_checkpoint(name))
    with torch.no_grad():
        logits = model(torch.from_numpy(patterns(16)).float()).numpy()
    assert hashlib.sha256(logits.tobytes()).hexdigest()[:32] == LOGITS[name]


@pytest.mark.parametrize("name", ACCURACY)
def test_small_and_half_of_it_zero(name: str):
    path = find_checkpoint(name)
    model, _ = load_checkpoint(path)
    assert path.stat().st_size <= 1_000_000 and count_parameters(model) <= STARTING_POINT
    assert model.config.weight_format == name.removeprefix("vit-")
    pruning = load_recipe(Path("vit-pruned")).pruning
    masks = load_masks(path, model)
    assert masks.keys() == matrices(model).keys()
    for layer, module in matrices(model).items():
        zeros = (module.quant_weight().value == 0).reshape(module.out_features, -1, pruning.block).sum(dim=-1)
        assert int(zeros.min()) >= pruning.sparsity * pruning.block, layer


@needs_cifar10
@pytest.mark.parametrize("name", ACCURACY)
def test_accuracy_on_a_thousand_images(name: str):
    model, _ = load_checkpoint(find_checkpoint(name))
    assert accuracy(model, load_cifar10(train=False)[:1000]) == pytest.approx(ACCURACY[name][0])


@pytest.mark.slow
@needs_cifar10
@pytest.mark.parametrize("name", ACCURACY)
def test_main_job(name: str, tmp_path: Path):
    argv = ["--target", "pynq-z2", "--checkpoint", name, "--out", str(tmp_path / "out")]
    # Weights of 6 bits need 126 of the board's 140 block RAMs, more than the default share of 85 %.
    argv += ["--fill", "0.95"] if name == "vit-pot6" else []
    assert build.main(argv) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(report["mismatched_logits"].values()) == {0}
    assert report["images"] == 10_000 and report["max_bits"] <= 24
    compared = {tuple(pair["between"]): pair["images"] for pair in report["comparisons"]}
    assert compared["torch", "qonnx"] == compared["qonnx", "csim"] == 10_000
    assert compared["csim_reference", "csim"] == 100
    assert list(report["accuracy"].values()) == pytest.approx([ACCURACY[name][1]] * 3)


@pytest.mark.slow
@needs_cifar10
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("fps", [300, 1200, None])
def test_every_folding_is_exact(fps: int | None, dense: bool, tmp_path: Path):
    """The generated C++, folded for a slow, a faster and the fastest pipeline, with zeros skipped and not.

    On ``ap_types``: on native integers a folding makes no difference.
    """
    argv = ["--checkpoint", "vit-pot4", "--images", "200", "--sample", "5", "--csim", "reference"]
    argv += [*(["--fps", str(fps)] if fps else []), *(["--dense"] if dense else [])]
    assert build.main([*argv, "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    mismatched = report["mismatched_logits"]
    assert mismatched.pop("csim_reference_csim") is None and set(mismatched.values()) == {0}
    compared = {tuple(pair["between"]): pair["images"] for pair in report["comparisons"]}
    assert compared["torch", "qonnx"] == compared["qonnx", "csim"] == 200
    foldings = json.loads((tmp_path / "out" / "folding.json").read_text()).values()
    assert any(folding.get("sparse") for folding in foldings) is not dense
    estimate = json.loads((tmp_path / "out" / "estimate.json").read_text())
    assert estimate["images_per_second"] >= (fps or 1201)

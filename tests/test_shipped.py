"""The shipped model on real pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from brevitas_model.checkpoint import load_checkpoint
from brevitas_model.data import load_cifar10
from brevitas_model.training import accuracy
from brevitas_model.vit import count_parameters
from flows import build
from flows.settings import SHIPPED_CHECKPOINT

needs_cifar10 = pytest.mark.skipif(
    "CIFAR10_ROOT" not in os.environ, reason="needs CIFAR-10: set CIFAR10_ROOT to a torchvision root"
)
LOG = SHIPPED_CHECKPOINT.with_suffix(".jsonl")


def test_file_and_facts():
    model, training = load_checkpoint(SHIPPED_CHECKPOINT)
    assert SHIPPED_CHECKPOINT.stat().st_size <= 2_000_000
    assert count_parameters(model) == 411_658 and model.config.weight_format == "pot4"
    assert training["command"] == "python flows/train.py"
    epochs = [json.loads(line) for line in LOG.read_text().splitlines()]
    phases = [epoch["phase"] for epoch in epochs]
    assert phases.count("float") == training["recipe"]["float_phase"]["epochs"]
    assert phases.count("quantized") == training["recipe"]["quantized_phase"]["epochs"]


@needs_cifar10
def test_accuracy_on_a_thousand_pictures():
    model, _ = load_checkpoint(SHIPPED_CHECKPOINT)
    assert accuracy(model, load_cifar10(train=False)[:1000]) == pytest.approx(70.7)


@pytest.mark.slow
@needs_cifar10
def test_accuracy_on_the_test_split():
    model, _ = load_checkpoint(SHIPPED_CHECKPOINT)
    assert accuracy(model, load_cifar10(train=False)) == pytest.approx(72.16)


@pytest.mark.slow
@needs_cifar10
def test_main_job(tmp_path: Path):
    assert build.main(["--target", "pynq-z2", "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(report["mismatched_logits"].values()) == {0}
    assert report["images"] == 10_000 and report["max_bits"] <= 24
    compared = {tuple(pair["between"]): pair["pictures"] for pair in report["comparisons"]}
    assert compared["torch", "qonnx"] == compared["qonnx", "csim"] == 10_000
    assert compared["csim_reference", "csim"] == 100
    assert list(report["accuracy"].values()) == pytest.approx([72.16] * 3)

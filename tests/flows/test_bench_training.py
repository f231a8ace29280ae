"""The benchmark of a training step, on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from brevitas_model import fused
from flows import bench_training

TINY = [
    word for text in ("embed_dim=16", "depth=1", "num_heads=2", "patch_size=8") for word in ("--set", f"model.{text}")
]


def test_every_kind_of_step_is_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "steps.json"
    assert bench_training.main([*TINY, "--batch-size", "4", "--rounds", "3", "--json", str(path)]) == 0
    steps = json.loads(path.read_text())["steps"]
    assert [step["title"] for step in steps] == ["float", "pot4, fused quantizers", "pot4, Brevitas as it comes"]
    assert all(len(step["milliseconds"]) == 3 and min(step["milliseconds"]) > 0 for step in steps)
    medians = [sorted(step["milliseconds"])[1] for step in steps]
    assert [step["ratio"] for step in steps] == pytest.approx([median / medians[0] for median in medians])
    assert f"{steps[2]['ratio']:.2f}" in capsys.readouterr().out


def test_other_logits_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """A quantizer whose short way leaves numbers as they are is no quantizer of Brevitas' any more."""
    monkeypatch.setattr(fused._FakeQuantize, "apply", lambda x, *grid: x)
    assert bench_training.main([*TINY, "--batch-size", "4", "--rounds", "1"]) == 1
    assert "different logits" in capsys.readouterr().err


def test_float_recipes_are_refused(capsys: pytest.CaptureFixture[str]):
    assert bench_training.main(["vit-float"]) == 2
    assert "is of a float model" in capsys.readouterr().err

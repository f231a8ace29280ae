"""Whole generated projects on native integers, under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.checkpoint import save_checkpoint
from flows import build
from hls_projects.graphs.qonnx_file import run_images
from hls_projects.simulation import NATIVE, compile_programs, simulate_native
from tests.support.models import noise, patterns, random_model, tiny_config

IMAGES = 24
SANITIZED = dataclasses.replace(
    NATIVE, flags=(*NATIVE.flags, "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
)


@pytest.fixture(params=[(weights, pool) for weights in ("pot4", "pot6") for pool in ("mean", "token")], ids="-".join)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A build of a tiny model of random weights, as far as the HLS project."""
    weights, pool = request.param
    model = random_model(tiny_config(weight_format=weights, global_pool=pool), seed=len(weights + pool))
    save_checkpoint(tmp_path / "tiny.safetensors", model, {})
    np.save(tmp_path / "patterns.npy", patterns(IMAGES))
    given = ["--checkpoint", str(tmp_path / "tiny.safetensors"), "--inputs", str(tmp_path / "patterns.npy")]
    assert build.main([*given, "--until", "convert", "--out", str(tmp_path / "out")]) == 0
    return tmp_path / "out"


@pytest.mark.slow
def test_sanitizers_find_nothing(project, tmp_path):
    """They end a program at what they find; the codes are those of the numpy operators."""
    compile_programs(project / "hls", [SANITIZED])
    codes, _ = simulate_native(project / "hls", tmp_path / "work", patterns(IMAGES), 10)
    expected = run_images(ModelWrapper(str(project / "lowered.onnx")), patterns(IMAGES))
    assert np.array_equal(codes, expected) and len(np.unique(codes, axis=0)) > IMAGES // 2


@pytest.mark.slow
def test_memory_does_not_grow_with_the_images(project, tmp_path):
    compile_programs(project / "hls", [NATIVE])
    few, many = (
        simulate_native(project / "hls", tmp_path / f"work{count}", noise(count), 10, workers=1)[1]
        for count in (50, 500)
    )
    assert abs(many - few) < 8 * 1024

"""Fixtures: one tiny checkpoint, one file of images and one finished build for the whole session."""

from __future__ import annotations

import hls_projects  # noqa: F401  # first, because it turns off onnxruntime's telemetry

# isort: split
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.checkpoint import save_checkpoint
from flows import build
from tests.support.models import noise, random_model, snapshot, tiny_config

if TYPE_CHECKING:
    from tests.support.browser import Browser

IMAGES = 6
# Tiny models gain nothing from a second thread, and on a busy machine they wait for it.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    save_checkpoint(path, random_model(tiny_config()), {"made": "by a test"})
    return path


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inputs") / "noise.npy"
    np.save(path, noise(IMAGES))
    return path


@pytest.fixture(scope="session", autouse=True)
def program_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Compiled programs are kept for the session, away from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not at the top: only the tests of pages need selenium.
    from tests.support.browser import Browser

    found = Browser()
    yield found
    found.driver.quit()


@pytest.fixture(scope="session")
def given(checkpoint: Path, inputs: Path) -> list[str]:
    """Options that name the tiny checkpoint and its images."""
    return ["--checkpoint", str(checkpoint), "--inputs", str(inputs)]


@pytest.fixture(scope="session")
def finished_build(given: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole build with ``--trace``; copy it before you change it."""
    out = tmp_path_factory.mktemp("finished") / "out"
    assert build.main([*given, "--trace", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def lowered_build(given: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build as far as the lowered graph."""
    out = tmp_path_factory.mktemp("lowered") / "out"
    assert build.main([*given, "--until", "lower", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def qonnx_file(lowered_build: Path) -> Path:
    return lowered_build / "model.qonnx.onnx"


@pytest.fixture
def qonnx(qonnx_file: Path) -> ModelWrapper:
    """The tiny model's QONNX graph, to be changed at will."""
    return ModelWrapper(str(qonnx_file))


@pytest.fixture
def lowered(lowered_build: Path) -> ModelWrapper:
    return ModelWrapper(str(lowered_build / "lowered.onnx"))


@pytest.fixture
def copied(finished_build: Path, tmp_path: Path) -> Path:
    """A copy of the finished build, alone in its folder."""
    return shutil.copytree(finished_build, tmp_path / "outputs" / "out")


@pytest.fixture(scope="session")
def loaded_build(given: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("loaded") / "out"
    assert build.main([*given, "--until", "load", "--out", str(out)]) == 0
    return out


@pytest.fixture
def earlier(loaded_build: Path, tmp_path: Path) -> Path:
    """An earlier output, alone in its folder."""
    return shutil.copytree(loaded_build, tmp_path / "outputs" / "out")


@pytest.fixture
def refused(earlier: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a build that must be refused; returns the one line that it says."""

    def run(*argv: object, out: Path = earlier) -> str:
        before = snapshot(earlier.parent)
        capsys.readouterr()
        try:
            status = build.main([*map(str, argv), "--out", str(out)])
        except SystemExit as stop:
            status = stop.code
        said = capsys.readouterr().err
        assert status == 2, said
        assert said.startswith("build: ") and said.count("\n") == 1, said
        assert "Traceback" not in said
        assert snapshot(earlier.parent) == before
        return said

    return run


@pytest.fixture
def report() -> Callable[[Path], dict]:
    return lambda out: json.loads((out / "report.json").read_text())

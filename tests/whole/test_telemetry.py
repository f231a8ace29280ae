"""No command leaves an identifier of the machine or a database of events, which onnxruntime makes where it may."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

FOLDER = "Microsoft"


def left_by(code: str, home: Path, **environment: str) -> list[str]:
    """Files in an empty home after Python ran ``code``, without what tells onnxruntime that this is a test."""
    told = {"CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY"}
    kept = {name: value for name, value in os.environ.items() if name not in told and "_CI" not in name}
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=kept | places | environment, cwd=home)
    return [path.name for path in home.rglob("*") if path.is_file() and FOLDER in path.parts]


def test_onnxruntime_leaves_something_by_itself(tmp_path: Path):
    """Else the test below would pass for another reason."""
    assert left_by("import onnxruntime", tmp_path)


@pytest.mark.parametrize(
    "module", ["brevitas_model.tidying", "flows.build", "flows.rtl", "hls_projects.graphs.qonnx_runtime"]
)
def test_nothing_is_left(tmp_path: Path, module: str):
    code = f"import {module}, sys; assert 'onnxruntime' in sys.modules"
    assert not left_by(code, tmp_path)


@pytest.mark.parametrize("command", sorted((ROOT / "flows").glob("*.py")), ids=lambda path: path.stem)
def test_commands_import_it_after_the_switch(command: Path):
    """As a script a command does not import the package ``flows`` first."""
    lines = command.read_text().splitlines()
    first = [line for line in lines if line.startswith(("import ", "from "))]
    brings = ("qonnx", "hls4ml", "onnxruntime", "brevitas.")
    ours = ("brevitas_model", "flows", "hls_projects")
    named = [line.split()[1] for line in first]
    late = [name for name in named if name.startswith(brings)]
    assert all(any(named.index(own) < named.index(name) for own in named if own.startswith(ours)) for name in late)

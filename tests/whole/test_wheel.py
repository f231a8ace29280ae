"""The wheel carries all that the packages are made of, and works where nothing else of this project is."""

from __future__ import annotations

import configparser
import os
import shutil
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGES = ("brevitas_model", "flows", "hls_projects")
FILES = ("pyproject.toml", "README.md", "LICENSE")


def ignored(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__" or name.endswith(".egg-info")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, by the setuptools that is installed."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", made, source]
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    return next(made.glob("potstream-*.whl"))


def test_every_file_of_the_packages_is_in_it(wheel: Path):
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    tree = {str(path.relative_to(ROOT)): path for path in paths if not {"__pycache__", "tests"} & set(path.parts)}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert held == tree.keys()
        different = [name for name, path in tree.items() if archive.read(name) != path.read_bytes()]
    assert not different
    suffixes = {Path(name).suffix for name in held}
    assert {".h", ".sv", ".cpp", ".j2", ".toml", ".json", ".safetensors", ".csv"} <= suffixes
    assert "hls_projects/cost_model.json" in held


def test_it_says_its_licence_and_its_program(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        facts = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        assert "License-Expression: Apache-2.0" in archive.read(facts["METADATA"]).decode()
        assert archive.read(facts["LICENSE"]) == (ROOT / "LICENSE").read_bytes()
        points = configparser.ConfigParser()
        points.read_string(archive.read(facts["entry_points.txt"]).decode())
    assert dict(points["console_scripts"]) == {"potstream": "flows.command_line.program:main"}


@pytest.mark.slow
def test_a_fresh_environment_builds_from_another_folder(
    wheel: Path, given: list[str], tmp_path: Path, finished_build: Path
):
    """Its dependencies are this environment's; of this project it has the wheel alone."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    install = [str(python), "-m", "pip", "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, env=environment)
    own = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    # Lines of paths are read without their own .pth files, of which an editable install is one.
    (own / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    ask = [str(python), "-c", "import flows, hls_projects; print(flows.__file__, hls_projects.__file__)"]
    found = subprocess.run(ask, check=True, capture_output=True, text=True, env=environment, cwd=tmp_path).stdout
    assert all(path.startswith(str(own)) for path in found.split())
    program = tmp_path / "venv" / "bin" / "potstream"
    run = [str(program), "build", *given, "--out", "made"]
    done = subprocess.run(run, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "no logit differs" in done.stdout
    built = (tmp_path / "made" / "logits_csim.npy").read_bytes()
    assert built == (finished_build / "logits_csim.npy").read_bytes()

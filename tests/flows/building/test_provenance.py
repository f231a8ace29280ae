"""What a report says of where it comes from."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows.building import provenance as module
from flows.building.provenance import commit, provenance, versions


def test_hashes_are_those_of_the_files(finished_build: Path):
    files = provenance(finished_build)["files"]
    assert {"model.qonnx.onnx", "lowered.onnx", "checkpoint.safetensors", "hls/firmware", "logits_csim.npy"} <= set(
        files
    )
    content = (finished_build / "lowered.onnx").read_bytes()
    assert files["lowered.onnx"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", ["weights/codes3.txt", "vit.cpp"])
def test_a_changed_firmware_file_changes_its_hash(copied: Path, name: str):
    before = provenance(copied)["files"]
    with (copied / "hls" / "firmware" / name).open("a") as file:
        file.write(" ")
    after = provenance(copied)["files"]
    assert {key for key in before if before[key] != after[key]} == {"hls/firmware"}


def test_a_moved_firmware_file_changes_its_hash(copied: Path):
    before = provenance(copied)["files"]["hls/firmware"]
    (copied / "hls" / "firmware" / "vit.cpp").rename(copied / "hls" / "firmware" / "tiv.cpp")
    assert provenance(copied)["files"]["hls/firmware"] != before


def test_command_is_quoted_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["flows/build.py", "--out", "a b", "\udcff"])
    command = provenance(tmp_path)["command"]
    assert command.startswith("python flows/build.py --out 'a b' ") and command.encode()


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_commit_and_whether_it_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ROOT", tmp_path)
    assert commit() is None
    git(tmp_path, "init")
    (tmp_path / "a").write_text("a")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    assert re.fullmatch("[0-9a-f]{40}", commit())
    (tmp_path / "a").write_text("b")
    assert re.fullmatch("[0-9a-f]{40}-dirty", commit())


def test_a_repository_around_the_project_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    git(tmp_path, "init")
    (tmp_path / "site-packages").mkdir()
    monkeypatch.setattr(module, "ROOT", tmp_path / "site-packages")
    assert commit() is None


def test_without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() is None


def test_versions_are_those_installed():
    found = versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3])) and re.match(r"\d+\.", found["g++"])

"""A build again makes the same bytes, and the command that checks it sees what is not the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows import verify
from flows.building.hashes import FIGURES, HASHES, hash_files, read_hashes
from tests.support import ROOT

NOBODY = 65534
# Folder, time zone, locale, hash seed and threads: nothing of it may leave a trace.
ELSEWHERE = {
    "LC_ALL": "C.UTF-8",
    "LANG": "de_DE.UTF-8",
    "TZ": "Asia/Tokyo",
    "PYTHONHASHSEED": "7",
    "OMP_NUM_THREADS": "2",
    "USER": "somebody",
}
CONDITIONS = {
    "locale C": {"LC_ALL": "C"},
    "hash seed 1": {"PYTHONHASHSEED": "1"},
    "hash seed 2": {"PYTHONHASHSEED": "2"},
    "time zone": {"TZ": "America/St_Johns"},
    "1 thread": {"OMP_NUM_THREADS": "1"},
    "4 threads": {"OMP_NUM_THREADS": "4"},
    "cold cache": {"XDG_CACHE_HOME": "cache"},
}


def build_in(folder: Path, given: list[str], changes: dict[str, str], user: int | None = None) -> Path:
    """A build by a process of its own in ``folder``, whose environment has ``changes``."""
    command = [sys.executable, str(ROOT / "flows" / "build.py"), *given, "--out", "made/elsewhere"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | changes
    if "cache" in changes.get("XDG_CACHE_HOME", ""):
        environment["XDG_CACHE_HOME"] = str(folder / "cache")
    subprocess.run(command, cwd=folder, env=environment, user=user, check=True, capture_output=True)
    return folder / "made" / "elsewhere"


@pytest.fixture(scope="module")
def elsewhere(given: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_in(tmp_path_factory.mktemp("another folder"), given, ELSEWHERE)


@pytest.fixture
def verified(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*folders: Path) -> tuple[int, str]:
        capsys.readouterr()
        status = verify.main([*map(str, folders)])
        said = capsys.readouterr()
        return status, said.out or said.err

    return run


@pytest.fixture
def other(elsewhere: Path, tmp_path: Path) -> Path:
    """A copy of the second build, to be changed."""
    return shutil.copytree(elsewhere, tmp_path / "other")


def test_a_build_elsewhere_is_the_same(finished_build: Path, elsewhere: Path, verified):
    files = hash_files(finished_build)
    assert {"model.qonnx.onnx", "lowered.onnx", "folding.json", "fifo_depths.json", "logits_csim.npy"} <= files.keys()
    assert {"hls/firmware/vit.cpp", "hls/build_lib.sh", "hls/hls4ml_config.yml", "estimate.json"} <= files.keys()
    # The first build compared every operator besides, which is a figure of its report.
    status, said = verified(finished_build, elsewhere)
    assert (status, said.splitlines()[-1]) == (1, f"  changed  {FIGURES}")
    assert {name: digest for name, digest in files.items() if name != FIGURES} == {
        name: digest for name, digest in hash_files(elsewhere).items() if name != FIGURES
    }


def test_a_build_is_the_same_as_itself(elsewhere: Path, other: Path, verified):
    status, said = verified(elsewhere, other)
    assert status == 0 and said.count("match, ") == 3


def test_what_tells_of_one_run_is_not_compared(other: Path, verified):
    report = json.loads((other / "report.json").read_text())
    report["seconds"]["load"] += 1
    report["versions"]["g++"] = "1.2.3"
    report["provenance"]["commit"] = "0" * 40
    report["stages"][0]["seconds"] += 1
    (other / "report.json").write_text(json.dumps(report))
    (other / "hls" / "vit_csim_native").write_bytes(b"compiled elsewhere")
    assert verified(other)[0] == 0


@pytest.mark.parametrize("name", ["hls/firmware/vit.cpp", "lowered.onnx", "logits_csim.npy", "folding.json"])
def test_one_byte_changed_is_found(other: Path, name: str, verified):
    content = bytearray((other / name).read_bytes())
    content[-2] ^= 1
    (other / name).write_bytes(content)
    status, said = verified(other)
    assert status == 1 and said.splitlines()[1:] == [f"  changed  {name}"]


def test_a_figure_changed_is_found(other: Path, verified):
    report = json.loads((other / "report.json").read_text())
    report["accuracy"]["csim"] = 1.0
    (other / "report.json").write_text(json.dumps(report))
    assert verified(other) == (1, f"{other} and its hashes: differ\n  changed  {FIGURES}\n")


def test_files_missing_and_added_are_found(other: Path, verified):
    (other / "hls" / "firmware" / "vit.h").rename(other / "hls" / "firmware" / "tiv.h")
    status, said = verified(other)
    assert status == 1
    assert said.splitlines()[1:] == ["  missing  hls/firmware/vit.h", "  added    hls/firmware/tiv.h"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ('{"schema_version": 9}', "has version 9, this program reads version 1"),
        ('{"schema_version": 1, "files": []}', "has no files"),
    ],
)
def test_wrong_hashes_are_refused_in_a_line(other: Path, content: str | None, told: str, verified):
    (other / HASHES).unlink()
    if content is not None:
        (other / HASHES).write_text(content)
    status, said = verified(other)
    assert status == 2 and told in said and said.startswith("verify: ") and said.count("\n") == 1


def test_a_folder_of_no_build_is_refused(tmp_path: Path, verified):
    status, said = verified(tmp_path)
    assert status == 2 and "is not the output of a build" in said and said.count("\n") == 1


def test_a_build_that_stops_early_has_hashes_of_what_it_made(lowered_build: Path):
    assert read_hashes(lowered_build) == hash_files(lowered_build)
    assert "lowered.onnx" in read_hashes(lowered_build)


@pytest.mark.slow
@pytest.mark.parametrize("condition", CONDITIONS)
def test_nothing_around_a_build_leaves_a_trace(elsewhere: Path, given: list[str], tmp_path: Path, condition: str):
    assert hash_files(build_in(tmp_path, given, CONDITIONS[condition])) == hash_files(elsewhere)


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder that others can reach, as those of pytest's ``tmp_path`` are not."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="another user needs root")
def test_another_user_makes_the_same(elsewhere: Path, checkpoint: Path, inputs: Path, theirs: Path):
    for path in (checkpoint, inputs):
        shutil.copy(path, theirs)
    for path in (theirs, *theirs.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    given = ["--checkpoint", checkpoint.name, "--inputs", inputs.name]
    try:
        subprocess.run(["test", "-x", sys.executable, "-a", "-w", str(theirs)], user=NOBODY, check=True)
    except (subprocess.CalledProcessError, PermissionError):
        pytest.skip("the other user can reach neither Python nor the folder")
    out = build_in(theirs, given, {"HOME": str(theirs), "XDG_CACHE_HOME": "cache"}, NOBODY)
    assert out.stat().st_uid == NOBODY
    assert hash_files(out) == hash_files(elsewhere)

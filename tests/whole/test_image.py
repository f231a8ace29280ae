"""The image of docker/: what its files hold, and, behind a marker, the image itself."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support import ROOT

DOCKER = ROOT / "docker"


def test_the_lock_has_what_the_project_asks_for_and_every_hash():
    lock = (DOCKER / "requirements.lock").read_text()
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+) \\\n +--hash=sha256:[0-9a-f]{64}", lock, flags=re.MULTILINE))
    assert len(pinned) == len(re.findall(r"^\S+==", lock, flags=re.MULTILINE)) > 50
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for asked in project["project"]["dependencies"]:
        name, version = asked.split("==")
        assert pinned[name] == version
    (builder,) = project["build-system"]["requires"]
    assert builder in (DOCKER / "build.lock").read_text()


def test_the_base_is_pinned_by_digest_and_the_last_stage_is_no_root():
    text = (DOCKER / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=\S+:3\.11\S*-slim\S*@sha256:[0-9a-f]{64}$", text, flags=re.MULTILINE)
    assert "--require-hashes" in text
    users = [
        stage.rstrip().rsplit("\nUSER ", 1)[-1].split()[0] for stage in text.split("\nFROM ")[2:] if "USER" in stage
    ]
    assert users == ["potstream", "potstream"]


def test_the_context_holds_what_is_needed_and_nothing_else():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    for name in (line[1:] for line in lines if line.startswith("!")):
        assert (ROOT / name).exists()


@pytest.mark.parametrize("script", ["build.sh", "check.sh", "engine.sh", "lock.sh"])
def test_scripts_are_whole(script: str):
    subprocess.run(["bash", "-n", str(DOCKER / script)], check=True)


@pytest.mark.parametrize("script", ["build.sh", "check.sh"])
def test_help_needs_no_engine(script: str, tmp_path: Path):
    run = subprocess.run(
        [str(DOCKER / script), "--help"], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert (run.returncode, run.stderr) == (0, "") and "IMAGE" in run.stdout


@pytest.mark.parametrize(
    ("environment", "told"), [({}, "none of docker, podman and buildah"), ({"ENGINE": "nerdctl"}, "nerdctl")]
)
def test_without_an_engine_one_line_says_so(environment: dict[str, str], told: str, tmp_path: Path):
    for name in ("bash", "dirname", "env"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    run = subprocess.run(
        ["/bin/bash", str(DOCKER / "build.sh")],
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)} | environment,
    )
    assert run.returncode == 2 and told in run.stderr and run.stderr.count("\n") == 1


@pytest.mark.docker
def test_the_image():
    """The one that docker/build.sh made; its build inside is compared with one outside."""
    data = os.environ.get("CIFAR10_ROOT")
    if not data:
        pytest.skip("CIFAR10_ROOT does not say where CIFAR-10 is")
    subprocess.run([str(DOCKER / "check.sh"), data], check=True)

"""Provenance of a build: versions, commit, command, and hashes of files."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flows.building.hashes import sha256
from hls_projects import simulation

ROOT = Path(__file__).parents[2]
PACKAGES = ("torch", "brevitas", "qonnx", "hls4ml", "onnx", "onnxruntime", "numpy")
HASHED = (
    "target.toml",
    "checkpoint.safetensors",
    "model.qonnx.onnx",
    "lowered.onnx",
    "fifo_depths.json",
    "hls/firmware",
    "logits_*.npy",
)


def versions() -> dict[str, str]:
    """Versions of the packages, of Python and of the compiler."""
    found = {name: importlib.metadata.version(name) for name in ("potstream", *PACKAGES)}
    gxx = subprocess.run([simulation.compiler(), "-dumpfullversion"], capture_output=True, text=True, check=True)
    return found | {"python": platform.python_version(), "g++": gxx.stdout.strip()}


def provenance(folder: Path, others: Mapping[str, Path] | None = None) -> dict[str, Any]:
    """Command, commit and SHA-256 of what lies in the build's ``folder``; a subfolder counts as one.

    Args:
        others: files outside the folder that figures are from, by name.
    """
    return {
        # A name of a file need not be text.
        "command": shlex.join(_command()).encode(errors="replace").decode(),
        "commit": commit(),
        "files": digests(folder, HASHED) | {name: _digest(path) for name, path in (others or {}).items()},
    }


def _command() -> list[str]:
    """Words that repeat the command: of a Python file, or of the program ``potstream``."""
    program = Path(sys.argv[0])
    return ["python", *sys.argv] if program.suffix == ".py" else [program.name, *sys.argv[1:]]


def digests(folder: Path, patterns: Iterable[str]) -> dict[str, str]:
    """SHA-256 of what the ``patterns`` name in ``folder``, by name; a subfolder counts as one."""
    found = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    return {str(path.relative_to(folder)): _digest(path) for path in found}


def commit() -> str | None:
    """Git commit of this project, ``-dirty`` with changes; None outside a checkout or without git."""
    try:
        if Path(_git("rev-parse", "--show-toplevel")) != ROOT:
            return None
        return _git("rev-parse", "HEAD") + ("-dirty" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    run = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def _digest(path: Path) -> str:
    if path.is_file():
        return sha256(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{file.relative_to(path)} {_digest(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()

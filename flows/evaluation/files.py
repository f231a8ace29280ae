"""The files of an evaluation, each whole or as it was."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from flows.evaluation.images import confusion_png
from flows.evaluation.phases import Evaluation
from flows.evaluation.table import as_csv, as_facts, as_text, confusion_name
from flows.reporting.facts import CIFAR10_NAMES
from hls_projects.errors import InputError
from hls_projects.files import write_whole


def prepare(folder: Path) -> None:
    """Make ``folder`` and see that a file can be made in it, before hours go into what it is to hold.

    Raises:
        InputError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"cannot write into {folder}: {error.strerror}; choose another --out") from error


def write_evaluation(folder: Path, found: Evaluation, split: str) -> None:
    """``evaluation.json``, ``.csv`` and ``.txt``, and the confusion matrix of every checkpoint as PNG.

    Raises:
        InputError: a full disk, for one; every file is then whole or as it was.
    """
    for member in found.family.members.values():
        image = confusion_png(found.scores[member.digest], CIFAR10_NAMES, member.name)
        _write(folder / confusion_name(member.name), image)
    _write(folder / "evaluation.csv", as_csv(found).encode())
    _write(folder / "evaluation.txt", as_text(found, split).encode())
    _write(folder / "evaluation.json", (json.dumps(as_facts(found, split), indent=2) + "\n").encode())


def _write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another --out") from error

"""The folder that goes onto a board: driver, test set, manifest, and the bitstream where there is one."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hls_projects import PROJECT

DRIVER = Path(__file__).parent / "deploy"
DRIVER_FILES = ("accelerator.py", "run_test_set.py", "classify.ipynb")
MANIFEST = "manifest.json"
SCHEMA_VERSION = 2
BITSTREAM = {"bit": f"{PROJECT}.bit", "hwh": f"{PROJECT}.hwh"}
# Cells of the block design by what the driver takes them for.
CELLS = {"core": "core", "dma": "dma", "core_reset": "core_reset_gpio"}


def write_package(
    folder: Path, vendor: Path, test_set: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the deploy folder ``folder``.

    Args:
        vendor: folder in which Vivado left the bitstream and its ``.hwh``, if it ran.
        test_set: ``images``, ``logits`` and perhaps ``labels``.
        facts: what else the manifest says; nothing of when, where and by whom it was made.

    Returns:
        The manifest, with the SHA-256 of every other file of the folder.
    """
    folder.mkdir(parents=True)
    for name in DRIVER_FILES:
        shutil.copyfile(DRIVER / name, folder / name)
    made = all((vendor / name).is_file() for name in BITSTREAM.values())
    for name in BITSTREAM.values() if made else ():
        shutil.copyfile(vendor / name, folder / name)
    (folder / "test_set").mkdir()
    for name, array in test_set.items():
        np.save(folder / "test_set" / f"{name}.npy", array)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "bitstream": BITSTREAM if made else None,
        "cells": CELLS,
        **facts,
        "files": {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return manifest

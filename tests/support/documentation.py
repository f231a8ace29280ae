"""The documentation's site, for the tests."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.support import ROOT


def make_site(folder: Path) -> None:
    """Make it in ``folder``; a warning is an error. Without the extra ``docs`` the test is skipped."""
    mkdocs = pytest.importorskip("mkdocs.commands.build")
    config = importlib.import_module("mkdocs.config").load_config(
        str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True
    )
    mkdocs.build(config)

"""Helpers that tests share; they are no part of the wheel."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"

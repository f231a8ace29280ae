"""Where the shipped checkpoints and recipes are. Nothing here needs torch, which takes seconds to import."""

from __future__ import annotations

from pathlib import Path

from hls_projects.errors import InputError

SHIPPED_CHECKPOINTS = Path(__file__).parent / "checkpoints"
SHIPPED_RECIPES = Path(__file__).parent / "recipes"


class CheckpointError(InputError):
    """A checkpoint that is missing, damaged or does not fit its model."""


def find_checkpoint(name: str | Path) -> Path:
    """The path of a checkpoint: of a shipped one by its name, else ``name`` itself."""
    shipped = SHIPPED_CHECKPOINTS / f"{name}.safetensors"
    return shipped if len(Path(name).parts) == 1 and shipped.is_file() else Path(name)

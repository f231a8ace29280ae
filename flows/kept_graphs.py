"""Lowered graphs of checkpoints and their foldings, kept: making one takes longer than timing it."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import sys
import tempfile
from pathlib import Path

from brevitas_model.config import ConfigError
from brevitas_model.files import write_whole
from brevitas_model.shipped import CheckpointError
from flows.provenance import PACKAGES, ROOT
from hls_projects.cost import MODEL
from hls_projects.dataflow.engine import library_meanwhile
from hls_projects.lowering import lower
from hls_projects.simulation.compiler import cache_dir

SOURCES = ("brevitas_model", "hls_projects")
KEPT = 16
# What decides a folding besides.
FOLDED_BY = ("folded.py", "timing.py")


def lowered_graph(checkpoint: Path) -> Path:
    """The file of the lowered graph of ``checkpoint``, from the cache where it was asked for before.

    Raises:
        CheckpointError, ConfigError, LoweringError: a checkpoint that has no lowered graph.
    """
    kept = cache_dir().parent / "lowered" / f"{_key(checkpoint)}.onnx"
    if kept.is_file():
        return kept
    # Not at the top: torch and Brevitas take seconds to import, which a graph that is kept does not need.
    from brevitas_model.checkpoint import load_checkpoint
    from brevitas_model.export import export

    model, _ = load_checkpoint(checkpoint)
    if not model.config.quantized:
        raise ConfigError(f"checkpoint {checkpoint} is not a quantized model")
    print("  lowering the model, once", file=sys.stderr)
    with library_meanwhile(), tempfile.TemporaryDirectory() as folder:
        lowered = lower(export(model, Path(folder) / "model.onnx"))
    keep(kept, lowered.model.SerializeToString())
    return kept


def keep(path: Path, content: bytes) -> None:
    """Write ``path``, and leave only the newest files of its kind beside it."""
    write_whole(path, content)
    for old in sorted(path.parent.glob(f"*{path.suffix}"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)


def kept_folding(lowered: Path, asked: str) -> Path:
    """Where the folding of a lowered graph is kept, by its content, what was ``asked`` for, and the code."""
    chooser = b"".join(path.read_bytes() for path in (MODEL, *(ROOT / "flows" / name for name in FOLDED_BY)))
    digest = hashlib.sha256(lowered.read_bytes() + asked.encode() + code_digest() + chooser)
    return cache_dir().parent / "folded" / f"{digest.hexdigest()[:32]}.json"


def _key(checkpoint: Path) -> str:
    """Digest of all that decides what the lowered graph is."""
    try:
        content = checkpoint.read_bytes()
    except OSError as error:
        raise CheckpointError(f"checkpoint {checkpoint} cannot be read: {error.strerror}") from error
    return hashlib.sha256(content + code_digest()).hexdigest()[:32]


@functools.cache
def code_digest() -> bytes:
    """Digest of the code, this project's and others', that makes and times a lowered graph; it stays while it runs."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")):
        digest.update(path.read_bytes())
    digest.update(repr([importlib.metadata.version(name) for name in PACKAGES]).encode())
    return digest.digest()

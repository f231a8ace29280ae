"""Lowered graphs of checkpoints and their foldings, kept: making one takes longer than timing it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from brevitas_model.config import ConfigError
from brevitas_model.shipped import CheckpointError
from flows.building.provenance import PACKAGES, ROOT
from hls_projects.cost import MODEL
from hls_projects.dataflow.engine import ENGINE, library_meanwhile
from hls_projects.files import cache_folder, write_whole
from hls_projects.folding.depths import fold_pipeline
from hls_projects.folding.folded import Folded, FoldOptions, at_clock, folded_as
from hls_projects.lowering import lower
from hls_projects.project.conversion import ConversionError, read_lowered
from hls_projects.targets import Target

SOURCES = ("brevitas_model", "hls_projects")
KEPT = 16
# What decides a folding besides Python code.
FOLDED_BY = (MODEL, *map(Path, ENGINE.sources))


def lowered_graph(checkpoint: Path) -> ModelWrapper:
    """The lowered graph of ``checkpoint``, from the cache where it was asked for before.

    Raises:
        CheckpointError, ConfigError, LoweringError: a checkpoint that has no lowered graph.
    """
    # One that is missing, or damaged, is made again.
    with contextlib.suppress(ConversionError):
        return read_lowered(_lowered_file(checkpoint))
    # Not at the top: torch and Brevitas take seconds to import, which a graph that is kept does not need.
    from brevitas_model.checkpoint import load_checkpoint
    from brevitas_model.export import export

    model, _ = load_checkpoint(checkpoint)
    if not model.config.quantized:
        raise ConfigError(f"checkpoint {checkpoint} is not a quantized model")
    print("  lowering the model, once", file=sys.stderr)
    with library_meanwhile(), tempfile.TemporaryDirectory() as folder:
        lowered = lower(export(model, Path(folder) / "model.onnx"))
    keep_lowered(checkpoint, lowered)
    return lowered


def keep_lowered(checkpoint: Path, lowered: ModelWrapper) -> None:
    """Leave the lowered graph of ``checkpoint`` for :func:`lowered_graph`."""
    _keep(_lowered_file(checkpoint), lowered.model.SerializeToString())


def folded_once(
    model: ModelWrapper,
    target: Target,
    options: FoldOptions,
    fifo_depths: Path | None = None,
    *,
    rough: bool = False,
) -> Folded:
    """:func:`hls_projects.folding.depths.fold_pipeline`, cached; with files of foldings or depths it runs anew."""
    if options.file or fifo_depths:
        return fold_pipeline(model, target, options, fifo_depths, rough=rough)
    kept = _folding_file(model, target, options, rough)
    if known := _known(kept):
        return folded_as(model, at_clock(target, options.clock_mhz), known["foldings"], known["depths"])
    folded = fold_pipeline(model, target, options, rough=rough)
    _keep_folding(kept, folded)
    return folded


def keep_folding(model: ModelWrapper, target: Target, options: FoldOptions, folded: Folded) -> None:
    """Leave what ``model`` was ``folded`` to for :func:`folded_once`."""
    _keep_folding(_folding_file(model, target, options, rough=False), folded)


def _keep_folding(kept: Path, folded: Folded) -> None:
    _keep(kept, json.dumps({"foldings": folded.plan.foldings, "depths": folded.depths}).encode())


def _known(kept: Path) -> dict[str, Any] | None:
    """What :func:`_keep_folding` left there; None where that is nothing, or damaged."""
    try:
        return json.loads(kept.read_text())
    except (OSError, ValueError):
        return None


def _keep(path: Path, content: bytes) -> None:
    """Write ``path``, and leave only the newest files of its kind beside it.

    A cache that cannot be written costs time, and nothing else.
    """
    try:
        write_whole(path, content)
        for old in sorted(path.parent.glob(f"*{path.suffix}"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        print(f"  {path.name} cannot be kept in {path.parent}: {error.strerror}", file=sys.stderr)


def _folding_file(model: ModelWrapper, target: Target, options: FoldOptions, rough: bool) -> Path:
    """By the operators of the lowered graph, what is asked for, and the code."""
    graph = model.graph
    digest = hashlib.sha256(repr((target, options, rough)).encode() + code_digest())
    # Not of what is noted about tensors, which a build does and a graph that is only timed does not need.
    for part in (*graph.node, *graph.initializer):
        digest.update(part.SerializeToString(deterministic=True))
    for path in FOLDED_BY:
        digest.update(path.read_bytes())
    return cache_folder("folded", f"{digest.hexdigest()[:32]}.json")


def _lowered_file(checkpoint: Path) -> Path:
    """By all that decides what the lowered graph is."""
    try:
        content = checkpoint.read_bytes()
    except OSError as error:
        raise CheckpointError(f"checkpoint {checkpoint} cannot be read: {error.strerror}") from error
    return cache_folder("lowered", f"{hashlib.sha256(content + code_digest()).hexdigest()[:32]}.onnx")


@functools.cache
def code_digest() -> bytes:
    """Digest of the code, this project's and others', that makes and times a lowered graph; it stays while it runs."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")):
        digest.update(path.read_bytes())
    digest.update(repr([importlib.metadata.version(name) for name in PACKAGES]).encode())
    return digest.digest()

"""A cache of lowered graphs and of their foldings: making either takes longer than simulating its timing."""

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
from hls_projects.dataflow.engine import compiling_in_background
from hls_projects.errors import InputError
from hls_projects.files import cache_folder, parse_json, read_text, read_whole, write_whole
from hls_projects.folding.folded import Folded, at_clock, restore
from hls_projects.folding.options import FoldOptions
from hls_projects.folding.search import fold_pipeline
from hls_projects.lowering import lower
from hls_projects.project.conversion import read_lowered
from hls_projects.targets import Target

# What decides a lowered graph and a folding besides the inputs: these packages' code, the cost model (JSON) and the
# simulation's event loop (C++) among it, and the libraries that they call. scipy solves the integer program.
SOURCE_FOLDERS = ("brevitas_model", "hls_projects")
SOURCE_SUFFIXES = (".py", ".json", ".cpp")
LIBRARIES = (*PACKAGES, "scipy")
# Files of each kind that the cache holds; the oldest go first.
CACHED_FILES = 16


def lowered_graph(checkpoint: Path) -> ModelWrapper:
    """The lowered graph of ``checkpoint``, from the cache where it was lowered before.

    Raises:
        CheckpointError, ConfigError, LoweringError: a checkpoint that has no lowered graph.
    """
    # A missing or damaged file is made again.
    with contextlib.suppress(InputError):
        return read_lowered(_lowered_path(checkpoint))
    # Imported here because torch and Brevitas take seconds to import, which a cached graph does not need.
    from brevitas_model.checkpoint import load_checkpoint
    from brevitas_model.export import export

    model, _ = load_checkpoint(checkpoint)
    if not model.config.quantized:
        raise ConfigError(f"checkpoint {checkpoint} is not a quantized model")
    print("  lowering the model, once", file=sys.stderr)
    with compiling_in_background(), tempfile.TemporaryDirectory() as folder:
        lowered = lower(export(model, Path(folder) / "model.onnx"))
    store_lowered(checkpoint, lowered)
    return lowered


def store_lowered(checkpoint: Path, lowered: ModelWrapper) -> None:
    """Store the lowered graph of ``checkpoint`` for :func:`lowered_graph`."""
    _store(_lowered_path(checkpoint), lowered.model.SerializeToString())


def fold_cached(
    model: ModelWrapper,
    target: Target,
    options: FoldOptions,
    fifo_depths: Path | None = None,
    *,
    rough: bool = False,
) -> Folded:
    """:func:`hls_projects.folding.search.fold_pipeline`, cached unless foldings or depths come from a file."""
    if options.file or fifo_depths:
        return fold_pipeline(model, target, options, fifo_depths, rough=rough)
    path = _folding_path(model, target, options, rough)
    if stored := _load_folding(path):
        return restore(model, at_clock(target, options.clock_mhz), stored["foldings"], stored["depths"])
    folded = fold_pipeline(model, target, options, rough=rough)
    _store_folding(path, folded)
    return folded


def store_folding(model: ModelWrapper, target: Target, options: FoldOptions, folded: Folded) -> None:
    """Store what ``model`` was ``folded`` to for :func:`fold_cached`."""
    _store_folding(_folding_path(model, target, options, rough=False), folded)


def _store_folding(path: Path, folded: Folded) -> None:
    _store(path, json.dumps({"foldings": folded.plan.foldings, "depths": folded.depths}).encode())


def _load_folding(path: Path) -> dict[str, Any] | None:
    """The content of a file of :func:`_store_folding`; None for a missing or damaged one."""
    try:
        return parse_json(read_text(path))
    except (OSError, ValueError):
        return None


def _store(path: Path, content: bytes) -> None:
    """Write ``path`` and delete all but the newest files of its kind.

    A cache that cannot be written is reported, and costs no more than time.
    """
    try:
        write_whole(path, content)
        files = sorted(path.parent.glob(f"*{path.suffix}"), key=lambda file: file.stat().st_mtime)
        for old in files[:-CACHED_FILES]:
            old.unlink(missing_ok=True)
    except OSError as error:
        print(f"  {path.name} cannot be cached in {path.parent}: {error.strerror}", file=sys.stderr)


def _folding_path(model: ModelWrapper, target: Target, options: FoldOptions, rough: bool) -> Path:
    """The file of a folding, named after a digest of everything that decides it."""
    digest = hashlib.sha256(repr((target, options, rough)).encode() + code_digest())
    # Nodes and constants only: a build also notes shapes and types of tensors in the graph, which decide nothing.
    for part in (*model.graph.node, *model.graph.initializer):
        digest.update(part.SerializeToString(deterministic=True))
    return cache_folder("folded", f"{digest.hexdigest()[:32]}.json")


def _lowered_path(checkpoint: Path) -> Path:
    """The file of a lowered graph, named after a digest of everything that decides it.

    Raises:
        CheckpointError: a checkpoint that cannot be read.
    """
    try:
        content = read_whole(checkpoint)
    except OSError as error:
        raise CheckpointError(f"checkpoint {checkpoint} cannot be read: {error.strerror}") from error
    return cache_folder("lowered", f"{hashlib.sha256(content + code_digest()).hexdigest()[:32]}.onnx")


@functools.cache
def code_digest() -> bytes:
    """Digest of the sources and of the libraries' versions that lower, fold and time a graph.

    Computed once a process: code that changes on disk while a process runs does not change what it runs.
    """
    digest = hashlib.sha256()
    for path in deciding_sources():
        digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size}\n".encode() + path.read_bytes())
    digest.update(repr([importlib.metadata.version(name) for name in LIBRARIES]).encode())
    return digest.digest()


def deciding_sources() -> list[Path]:
    """Source files of :data:`SOURCE_FOLDERS`, without the operators' tests."""
    files = (path for folder in SOURCE_FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SOURCE_SUFFIXES)
    return sorted(path for path in files if "tests" not in path.relative_to(ROOT).parts)

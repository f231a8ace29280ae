"""The cache of lowered graphs and foldings: what is stored, which commands find it, and what decides its keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qonnx.core.modelwrapper import ModelWrapper

from flows import build, estimate, simulate
from flows.building import cached_graphs
from flows.building.cached_graphs import fold_cached
from hls_projects.folding.json_file import foldings_text
from hls_projects.folding.options import FoldOptions
from hls_projects.folding.search import fold_pipeline
from hls_projects.targets import load_target


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, empty at first; compiled programs stay where they are."""
    monkeypatch.setattr(cached_graphs, "cache_folder", (tmp_path / "cache").joinpath)
    return tmp_path / "cache"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("command", [simulate, estimate])
def test_a_checkpoint_is_lowered_and_folded_once(command, checkpoint: Path, capsys, monkeypatch):
    """The cache gives the same output; other options are another folding."""
    options = ["--checkpoint", str(checkpoint), "--fill", "0.5"]
    assert command.main(options) == 0
    first = capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr("brevitas_model.export.export", None)
        patch.setattr(cached_graphs, "fold_pipeline", None)
        assert command.main(options) == 0
    second, calls = capsys.readouterr(), []
    assert "lowering the model, once" in first.err and not second.err
    assert first.out == second.out
    monkeypatch.setattr(cached_graphs, "fold_pipeline", lambda *a, **k: calls.append(a) or fold_pipeline(*a, **k))
    assert command.main([*options[:-1], "0.6"]) == 0 and len(calls) == 1


def test_a_build_stores_what_it_lowered_and_folded(given: list[str], tmp_path: Path, capsys, monkeypatch):
    assert build.main([*given, "--until", "fold", "--out", str(tmp_path / "out")]) == 0
    timing = json.loads((tmp_path / "out" / "estimate.json").read_text())
    for name in ("lower", "fold_pipeline"):
        monkeypatch.setattr(cached_graphs, name, None)
    assert simulate.main([*given[:2], "--json", str(tmp_path / "t.json")]) == 0
    facts = json.loads((tmp_path / "t.json").read_text())
    assert [facts[name] for name in ("interval_cycles", "latency_cycles")] == [
        timing[name] for name in ("interval_cycles", "latency_cycles")
    ]
    depths = json.loads((tmp_path / "out" / "fifo_depths.json").read_text())
    assert {name: facts["fifos"][name]["depth"] for name in depths} == {
        name: row["depth"] for name, row in depths.items()
    }


@pytest.mark.parametrize("options", [FoldOptions(), FoldOptions(dense=True, clock_mhz=50.0), FoldOptions(fps=50.0)])
def test_a_folding_from_the_cache_is_the_one_that_was_stored(lowered: ModelWrapper, options: FoldOptions):
    fresh, again = (fold_cached(lowered, load_target("pynq-z2"), options) for _ in range(2))
    assert again is not fresh and again.plan == fresh.plan and again.depths == fresh.depths
    assert again.network == fresh.network and again.kernels == fresh.kernels


def test_a_file_of_foldings_is_read_again(lowered: ModelWrapper, tmp_path: Path, cache: Path):
    target, file = load_target("pynq-z2"), tmp_path / "folding.json"
    file.write_text(foldings_text(fold_cached(lowered, target, FoldOptions()).plan.foldings))
    before = files(cache)
    fold_cached(lowered, target, FoldOptions(file=file))
    assert files(cache) == before


def test_damaged_files_are_made_again(checkpoint: Path, cache: Path, capsys: pytest.CaptureFixture[str]):
    options = ["--checkpoint", str(checkpoint)]
    assert simulate.main(options) == 0
    said, whole = capsys.readouterr().out, {path: path.read_bytes() for path in files(cache)}
    assert {path.suffix for path in whole} == {".onnx", ".json"}
    for path, content in whole.items():
        path.write_bytes(content[: len(content) // 2])
    assert simulate.main(options) == 0
    assert capsys.readouterr().out == said
    assert {path: path.read_bytes() for path in files(cache)} == whole


def test_without_a_cache_it_takes_time(checkpoint: Path, cache: Path, capsys: pytest.CaptureFixture[str]):
    cache.write_text("no folder")
    assert simulate.main(["--checkpoint", str(checkpoint)]) == 0
    assert capsys.readouterr().err.count("cannot be cached in") == 2


def test_the_key_follows_from_what_decides():
    names = {str(path.relative_to(cached_graphs.ROOT)) for path in cached_graphs.deciding_sources()}
    assert {
        "hls_projects/cost_model.json", "hls_projects/dataflow/engine.cpp", "hls_projects/folding/search.py",
        "hls_projects/operators/pot_linear/__init__.py", "brevitas_model/export.py",
    } <= names  # fmt: skip
    assert not [name for name in names if "/tests/" in name or name.endswith((".safetensors", ".h", ".sv"))]


def test_other_code_and_other_libraries_are_other_keys(
    lowered: ModelWrapper, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The digest changes with the content and the name of a source, and with a version."""
    source = tmp_path / "code.py"
    source.write_text("a = 1")
    monkeypatch.setattr(cached_graphs, "ROOT", tmp_path)
    monkeypatch.setattr(cached_graphs, "deciding_sources", lambda: sorted(tmp_path.glob("*.py")))

    def keys() -> tuple[Path, Path]:
        cached_graphs.code_digest.cache_clear()
        folding = cached_graphs._folding_path(lowered, load_target("pynq-z2"), FoldOptions(), rough=False)
        return folding, cached_graphs._lowered_path(checkpoint)

    try:
        found = [keys()]
        source.write_text("a = 2")
        found.append(keys())
        source.rename(tmp_path / "other.py")
        found.append(keys())
        monkeypatch.setattr(cached_graphs, "LIBRARIES", ("numpy",))
        found.append(keys())
    finally:
        cached_graphs.code_digest.cache_clear()
    assert all(len(set(column)) == len(found) for column in zip(*found, strict=True))

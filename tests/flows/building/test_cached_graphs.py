"""What is kept of lowering and folding a checkpoint, and who finds it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qonnx.core.modelwrapper import ModelWrapper

from flows import build, estimate, simulate
from flows.building import cached_graphs as kept_graphs
from flows.building.cached_graphs import folded_once
from hls_projects.folding.choices import folding_file
from hls_projects.folding.depths import fold_pipeline
from hls_projects.folding.folded import FoldOptions
from hls_projects.targets import load_target


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what is kept, nothing at first; compiled programs stay where they are."""
    monkeypatch.setattr(kept_graphs, "cache_folder", (tmp_path / "kept").joinpath)
    return tmp_path / "kept"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("command", [simulate, estimate])
def test_a_checkpoint_is_lowered_and_folded_once(command, checkpoint: Path, capsys, monkeypatch):
    """The same is said from what is kept; another question is another folding."""
    options = ["--checkpoint", str(checkpoint), "--fill", "0.5"]
    assert command.main(options) == 0
    first = capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr("brevitas_model.export.export", None)
        patch.setattr(kept_graphs, "fold_pipeline", None)
        assert command.main(options) == 0
    second, calls = capsys.readouterr(), []
    assert "lowering the model, once" in first.err and not second.err
    assert first.out == second.out
    monkeypatch.setattr(kept_graphs, "fold_pipeline", lambda *a, **k: calls.append(a) or fold_pipeline(*a, **k))
    assert command.main([*options[:-1], "0.6"]) == 0 and len(calls) == 1


def test_a_build_leaves_what_it_lowered_and_folded(given: list[str], tmp_path: Path, capsys, monkeypatch):
    assert build.main([*given, "--until", "fold", "--out", str(tmp_path / "out")]) == 0
    timing = json.loads((tmp_path / "out" / "estimate.json").read_text())
    for name in ("lower", "fold_pipeline"):
        monkeypatch.setattr(kept_graphs, name, None)
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
def test_what_is_kept_is_what_was_folded(lowered: ModelWrapper, options: FoldOptions):
    fresh, again = (folded_once(lowered, load_target("pynq-z2"), options) for _ in range(2))
    assert again is not fresh and again.plan == fresh.plan and again.depths == fresh.depths
    assert again.network == fresh.network and again.kernels == fresh.kernels


def test_a_file_of_foldings_is_read_again(lowered: ModelWrapper, tmp_path: Path, kept: Path):
    target, file = load_target("pynq-z2"), tmp_path / "folding.json"
    file.write_text(folding_file(folded_once(lowered, target, FoldOptions()).plan.foldings))
    before = files(kept)
    folded_once(lowered, target, FoldOptions(file=file))
    assert files(kept) == before


def test_damaged_files_are_made_again(checkpoint: Path, kept: Path, capsys: pytest.CaptureFixture[str]):
    options = ["--checkpoint", str(checkpoint)]
    assert simulate.main(options) == 0
    said, whole = capsys.readouterr().out, {path: path.read_bytes() for path in files(kept)}
    assert {path.suffix for path in whole} == {".onnx", ".json"}
    for path, content in whole.items():
        path.write_bytes(content[: len(content) // 2])
    assert simulate.main(options) == 0
    assert capsys.readouterr().out == said
    assert {path: path.read_bytes() for path in files(kept)} == whole


def test_without_a_cache_it_takes_time(checkpoint: Path, kept: Path, capsys: pytest.CaptureFixture[str]):
    kept.write_text("no folder")
    assert simulate.main(["--checkpoint", str(checkpoint)]) == 0
    assert capsys.readouterr().err.count("cannot be kept in") == 2

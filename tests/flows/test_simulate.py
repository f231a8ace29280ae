"""flows/simulate.py: figures, files, deadlocks, and what it refuses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flows import simulate as command
from flows.plots.network_plot import COLUMN, layers, places
from hls_projects.dataflow import Fifo, Network, Process, Read, Repeat, Together, Wait, Write, engine, simulate
from hls_projects.dataflow.activity import timeline
from hls_projects.project import pipeline
from hls_projects.project.conversion import make_graph
from hls_projects.project.pipeline import layer_of
from hls_projects.targets import load_target


@pytest.fixture
def lowered_option(lowered_build: Path) -> list[str]:
    return ["--lowered", str(lowered_build / "lowered.onnx")]


def test_figures_and_files(lowered_option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    json_file, plot, depths = tmp_path / "t.json", tmp_path / "t.png", tmp_path / "fifo_depths.json"
    options = ["--size-fifos", "--json", str(json_file), "--plot", str(plot), "--write-depths", str(depths)]
    assert command.main([*lowered_option, *options]) == 0
    said, facts = capsys.readouterr().out, json.loads(json_file.read_text())
    assert (
        f"(initiation interval {facts['interval_cycles']:,} cycles; simulated, RTL)" in said
        and "smallest without deadlock" in said
    )
    assert facts["deadlock"] is None and facts["latency_cycles"] > facts["interval_cycles"] > 1024
    assert max(process["busy_cycles"] for process in facts["processes"].values()) == facts["interval_cycles"]
    stored = json.loads(depths.read_text())
    assert {name: row["depth"] for name, row in facts["fifos"].items() if name in stored} == {
        name: row["depth"] for name, row in stored.items()
    }
    assert all(1 <= row["peak_occupancy"] <= row["depth"] for row in facts["fifos"].values())
    assert facts["storage_bits"] == sum(row["depth"] * row["word_bits"] for row in stored.values())
    assert plot.read_bytes().startswith(b"\x89PNG")

    assert command.main([*lowered_option, "--fifo-depths", str(depths), "--json", str(json_file)]) == 0
    assert json.loads(json_file.read_text()) == facts


def test_occupancy_and_graph(lowered_option: list[str], tmp_path: Path):
    table, graph, json_file = tmp_path / "o.csv", tmp_path / "g.svg", tmp_path / "t.json"
    files = ["--occupancy", str(table), "--graph", str(graph), "--json", str(json_file)]
    assert command.main([*lowered_option, *files]) == 0
    fifos = json.loads(json_file.read_text())["fifos"]
    rows = np.genfromtxt(table, delimiter=",", names=True, deletechars="", dtype=np.int64)
    assert rows.dtype.names == ("cycle", *fifos) and (np.diff(rows["cycle"]) > 0).all()
    assert {name: rows[name].max() for name in fifos} == {name: row["peak_occupancy"] for name, row in fifos.items()}
    drawn = graph.read_text()
    between = {name: row for name, row in fifos.items() if layer_of(row["from"]) != layer_of(row["to"])}
    assert set(between) < set(fifos)
    for row in between.values():
        assert f"{row['depth']:,} × {row['word_bits']} bits, {row['peak_occupancy']:,} used" in drawn


def test_layers_are_drawn_below_what_they_read_from(lowered_build: Path):
    graph = make_graph(lowered_build / "lowered.onnx", load_target("pynq-z2"), Path("hls"))
    drawn = layers(pipeline.network(graph))
    assert set(drawn) == {
        "source",
        "sink",
        *(layer.name for layer in graph.get_layers() if layer.class_name != "Input"),
    }
    where = places(drawn)
    assert len(set(where.values())) == len(where)
    assert all(where[a][0] < where[b][0] - COLUMN / 2 or where[a][1] > where[b][1] for a, b in drawn.edges)


def test_fifos_of_one_word_deadlock(lowered_option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    json_file = tmp_path / "t.json"
    assert command.main([*lowered_option, "--fifo-length", "1", "--json", str(json_file)]) == 1
    assert "deadlock     after cycle" in capsys.readouterr().out
    facts = json.loads(json_file.read_text())
    assert facts["interval_cycles"] is None and len(facts["deadlock"]["stalled"]) > 1
    assert {process["stall"] for process in facts["deadlock"]["stalled"]} == {"starved", "backpressured"}


def none(option: str) -> Callable[[Path], list[str]]:
    return lambda folder: [option, str(folder / "none")]


def text_file(option: str) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / "text").write_text("[]")
        return [option, str(folder / "text")]

    return make


@pytest.mark.parametrize(
    "options, message",
    [
        (none("--checkpoint"), "does not exist; name a model.safetensors"),
        (none("--lowered"), "does not exist"),
        (text_file("--lowered"), "is not an ONNX file"),
        (text_file("--checkpoint"), "is not a whole safetensors file"),
        (none("--fifo-depths"), "cannot be read"),
        (text_file("--fifo-depths"), "must be an object"),
        (lambda folder: ["--target", "moon"], "unknown target 'moon'"),
        (lambda folder: ["--json", str(folder)], "not a regular file; name another one"),
    ],
)
def test_refusals(lowered_option: list[str], tmp_path: Path, options, message: str, capsys):
    given = options(tmp_path)
    source = [] if given[0] in ("--checkpoint", "--lowered") else lowered_option
    assert command.main([*source, *given]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("simulate: ") and message in said[-1]


def test_no_compiler(lowered_option: list[str], tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(engine, "load_library", engine.load_library.__wrapped__)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command.main([*lowered_option, "--fifo-length", "64"]) == 2
    assert capsys.readouterr().err.startswith("simulate: no g++ on the path; install one")


@pytest.mark.parametrize("value", ["0", "-3", "two"])
def test_lengths_that_are_none(lowered_option: list[str], value: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        command.main([*lowered_option, f"--fifo-length={value}"])
    assert caught.value.code == 2 and "must be a whole number of at least 1" in capsys.readouterr().err


def test_the_timeline_shows_who_works_and_who_waits():
    network = Network(
        (
            Process("source", "source", (Repeat(10, (Write("a"),)),)),
            Process("slow", "map", (Repeat(10, (Read("a"), Wait(98), Write("b"))),)),
            Process("sink", "sink", (Repeat(10, (Read("b"),)),)),
        ),
        (Fifo("a", 8), Fifo("b", 8)),
    )
    stretches = timeline(simulate(network, {"a": 1, "b": 1}, 1))
    cycles = {}
    for stretch in stretches:
        key = stretch["process"], stretch["state"]
        cycles[key] = cycles.get(key, 0) + stretch["end"] - stretch["start"]
    assert cycles["slow", "busy"] > 980 and ("slow", "backpressured") not in cycles
    assert cycles["source", "backpressured"] > 780 and cycles["sink", "starved"] > 780
    ordered = [(s["process"], s["start"]) for s in stretches]
    assert len(np.unique(np.array([name for name, _ in ordered]))) == 3
    assert all(a[0] != b[0] or a[1] < b[1] for a, b in itertools.pairwise(ordered))


@pytest.mark.parametrize("slow, state", [("source", "starved"), ("sink", "backpressured")])
def test_who_moves_words_together_waits_for_the_slowest(slow: str, state: str):
    waits = {name: (Wait(99),) if name == slow else () for name in ("source", "sink")}
    network = Network(
        (
            Process("source", "source", (Repeat(10, (Write("a"), *waits["source"])),)),
            Process("copy", "copy", (Repeat(10, (Together((Read("a"), Write("b"))),)),)),
            Process("sink", "sink", (Repeat(10, (Read("b"), *waits["sink"])),)),
        ),
        (Fifo("a", 8), Fifo("b", 8)),
    )
    stretches = timeline(simulate(network, {"a": 2, "b": 2}, 1))
    cycles = dict.fromkeys(("busy", "starved", "backpressured"), 0)
    for stretch in stretches:
        if stretch["process"] == "copy":
            cycles[stretch["state"]] += stretch["end"] - stretch["start"]
    assert cycles[state] > 600 and sum(cycles.values()) - cycles[state] < 50

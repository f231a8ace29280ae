"""The complete model in Verilog computes what the operators do, as fast as the timed simulation says."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hls4ml.model.graph import ModelGraph
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from brevitas_model.export import export
from flows import rtl as command
from flows.inspection import rtl as work
from flows.reporting.rtl_table import resources_table
from hls_projects.dataflow import simulate
from hls_projects.dataflow.sizing import Depths
from hls_projects.errors import InputError
from hls_projects.folding.depths import chosen_depths
from hls_projects.graphs.qonnx_file import run_images
from hls_projects.lowering import lower
from hls_projects.lowering.merging import merged, separated
from hls_projects.operators import PotLinear, ResidualAdd
from hls_projects.project import pipeline
from hls_projects.project.conversion import make_graph
from hls_projects.rtl.assembly import FILES, write_rtl
from hls_projects.rtl.bench import TwinError
from hls_projects.rtl.simulation import Program, compile_core, lint
from hls_projects.targets import load_target
from tests.support.models import noise, patterns, random_model, tiny_config

IMAGES = 4
TOLERANCE = 0.02
FOLDING = {
    "PotLinear": {"pe": 12, "element": "bucket", "parallel_tokens": 2},
    "Head": {"pe": 5, "element": "shift"},
    "AttentionScores": {"parallel_heads": 3, "parallel_keys": 4, "packed": 1},
    "AttentionValues": {"parallel_heads": 3, "parallel_channels": 4},
}
SMALL = tiny_config(embed_dim=48, num_heads=3)
MODELS = {
    "tiny": (tiny_config(global_pool="token"), {}, separated),
    "windowed": (tiny_config(patch_size=4, attention="windowed", tile_size=8), {}, separated),
    "small, folded": (SMALL, FOLDING, separated),
    "small, merged, folded": (SMALL, FOLDING, merged),
    "windowed, merged": (tiny_config(patch_size=4, attention="windowed", tile_size=8), {}, merged),
}


@dataclasses.dataclass
class Project:
    folder: Path
    model: ModelWrapper
    graph: ModelGraph
    depths: Depths


def make_project(folder: Path, name: str) -> Project:
    config, foldings, form = MODELS[name]
    model = form(lower(export(random_model(config), folder / "model.qonnx.onnx")))
    for node in model.graph.node:
        getCustomOp(node).fold(foldings.get(node.op_type, {}))
    model.save(str(folder / "lowered.onnx"))
    graph = make_graph(folder / "lowered.onnx", load_target("pynq-z2"), folder / "hls")
    depths = chosen_depths(pipeline.network(graph), pipeline.network(graph, kernels=True), None)
    return Project(folder, model, graph, depths)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("tiny"), "tiny")


@pytest.fixture(scope="module")
def tiny_program(tiny: Project) -> Program:
    return compiled(tiny)


def compiled(project: Project) -> Program:
    core = write_rtl(project.graph, project.depths, project.folder / "rtl").core
    return compile_core(core, project.folder / "rtl", project.folder / "compiled")


def check(project: Project, program: Program) -> None:
    images = patterns(IMAGES)
    expected = run_images(project.model, images)
    assert len(np.unique(expected)) > IMAGES
    for seed in (1, 2):
        assert np.array_equal(program.run(images, stalls=seed).logits, expected)
    run = program.run(images)
    assert np.array_equal(run.logits, expected)
    trace = simulate(pipeline.network(project.graph), project.depths, IMAGES, record=False)
    print(f"interval {run.interval():,} / {trace.interval():,}, latency {run.latency():,} / {trace.latency():,}")
    assert run.latency() == pytest.approx(trace.latency(), rel=TOLERANCE)
    assert run.interval() == pytest.approx(trace.interval(), rel=TOLERANCE)


@pytest.mark.verilator
def test_tiny_model(tiny: Project, tiny_program: Program):
    check(tiny, tiny_program)


@pytest.mark.verilator
@pytest.mark.parametrize("name", ["windowed", "windowed, merged", "small, folded", "small, merged, folded"])
def test_model(name: str, tmp_path: Path):
    project = make_project(tmp_path, name)
    check(project, compiled(project))


@pytest.mark.verilator
def test_a_folder_stands_on_its_own(tiny: Project, tmp_path: Path):
    core = write_rtl(tiny.graph, tiny.depths, tmp_path / "rtl").core
    moved = (tmp_path / "rtl").rename(tmp_path / "elsewhere")
    lint(core, moved)
    top = moved / f"{core.name}.v"
    top.write_text(top.read_text().replace("wire in_valid,", "wire in_valid, input wire idle,"))
    with pytest.raises(TwinError, match=r"UNUSEDSIGNAL.*idle"):
        lint(core, moved)


@pytest.mark.verilator
def test_a_core_that_hangs_is_told(tiny_program: Program):
    """The first image takes longer than the patience for its logits."""
    with pytest.raises(TwinError, match=r"^hangs with in: \d+ of 2048 words, valid 1, ready 0, out: 0 of 2, valid 0"):
        tiny_program.run(noise(2), patience=300)


def test_parts_are_those_of_the_cpp(tiny: Project, tmp_path: Path):
    assembly = write_rtl(tiny.graph, tiny.depths, tmp_path)
    network = pipeline.network(tiny.graph)
    layers = {process.name.split(".")[0] for process in network.processes} - {pipeline.SOURCE, pipeline.SINK}
    assert {part.name for part in (*assembly.instances, *assembly.forks)} == layers
    depths = {fifo.name: fifo.depth for fifo in assembly.fifos}
    assert depths == tiny.depths | {fifo.name: 2 for fifo in network.fifos if fifo.fixed_depth == 2 and fifo.word_bits}
    assert {fifo.name: fifo.width for fifo in assembly.fifos} == {
        fifo.name: fifo.word_bits for fifo in network.fifos if fifo.word_bits
    }
    text = (tmp_path / "vit.v").read_text()
    named = set(re.findall(r"\) (\w+) \(\n        \.clk\(clk\), \.rst\(rst\),\n        \.in", text))
    assert named == layers | set(depths)


def test_files(tiny: Project, tmp_path: Path):
    """Nothing is left of an earlier model, and every memory that the top module names is there."""
    for folder in ("sources", "memories"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "old").write_text("old")
    write_rtl(tiny.graph, tiny.depths, tmp_path)
    listed = (tmp_path / FILES).read_text().split()
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*v"))
    assert sorted(listed) == found and not list(tmp_path.rglob("old"))
    named = re.findall(r'"(memories/\w+\.hex)"', (tmp_path / "vit.v").read_text())
    assert sorted(named) == sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.hex"))


def without_twin(project: Project, monkeypatch) -> None:
    monkeypatch.setattr(ResidualAdd, "twin", Mock(side_effect=NotImplementedError("has no twin")))


def with_simd(project: Project, monkeypatch) -> None:
    layer = next(layer for layer in project.graph.get_layers() if isinstance(layer.get_attr("operator"), PotLinear))
    size = PotLinear.size
    monkeypatch.setattr(
        PotLinear,
        "size",
        lambda self, name: 2 if name == "simd" and self is layer.get_attr("operator") else size(self, name),
    )


def without_depth(project: Project, monkeypatch) -> None:
    monkeypatch.delitem(project.depths, "layer3_out")


@pytest.mark.parametrize(
    "spoil, message",
    [
        (without_twin, "^layer blocks_0_attn_add: has no twin"),
        (with_simd, "^layer patch_embed: patch_embed: the twin takes one input a cycle, simd 1, not 2"),
        (without_depth, "^FIFO layer3_out has no depth"),
    ],
)
def test_what_cannot_be_written_is_named(tiny: Project, tmp_path: Path, monkeypatch, spoil, message: str):
    spoil(tiny, monkeypatch)
    with pytest.raises(InputError, match=message):
        write_rtl(tiny.graph, tiny.depths, tmp_path / "rtl")
    assert not (tmp_path / "rtl").exists()


@pytest.fixture
def quick(tiny: Project, request: pytest.FixtureRequest, monkeypatch):
    """The command without compiling again."""
    program = request.getfixturevalue("tiny_program")
    monkeypatch.setattr(work, "compile_core", lambda core, folder, work: program)
    return ["--lowered", str(tiny.folder / "lowered.onnx"), "--images", "2"]


@pytest.mark.verilator
def test_command(quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.delenv("CIFAR10_ROOT", raising=False)
    assert command.main([*quick, "--out", str(tmp_path / "rtl"), "--json", str(tmp_path / "rtl.json")]) == 0
    said = capsys.readouterr()
    assert (
        said.out.startswith("exactness    every logit matches: 20 logits of 2 images\n") and "random images" in said.err
    )
    facts = json.loads((tmp_path / "rtl.json").read_text())
    cycles = facts["interval_cycles"]
    assert cycles["rtl"] == pytest.approx(cycles["dataflow"], rel=TOLERANCE)
    assert f"interval     {cycles['rtl']:,} cycles in Verilog (simulated, RTL)" in said.out
    assert {"vit.v", FILES, "fifo_depths.json", "folding.json"} < {path.name for path in (tmp_path / "rtl").iterdir()}
    # The folder may be written again, another one may not.
    assert command.main([*quick, "--out", str(tmp_path / "rtl"), "--stalls", "3"]) == 0
    assert "timed simulation" not in capsys.readouterr().out
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    assert command.main([*quick, "--out", str(tmp_path / "mine")]) == 2
    assert "is not a folder of this command" in capsys.readouterr().err and (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.verilator
def test_mismatches_are_counted(quick: list[str], monkeypatch, capsys: pytest.CaptureFixture[str]):
    def wrong(model: ModelWrapper, images: np.ndarray) -> np.ndarray:
        logits = run_images(model, images)
        logits[1, 2:5] += 1
        return logits

    monkeypatch.setattr(work, "run_images", wrong)
    assert command.main(quick) == 1
    assert capsys.readouterr().out.startswith("exactness    3 of 20 logits of 2 images differ\n")


@pytest.mark.parametrize(
    "options, message",
    [
        (["--lowered", "none.onnx"], "none.onnx does not exist"),
        (["--lowered", __file__], "is not an ONNX file"),
        (["--lowered", "LOWERED", "--fifo-depths", "none.json"], "depths none.json cannot be read"),
        (["--lowered", "LOWERED", "--folding", "none.json"], "folding none.json cannot be read"),
        (["--lowered", "LOWERED", "--inputs", "none.npy"], "inputs file none.npy does not exist"),
        (["--lowered", "LOWERED", "--target", "none"], "none"),
    ],
)
def test_bad_input(tiny: Project, options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    options = [str(tiny.folder / "lowered.onnx") if option == "LOWERED" else option for option in options]
    assert command.main(options) == 2
    said = capsys.readouterr().err
    assert message in said and said.startswith("rtl: ") and said.count("\n") == 1


def test_table_of_resources():
    def part(kind: str, found: float, estimate: float) -> dict:
        rows = {"LUT": (found, estimate), "FF": (0, 0), "BRAM36": (0.5, 0.5), "DSP": (2, 1)}
        keys = enumerate(("synthesised", "estimated"))
        return {"kind": kind} | {key: {name: row[place] for name, row in rows.items()} for place, key in keys}

    parts = {
        "add": part("ResidualAdd", 100, 110),
        "layer2_out": part("Fifo lines", 30, 30),
        "fork": part("Fork", 20, 15),
    }
    lines = [" ".join(line.split()) for line in resources_table(parts).splitlines()]
    assert lines[0] == "resources synthesised by Yosys (RTL), beside the estimate (calibrated, RTL)"
    assert lines[2:] == [
        "add ResidualAdd 100 110 +10.0 % 0 0 0.5 0.5 +0.0 % 2 1 -50.0 %",
        "FIFOs and forks 50 45 -10.0 % 0 0 1 1 +0.0 % 4 2 -50.0 %",
        "sum 150 155 +3.3 % 0 0 1.5 1.5 +0.0 % 6 3 -50.0 %",
    ]

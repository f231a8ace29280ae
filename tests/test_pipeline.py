"""The network of a generated project: in the kernels' order, with depths that reach the C++ and let it run."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
from models import noise
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp

from hls_projects import pipeline, simulation
from hls_projects.conversion import convert
from hls_projects.dataflow import Network, NetworkError, explain, simulate, size_fifos
from hls_projects.dataflow.program import busy_cycles, flatten
from hls_projects.qonnx_file import batched
from hls_projects.targets import load_target

DEPTHS_TRIED = 12


@dataclasses.dataclass
class Project:
    folder: Path
    network: Network
    pictures: np.ndarray
    codes: np.ndarray


@pytest.fixture(scope="module")
def project(lowered_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny model with bounded FIFOs, compiled, and what it must compute."""
    folder = tmp_path_factory.mktemp("bounded") / "hls"
    graph = convert(lowered_build / "lowered.onnx", load_target("pynq-z2"), folder)
    simulation.compile_programs(folder, [simulation.BOUNDED])
    model, pictures = ModelWrapper(str(lowered_build / "lowered.onnx")), noise(2)
    context = {model.graph.input[0].name: pictures.astype(np.float32)}
    codes = execute_onnx(batched(model, len(pictures)), context)[model.graph.output[0].name]
    return Project(folder, pipeline.network(graph), pictures, codes.astype(np.int64))


def run(project: Project, work: Path, depths: dict[str, int]) -> np.ndarray | None:
    return simulation.simulate_bounded(project.folder, work, project.pictures, project.codes.shape[1], depths)


def test_processes_are_the_calls_of_the_cpp(project: Project):
    text = (project.folder / "firmware" / "vit.cpp").read_text()
    calls = re.findall(r"PIPELINE_PROCESS\(nnet::\w+<[^;]*\)\); // (\w+)", text)
    inner = [process.name for process in project.network.processes][1:-1]
    assert inner == calls and len(re.findall(r"nnet::(?!load_weights)\w+<", text)) == len(calls)
    declared = re.findall(r"hls::stream<\w+> (\w+)\(", text)
    assert sorted(fifo.name for fifo in project.network.sizable) == sorted(declared)


def test_programs_move_all_words(lowered: ModelWrapper):
    for node in lowered.graph.node:
        operator = getCustomOp(node)
        words = [step.port for step in flatten(operator.program()) if hasattr(step, "port")]
        shapes = {f"in{index}": shape for index, shape in enumerate(operator.input_shapes())}
        shapes["out"] = operator.output_shape()
        assert {port: words.count(port) for port in set(words)} == {
            port: int(np.prod(shape[:-1])) for port, shape in shapes.items()
        }
        assert busy_cycles(operator.program()) >= max(operator.macs(), len(words))


def test_depths_reach_the_pragmas_and_come_back(lowered_build: Path, project: Project, tmp_path: Path):
    depths = {fifo.name: number + 1 for number, fifo in enumerate(project.network.sizable)}
    convert(lowered_build / "lowered.onnx", load_target("pynq-z2"), tmp_path / "hls", depths=depths)
    text = (tmp_path / "hls" / "firmware" / "vit.cpp").read_text()
    found = dict(re.findall(r"#pragma HLS STREAM variable=(\w+) depth=(\d+)", text))
    assert {name: int(depth) for name, depth in found.items()} == depths
    (tmp_path / "fifo_depths.json").write_text(pipeline.depths_file(project.network, depths))
    assert pipeline.read_depths(tmp_path / "fifo_depths.json", project.network) == depths
    row = json.loads((tmp_path / "fifo_depths.json").read_text())["layer2_out"]
    assert row == {"depth": 1, "word_bits": 8 * 192, "from": "patch_reader", "to": "patch_embed"}


def change(rows: dict, name: str, **values: object) -> dict:
    return rows | {name: rows[name] | values}


@pytest.mark.parametrize(
    "edit, message",
    [
        (
            lambda rows: change(rows, "layer3_out", depth=0),
            "depth of FIFO layer3_out must be a whole number of at least 1",
        ),
        (lambda rows: change(rows, "layer3_out", depth=-4), "not -4"),
        (lambda rows: change(rows, "layer3_out", depth="2"), "not '2'"),
        (lambda rows: {n: r for n, r in rows.items() if n != "layer3_out"}, "FIFO layer3_out has no depth"),
        (lambda rows: rows | {"layer999_out": {"depth": 2}}, "there is no FIFO layer999_out"),
        (lambda rows: rows | {"layer3_out": 3}, "must be an object of"),
        (lambda rows: [1], "must be an object of"),
    ],
)
def test_a_wrong_file_of_depths_is_refused(project: Project, tmp_path: Path, edit, message: str):
    path = tmp_path / "depths.json"
    text = pipeline.depths_file(project.network, {fifo.name: 2 for fifo in project.network.sizable})
    path.write_text(json.dumps(edit(json.loads(text))))
    with pytest.raises(NetworkError, match=message) as caught:
        pipeline.read_depths(path, project.network)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_no_file_of_depths_and_none_that_is_json(project: Project, tmp_path: Path):
    with pytest.raises(NetworkError, match="cannot be read: No such file"):
        pipeline.read_depths(tmp_path / "none.json", project.network)
    (tmp_path / "text.json").write_text("depths")
    with pytest.raises(NetworkError, match="is not JSON"):
        pipeline.read_depths(tmp_path / "text.json", project.network)


def test_the_smallest_depths_let_the_cpp_run_and_smaller_ones_do_not(project: Project, tmp_path: Path):
    sizing = size_fifos(project.network)
    for depths in (sizing.smallest.depths, sizing.lossless.depths):
        assert np.array_equal(run(project, tmp_path, depths), project.codes)
    smallest = sizing.smallest.depths
    deep = [name for name, depth in smallest.items() if depth > 1]
    assert deep
    for name in deep:
        assert run(project, tmp_path, {**smallest, name: smallest[name] - 1}) is None


def test_simulation_and_cpp_agree_on_deadlocks(project: Project, tmp_path: Path):
    source, smallest = random.Random(0), size_fifos(project.network).smallest.depths
    verdicts = []
    for _ in range(DEPTHS_TRIED):
        depths = {name: max(1, depth + source.choice([-1, 0, 0, 0, 0, 0, 1, 2])) for name, depth in smallest.items()}
        found = explain(simulate(project.network, depths, 1))
        codes = run(project, tmp_path, depths)
        assert (found is not None) == (codes is None), found
        if codes is not None:
            assert np.array_equal(codes, project.codes)
        verdicts.append(found is not None)
        for name, depth in found.remedies.items() if found else ():
            assert run(project, tmp_path, {**depths, name: depth}) is not None
    assert 1 < sum(verdicts) < DEPTHS_TRIED - 1

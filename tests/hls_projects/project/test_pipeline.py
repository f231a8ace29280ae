"""The network of a generated project: in the kernels' order, with depths that reach the C++ and let it run."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp

from brevitas_model.export import export
from hls_projects import simulation
from hls_projects.dataflow import Network, NetworkError, explain, settled, simulate, size_fifos
from hls_projects.dataflow.sizing import lossless_depths
from hls_projects.folding.depths import check_kernels, chosen_depths, settled_trace
from hls_projects.graphs.qonnx_file import batched
from hls_projects.lowering import lower
from hls_projects.project import pipeline
from hls_projects.project.conversion import convert
from hls_projects.targets import load_target
from tests.support.bounded_simulation import BOUNDED, simulate_bounded
from tests.support.models import noise, random_model, tiny_config

DEPTHS_TRIED = 12
FOLDED_DEPTHS_TRIED = 8
FOLDING = {
    "PotLinear": {"pe": 3, "simd": 2, "element": "bucket", "sparse": 1},
    "Head": {"pe": 4},
    "AttentionScores": {"parallel_heads": 2, "parallel_keys": 1},
    "AttentionValues": {"parallel_heads": 1, "parallel_channels": 4},
}


@dataclasses.dataclass
class Project:
    """A generated project: of ``kernels`` is the C++, of ``network`` are the twins."""

    folder: Path
    network: Network
    kernels: Network
    images: np.ndarray
    codes: np.ndarray


def compiled(lowered: Path, folder: Path) -> Project:
    """The model in the file ``lowered`` with bounded FIFOs, compiled, and what it must compute."""
    graph = convert(lowered, load_target("pynq-z2"), folder)
    simulation.compile_programs(folder, [BOUNDED])
    model, images = ModelWrapper(str(lowered)), noise(2)
    context = {model.graph.input[0].name: images.astype(np.float32)}
    codes = execute_onnx(batched(model, len(images)), context)[model.graph.output[0].name]
    networks = pipeline.network(graph), pipeline.network(graph, kernels=True)
    return Project(folder, *networks, images, codes.astype(np.int64))


@pytest.fixture(scope="module")
def project(lowered_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return compiled(lowered_build / "lowered.onnx", tmp_path_factory.mktemp("bounded") / "hls")


@pytest.fixture(scope="module")
def folded_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A model with a class token, whose operators work on several elements at a time."""
    folder = tmp_path_factory.mktemp("folded")
    model = lower(export(random_model(tiny_config(global_pool="token")), folder / "model.qonnx.onnx"))
    for node in model.graph.node:
        for name, value in FOLDING.get(node.op_type, {}).items():
            getCustomOp(node).set_nodeattr(name, value)
        if node.op_type == "PotLinear" and getCustomOp(node).size("n_tokens") % 2 == 0:
            getCustomOp(node).set_nodeattr("parallel_tokens", 2)
    model.save(str(folder / "lowered.onnx"))
    return compiled(folder / "lowered.onnx", folder / "hls")


def run(project: Project, work: Path, depths: dict[str, int]) -> np.ndarray | None:
    return simulate_bounded(project.folder, work, project.images, project.codes.shape[1], depths)


def test_processes_are_the_calls_of_the_cpp(project: Project):
    text = (project.folder / "firmware" / "vit.cpp").read_text()
    calls = re.findall(r"PIPELINE_PROCESS\(nnet::\w+<[^;]*\)\); // (\w+)", text)
    for network in (project.network, project.kernels):
        layers = [process.name.split(".")[0] for process in network.processes][1:-1]
        assert [name for name, _ in itertools.groupby(layers)] == calls
    assert len(re.findall(r"nnet::(?!load_weights)\w+<", text)) == len(calls)
    declared = re.findall(r"hls::stream<\w+> (\w+)\(", text)
    assert sorted(fifo.name for fifo in project.network.sizable) == sorted(declared)


def test_depths_reach_the_pragmas_and_come_back(lowered_build: Path, project: Project, tmp_path: Path):
    depths = {fifo.name: number + 1 for number, fifo in enumerate(project.network.sizable)}
    convert(lowered_build / "lowered.onnx", load_target("pynq-z2"), tmp_path / "hls", depths=depths)
    text = (tmp_path / "hls" / "firmware" / "vit.cpp").read_text()
    found = dict(re.findall(r"#pragma HLS STREAM variable=(\w+) depth=(\d+)", text))
    assert {name: int(depth) for name, depth in found.items()} == depths
    (tmp_path / "fifo_depths.json").write_text(pipeline.depths_file(project.network, depths))
    assert pipeline.read_depths(tmp_path / "fifo_depths.json", project.network) == depths
    row = json.loads((tmp_path / "fifo_depths.json").read_text())["layer2_out"]
    assert row == {"depth": 1, "word_bits": 8, "from": "patch_reader.write", "to": "patch_embed.load"}


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
    smallest = size_fifos(project.kernels).smallest.depths
    assert np.array_equal(run(project, tmp_path, smallest), project.codes)
    deep = [name for name, depth in smallest.items() if depth > 1]
    assert deep
    for name in deep:
        assert run(project, tmp_path, {**smallest, name: smallest[name] - 1}) is None


def test_depths_of_a_build_let_both_the_twins_and_the_cpp_run(
    project: Project, folded_project: Project, tmp_path: Path
):
    for each in (project, folded_project):
        depths = chosen_depths(each.network, each.kernels, None)
        assert np.array_equal(run(each, tmp_path, depths), each.codes)
        assert (
            settled(each.network, depths).interval() == settled(each.network, lossless_depths(each.network)).interval()
        )
    # Those of the twins alone would not do.
    assert run(folded_project, tmp_path, lossless_depths(folded_project.network)) is None


def test_depths_with_which_only_the_cpp_deadlocks_are_rejected(folded_project: Project):
    depths = lossless_depths(folded_project.network)
    settled_trace(folded_project.network, depths)
    with pytest.raises(NetworkError, match=r"^the generated C\+\+ would deadlock: deadlock after cycle"):
        check_kernels(folded_project.kernels, depths)


def verdicts(project: Project, work: Path, tries: int) -> list[bool]:
    """For depths around the smallest ones, whether they deadlock in the simulation, which must be as in the C++."""
    source, smallest = random.Random(0), size_fifos(project.kernels).smallest.depths
    found = []
    for _ in range(tries):
        depths = {name: max(1, depth + source.choice([-1, 0, 0, 0, 0, 0, 1, 2])) for name, depth in smallest.items()}
        deadlock = explain(simulate(project.kernels, depths, 1))
        codes = run(project, work, depths)
        assert (deadlock is not None) == (codes is None), deadlock
        if codes is not None:
            assert np.array_equal(codes, project.codes)
        found.append(deadlock is not None)
        for name, depth in deadlock.remedies.items() if deadlock else ():
            assert run(project, work, {**depths, name: depth}) is not None
    return found


def test_simulation_and_cpp_agree_on_deadlocks(project: Project, tmp_path: Path):
    assert 1 < sum(verdicts(project, tmp_path, DEPTHS_TRIED)) < DEPTHS_TRIED - 1


def test_simulation_and_cpp_agree_on_deadlocks_of_folded_operators(folded_project: Project, tmp_path: Path):
    assert 1 < sum(verdicts(folded_project, tmp_path, FOLDED_DEPTHS_TRIED)) < FOLDED_DEPTHS_TRIED - 1

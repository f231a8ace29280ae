"""The benchmark measures one network: three simulations, equal outputs, a whole table."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from pathlib import Path

import numpy as np
import pytest
from qonnx.core.onnx_exec import execute_onnx

from flows import bench_csim
from flows.benchmarking import bench_csim as work
from flows.benchmarking.mlp import SINK, SOURCE, SUM, Mlp, vectors
from flows.benchmarking.simulations import DISTINCT_VECTORS, Inputs, timed
from hls_projects.errors import InputError
from hls_projects.graphs.qonnx_file import run_images
from hls_projects.simulation.processes import Worker
from tests.support.operators import naive_requantize

SIZES = (8, 8, 4)
MLP = Mlp.random(SIZES)
TITLES = ["stock hls4ml 1.3.0", "potstream, reference (ap_types)", "potstream, fast (native integers)"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, str]:
    """The JSON file and the standard output of a short run."""
    file = tmp_path_factory.mktemp("bench") / "bench.json"
    options = ["--sizes", "8,8,4", "--runs", "2", "--seconds", "0.1", "--json", str(file)]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert bench_csim.main(options) == 0
    return json.loads(file.read_text()), said.getvalue()


def naive(x: list[int]) -> list[int]:
    """The network in python integers."""
    for index, (weights, shift) in enumerate(zip(MLP.weights, MLP.shifts, strict=True)):
        x = [sum(int(w) * v for w, v in zip(column, x, strict=True)) for column in weights.T]
        if index + 1 < len(MLP.weights):
            x = [max(naive_requantize(value, shift, SUM), 0) for value in x]
    return x


def test_network_is_its_definition():
    x = vectors(SIZES[0], 200)
    assert MLP.execute(x).tolist() == [naive(row) for row in x.tolist()]


def test_network_has_ties_and_saturates():
    sums = vectors(SIZES[0], 200).astype(np.int64) @ MLP.weights[0]
    half = 1 << (MLP.shifts[0] - 1)
    assert (sums % (2 * half) == half).any()
    assert (sums > (int(SUM.max()) + 1) * 2 * half).any()


def test_both_graphs_are_the_network():
    x = vectors(SIZES[0], 50)
    qonnx = MLP.qonnx()
    found = [execute_onnx(qonnx, {SOURCE: row[None].astype(np.float32)})[SINK][0] for row in x]
    assert np.array_equal(found, MLP.execute(x))
    assert np.array_equal(run_images(MLP.lowered(), x[:, :, None]), MLP.execute(x))


def test_three_simulations_give_the_same_outputs(finished: tuple[dict, str]):
    facts, said = finished
    assert facts["matches"] and [row["mismatched"] for row in facts["simulations"]] == [0, 0, 0]
    assert said.endswith("outputs of all simulations: every one matches\n")


def test_every_row_is_whole(finished: tuple[dict, str]):
    facts, said = finished
    rows = facts["simulations"]
    assert [row["title"] for row in rows] == TITLES and facts["macs"] == 8 * 8 + 8 * 4
    for row in rows:
        assert len(row["ns"]) == 2 and min(row["ns"]) == row["ns_min"] <= row["ns_max"] == max(row["ns"])
        assert row["vectors"] > 0 and row["compile_seconds"] > 0
        line = next(line for line in said.splitlines() if line.startswith(row["title"]))
        assert f"{row['ns_min']:.3f}" in line and f"{row['ns_max']:.3f}" in line and f"{row['vectors']:,}" in line
    stock = rows[0]
    for row in rows[1:]:
        assert row["ratio"] == [stock["ns_min"] / row["ns_max"], stock["ns_max"] / row["ns_min"]]
        assert row["all_cores_ns"] is not None and len(row["cpu_ratio"]) == 2


def test_a_difference_is_told(finished: tuple[dict, str], monkeypatch: pytest.MonkeyPatch):
    facts = copy.deepcopy(finished[0]) | {"matches": False}
    facts["simulations"][0]["mismatched"] = 7
    monkeypatch.setattr(work, "bench", lambda args, folder: facts)
    assert bench_csim.main([]) == 1
    assert work.as_text(facts).endswith("outputs of all simulations: 7 differ in stock hls4ml 1.3.0")


def test_differences_are_counted():
    inputs = Inputs.of(MLP)
    count = DISTINCT_VECTORS + 3
    outputs = MLP.execute(inputs.first(count))
    assert inputs.mismatches(outputs) == 0
    outputs[-1, 2] += 1
    outputs[5, 0] -= 1
    assert inputs.mismatches(outputs) == 2


def test_crash_is_told(tmp_path: Path):
    script = "echo broken >&2; exit 3"
    worker = Worker("bench", ["sh", "-c", script], tmp_path, tmp_path, 0, 1, lambda: 0)
    with pytest.raises(InputError, match="ended with 3 at image 0: broken"):
        timed([worker])


@pytest.mark.parametrize(
    "option, value, says",
    [
        ("--sizes", "8", "must be two or more whole numbers"),
        ("--sizes", "8,x,4", "must be two or more whole numbers"),
        ("--sizes", "8,1", "must be two or more whole numbers"),
        ("--sizes", "8,1024,1024", "a layer may have 262,144 weights at most"),
        ("--runs", "0", "must be a whole number of at least 1"),
        ("--seconds", "nan", "nan is not a number above 0"),
        ("--seconds", "soon", "soon is not a number above 0"),
    ],
)
def test_bad_options_are_refused(option: str, value: str, says: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        bench_csim.main([option, value])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.startswith(f"bench_csim: argument {option}: {says}") and said.count("\n") == 1


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("PATH", "")
    assert bench_csim.main([]) == 2
    said = capsys.readouterr().err
    assert said.startswith("bench_csim: no g++ on the path") and said.count("\n") == 1

"""The generated project calls every operator, and weights travel as codes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from brevitas_model.export import export
from hls_projects import SHARED_HEADERS
from hls_projects.errors import InputError
from hls_projects.lowering import lower
from hls_projects.operators import OPERATORS
from hls_projects.project import conversion
from hls_projects.project.conversion import convert
from hls_projects.simulation.compiler import BLOCKS_HEADER
from hls_projects.targets import load_target
from tests.support.models import random_model, tiny_config

PYNQ = load_target("pynq-z2")


@pytest.fixture(scope="module")
def project(lowered_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "hls"
    convert(lowered_build / "lowered.onnx", PYNQ, folder)
    return folder


def test_one_call_for_every_operator(project: Path, lowered: ModelWrapper):
    calls = re.findall(r"nnet::(\w+)<[^;]*\); // (\w+)", (project / "firmware" / "vit.cpp").read_text())
    made = [(kernel, name) for kernel, name in calls if kernel != "clone_stream"]
    assert sorted(made) == sorted((getCustomOp(node).kernel, node.name) for node in lowered.graph.node)


@pytest.mark.parametrize("weight_format, bits", [("pot4", 4), ("pot6", 6)])
def test_weights_travel_as_codes(tmp_path: Path, weight_format: str, bits: int):
    lowered = lower(export(random_model(tiny_config(weight_format=weight_format)), tmp_path / "m.onnx"))
    lowered.save(str(tmp_path / "lowered.onnx"))
    convert(tmp_path / "lowered.onnx", PYNQ, tmp_path / "hls")
    firmware = tmp_path / "hls" / "firmware"
    types = dict(re.findall(r"typedef (\S+) (codes\d+)_t;", (firmware / "defines.h").read_text()))
    types = {name: kind for kind, name in types.items()} | {
        name: kind for kind, name in re.findall(r"typedef (\S+) (codes\d+)_t;", (firmware / "defines.h").read_text())
    }
    files = sorted(firmware.glob("weights/codes*.txt"))
    assert len(files) == 8
    for file in files:
        assert types[file.stem] == f"ap_uint<{bits}>"
        codes = [int(text) for text in file.read_text().split(",")]
        assert min(codes) >= 0 and 2 ** (bits - 1) <= max(codes) < 2**bits
    assert "ap_fixed<" not in (firmware / "defines.h").read_text()


def test_files_hold_the_arrays_of_the_operators(project: Path, lowered: ModelWrapper):
    calls = (project / "firmware" / "vit.cpp").read_text()
    for node in lowered.graph.node:
        operator = getCustomOp(node)
        for array in operator.arrays:
            name = re.search(rf"\b({array}\d+)\b[^;]*; // {node.name}\n", calls).group(1)
            stored = np.loadtxt(project / "firmware" / "weights" / f"{name}.txt", delimiter=",", dtype=np.int64)
            assert np.array_equal(stored.reshape(-1), operator.kernel_array(array)), name


def test_part_and_clock_reach_the_project(project: Path):
    text = (project / "project.tcl").read_text()
    assert "xc7z020clg400-1" in text and re.search(r"clock_period\s+10\b", text)


def test_kernels_are_copied_as_they_are(project: Path):
    headers = (*(operator.header() for operator in OPERATORS), *SHARED_HEADERS)
    folders = {BLOCKS_HEADER: "ap_types"} | dict.fromkeys(headers, "nnet_utils")
    for header, folder in folders.items():
        assert (project / "firmware" / folder / header.name).read_bytes() == header.read_bytes()


def test_layer_without_a_call_is_caught(lowered_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # hls4ml keeps the template objects that register() gave it, so the class is where to take their text away.
    format_call = conversion.HardwareFunctionTemplate.format

    def forget_softmax(self: object, node: object) -> str:
        return "" if node.class_name == "IntegerSoftmax" else format_call(self, node)

    monkeypatch.setattr(conversion.HardwareFunctionTemplate, "format", forget_softmax)
    with pytest.raises(InputError, match=r"no call of IntegerSoftmax \(node blocks_0_attn_softmax\)"):
        convert(lowered_build / "lowered.onnx", PYNQ, tmp_path / "hls")


def test_foreign_node_is_named(qonnx_file: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"node \w+: \w+ is not a hardware operator"):
        convert(qonnx_file, PYNQ, tmp_path / "hls")


def test_shift_that_no_kernel_has_is_named(lowered: ModelWrapper, tmp_path: Path):
    node = next(node for node in lowered.graph.node if node.op_type == "IntegerSoftmax")
    getCustomOp(node).set_nodeattr("out_shift", -40)
    lowered.save(str(tmp_path / "bad.onnx"))
    with pytest.raises(InputError, match=r"node blocks_0_attn_softmax: .*left shift"):
        convert(tmp_path / "bad.onnx", PYNQ, tmp_path / "hls")


@pytest.mark.parametrize(
    "node, folding",
    [
        ("blocks_0_mlp_fc1", {"pe": 33}),
        ("head", {"simd": 0}),
        ("blocks_0_attn_q", {"element": "adder"}),
        ("blocks_0_attn_scores", {"parallel_keys": 3}),
        ("blocks_0_attn_values", {"parallel_channels": 16}),
    ],
)
def test_folding_that_no_kernel_has_is_named(lowered: ModelWrapper, tmp_path: Path, node: str, folding: dict):
    getCustomOp(lowered.get_node_from_name(node)).fold(folding)
    lowered.save(str(tmp_path / "bad.onnx"))
    with pytest.raises(InputError, match=rf"^node {node}: {next(iter(folding))} must be "):
        convert(tmp_path / "bad.onnx", PYNQ, tmp_path / "hls")
    assert not (tmp_path / "hls").exists()


def test_project_does_not_know_where_it_was_made(project: Path):
    for name in ("hls4ml_config.yml", "project.tcl", "build_prj.tcl", "vit_test.cpp"):
        assert str(project.parent) not in (project / name).read_text(), name

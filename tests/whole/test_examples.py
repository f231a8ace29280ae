"""The examples, with the sources as they are."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from qonnx.core.onnx_exec import execute_onnx

from tests.support import ROOT

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def foreign() -> dict:
    return runpy.run_path(str(EXAMPLES / "foreign_model.py"))


def test_a_foreign_model_with_our_attention_goes_through_stock_hls4ml(foreign: dict, tmp_path: Path):
    assert foreign["compare"](tmp_path / "hls") == 0
    source = (tmp_path / "hls" / "firmware" / "myproject.cpp").read_text()
    for call in (
        "nnet::relu",
        "nnet::attention_scores",
        "nnet::integer_softmax",
        "nnet::attention_values",
        "nnet::dense",
    ):
        assert f"{call}<" in source


def test_the_foreign_model_is_no_constant(foreign: dict):
    model = foreign["foreign_model"]()
    inputs = np.random.default_rng(1).integers(-128, 128, (8, 1, 8, 8)).astype(np.float32)
    outputs = [execute_onnx(model, {"x": each})["y"].tolist() for each in inputs]
    assert len({str(output) for output in outputs}) == 8


def test_a_difference_is_an_exit_status(
    foreign: dict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    main = foreign["main"]
    monkeypatch.setitem(main.__globals__, "compare", lambda folder: 2)
    assert main([]) == 1 and capsys.readouterr().out.endswith(": 2\n")

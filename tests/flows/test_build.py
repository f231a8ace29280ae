"""The build command: what it leaves, what it says, and that a failed one leaves nothing."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from brevitas.nn import QuantLinear
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from brevitas_model.checkpoint import load_checkpoint, save_checkpoint
from brevitas_model.vit import count_parameters
from flows import build
from flows.building import steps
from flows.building.settings import STEPS
from flows.building.workspace import workspace
from flows.reporting.schema import check_report
from hls_projects import operators, simulation, targets
from tests.brevitas_model.test_checkpoint import Malice, rewritten
from tests.brevitas_model.training.test_data import broken_cifar, nan_images
from tests.support import DATA, ROOT
from tests.support.models import hybrid_config, listing, noise, random_hybrid, random_model, snapshot, tiny_config

STEP_NAMES = list(STEPS)
STAGES = ("torch", "qonnx", "qonnx_reference", "lowered", "csim", "csim_reference")
LOGITS = [f"logits_{stage}.npy" for stage in STAGES]
REPORTS = {"report.html", "report.json", "report.txt"}
BOARD = {"hls", "vendor", "deploy"}
FOLDED = {"folding.json", "fifo_depths.json", "estimate.json"}
NO_MISMATCH = {
    "torch_qonnx": 0, "qonnx_reference_qonnx": 0, "qonnx_csim": 0, "lowered_csim": 0, "csim_reference_csim": 0,
}  # fmt: skip

Refused = Callable[..., str]


VENDOR_REPORTS = DATA / "vendor_reports"


# What a build leaves


def test_files_of_a_whole_build(finished_build: Path):
    names = {path.name for path in finished_build.iterdir()}
    assert names == {
        "build.json", "target.toml", "checkpoint.safetensors", "images.safetensors", "model.qonnx.onnx",
        "lowered.onnx", "hashes.json", "hls", "vendor", "deploy", *FOLDED, *REPORTS, *LOGITS,
    }  # fmt: skip
    project = {str(path.relative_to(finished_build / "hls")) for path in (finished_build / "hls").rglob("*")}
    assert {"firmware/vit.cpp", "vit_test.cpp", "build_prj.tcl", "project.tcl"} <= project
    assert {"tb_data/tb_input_features.dat", "tb_data/tb_output_predictions.dat"} <= project
    assert listing(finished_build.parent) == ["out"]


def test_logits_are_equal_float32_in_real_units(finished_build: Path):
    logits = [np.load(finished_build / name) for name in LOGITS]
    for array in logits:
        assert array.shape == (6, 10) and array.dtype == np.float32 and np.array_equal(array, logits[0])
    model, _ = load_checkpoint(finished_build / "checkpoint.safetensors")
    with torch.no_grad():
        assert np.array_equal(logits[0], model(torch.from_numpy(noise(6)).float()).numpy())
    assert len(np.unique(logits[0])) > 10


def test_report(finished_build: Path, checkpoint: Path, report: Callable[[Path], dict]):
    facts = report(finished_build)
    check_report(facts)
    model, _ = load_checkpoint(checkpoint)
    assert facts["target"] == "pynq-z2" and facts["images"] == 6 and 8 < facts["max_bits"] <= 24
    assert facts["accuracy"] == {"torch": None, "qonnx": None, "csim": None}
    assert facts["mismatched_logits"] == NO_MISMATCH
    assert [(stage["name"], stage["images"]) for stage in facts["stages"]] == [(name, 6) for name in STAGES]
    assert set(facts["model"]) == {"parameters", "weight_bits", "sparsity", "config"}
    assert facts["model"]["parameters"] == count_parameters(model) and facts["model"]["weight_bits"] == 4
    assert facts["model"]["config"] == json.loads(model.config.to_json())
    weights = torch.cat([m.quant_weight().value.flatten() for m in model.modules() if isinstance(m, QuantLinear)])
    assert facts["model"]["sparsity"] == pytest.approx(float((weights == 0).float().mean()), abs=1e-6)
    assert list(facts["seconds"]) == STEP_NAMES
    assert all(isinstance(value, float) and value >= 0 for value in facts["seconds"].values())
    assert facts["versions"]["torch"] == torch.__version__.split("+")[0] and facts["versions"]["g++"]
    assert facts["trace"] == {"images": 6, "operators": 21, "first_difference": None}


def test_summary_names_the_figures(finished_build: Path):
    text = (finished_build / "report.txt").read_text()
    for part in ("pynq-z2", "4-bit", "no logit differs", "qonnx / csim: every logit matches, 6 images", "of 24 bits",
                 "no labels", "21 operators on 6 images", "images/s at 100 MHz (initiation interval ",
                 "cycles; simulated, RTL)", "(calibrated, RTL)", "HLS C++: not synthesised"):  # fmt: skip
        assert part in text


def test_the_report_tells_the_timing_of_the_depths_in_the_cpp(finished_build: Path, report: Callable[[Path], dict]):
    timing = report(finished_build)["timing"]
    assert timing["evidence"] == "simulated" and timing["latency_cycles"] > timing["interval_cycles"] > 1024
    assert {stretch["state"] for stretch in timing["timeline"]} == {"busy", "starved", "backpressured"}
    text = (finished_build / "hls" / "firmware" / "vit.cpp").read_text()
    pragmas = dict(re.findall(r"#pragma HLS STREAM variable=(\w+) depth=(\d+)", text))
    depths = json.loads((finished_build / "fifo_depths.json").read_text())
    assert {name: int(depth) for name, depth in pragmas.items()} == {n: row["depth"] for n, row in depths.items()}


def test_edited_depths_reach_the_cpp(copied: Path, report: Callable[[Path], dict], tmp_path: Path):
    before = report(copied)["timing"]
    depths = json.loads((copied / "fifo_depths.json").read_text())
    depths["layer2_out"]["depth"] += 7
    (tmp_path / "mine.json").write_text(json.dumps(depths))
    options = ["--from", "fold", "--until", "convert", "--fifo-depths", str(tmp_path / "mine.json")]
    assert build.main([*options, "--out", str(copied)]) == 0
    text = (copied / "hls" / "firmware" / "vit.cpp").read_text()
    assert f"variable=layer2_out depth={depths['layer2_out']['depth']}\n" in text
    after = json.loads((copied / "build.json").read_text())["timing"]
    assert after["interval_cycles"] == before["interval_cycles"]


def test_depths_that_stand_still_are_refused(given: list[str], finished_build: Path, tmp_path: Path, refused: Refused):
    depths = json.loads((finished_build / "fifo_depths.json").read_text())
    (tmp_path / "one.json").write_text(json.dumps({name: {"depth": 1} for name in depths}))
    said = refused(*given, "--fifo-depths", tmp_path / "one.json")
    assert re.search(r"deadlock after cycle \d+: [\w.]+ is (starved|backpressured) at [\w.]+, .* resolve it", said)
    (tmp_path / "none.json").write_text(json.dumps({name: {"depth": 0} for name in depths}))
    assert "must be a whole number of at least 1, not 0" in refused(*given, "--fifo-depths", tmp_path / "none.json")
    said = refused("--from", "simulate", "--fifo-depths", tmp_path / "one.json")
    assert "--fifo-depths is read by the step fold" in said


def test_accuracy_with_labels(copied: Path, report: Callable[[Path], dict]):
    logits = np.load(copied / "logits_torch.npy")
    labels = logits.argmax(axis=1)
    labels[0] = (labels[0] + 1) % 10
    save_arrays({"images": noise(6), "labels": labels}, copied / "images.safetensors")
    assert build.main(["--from", "compare", "--out", str(copied)]) == 0
    assert set(report(copied)["accuracy"].values()) == {round(100 * 5 / 6, 4)}


def test_qonnx_file_gives_the_same_logits(
    finished_build: Path, inputs: Path, tmp_path: Path, report: Callable[[Path], dict]
):
    out = tmp_path / "out"
    source = finished_build / "model.qonnx.onnx"
    assert build.main(["--qonnx", str(source), "--inputs", str(inputs), "--out", str(out)]) == 0
    facts, first = report(out), report(finished_build)
    assert facts["mismatched_logits"] == NO_MISMATCH | {"torch_qonnx": None}
    assert facts["accuracy"]["torch"] is None and facts["model"]["config"] is None and facts["trace"] is None
    assert {key: facts["model"][key] for key in ("parameters", "sparsity")} == {
        key: first["model"][key] for key in ("parameters", "sparsity")
    }
    assert not (out / "logits_torch.npy").exists()
    for name in LOGITS[1:]:
        assert np.array_equal(np.load(out / name), np.load(finished_build / name))


# Steps


def test_until_and_from_go_on(given: list[str], tmp_path: Path):
    out = tmp_path / "out"
    assert build.main([*given, "--until", "export", "--out", str(out)]) == 0
    assert (out / "model.qonnx.onnx").exists() and not (out / "lowered.onnx").exists()
    assert build.main(["--from", "ranges", "--until", "lower", "--out", str(out)]) == 0
    facts = json.loads((out / "build.json").read_text())
    assert list(facts["seconds"]) == STEP_NAMES[:4] and facts["max_bits"] <= 24
    assert not (out / "report.json").exists()


@pytest.mark.parametrize(
    "step, gone",
    [
        ("lower", {"lowered.onnx", *FOLDED, *BOARD, *REPORTS, *LOGITS}),
        ("fold", {*FOLDED, *BOARD, *REPORTS, *LOGITS}),
        ("convert", {*BOARD, *REPORTS, *LOGITS}),
        ("compare", {"deploy", *REPORTS}),
    ],
)
def test_stale_products_are_removed(copied: Path, step: str, gone: set[str]):
    before = set(listing(copied))
    made = {"lower": {"lowered.onnx"}, "fold": FOLDED, "convert": {"hls", "vendor"}}.get(step, set())
    assert build.main(["--from", step, "--until", step, "--out", str(copied)]) == 0
    assert before - set(listing(copied)) == gone - made


def test_a_build_of_another_version_is_not_gone_on_from(copied: Path, capsys: pytest.CaptureFixture[str]):
    facts = json.loads((copied / "build.json").read_text())
    del facts["schema_version"]
    (copied / "build.json").write_text(json.dumps(facts))
    before = listing(copied)
    assert build.main(["--from", "report", "--out", str(copied)]) == 2
    said = f"build: {copied}/build.json has no schema version, this program reads version 2; build it again"
    assert capsys.readouterr().err.startswith(said) and listing(copied) == before


def test_report_can_be_made_again(copied: Path, report: Callable[[Path], dict]):
    before = report(copied)
    assert build.main(["--from", "report", "--out", str(copied)]) == 0
    after = report(copied)
    assert {**after, "seconds": 0, "provenance": 0} == {**before, "seconds": 0, "provenance": 0}
    assert after["provenance"]["files"] == before["provenance"]["files"]


def test_every_image_on_the_reference(copied: Path, report: Callable[[Path], dict]):
    assert build.main(["--from", "simulate", "--csim", "reference", "--sample", "2", "--out", str(copied)]) == 0
    facts = report(copied)
    images = {stage["name"]: stage["images"] for stage in facts["stages"]}
    assert images == {"torch": 6, "qonnx": 6, "qonnx_reference": 2, "lowered": 2, "csim": 6}
    assert facts["stages"][-1]["title"].endswith("ap_types")
    assert facts["mismatched_logits"] == NO_MISMATCH | {"csim_reference_csim": None}
    assert np.load(copied / "logits_lowered.npy").shape == (2, 10)


def test_images_only_where_asked(copied: Path):
    labels = (np.load(copied / "logits_torch.npy").argmax(axis=1) + 1) % 10
    save_arrays({"images": noise(6), "labels": labels}, copied / "images.safetensors")
    assert build.main(["--from", "compare", "--out", str(copied)]) == 0
    assert "data:image/png" not in (copied / "report.html").read_text()
    assert build.main(["--from", "report", "--show-images", "--out", str(copied)]) == 0
    assert (copied / "report.html").read_text().count("data:image/png") == 6


def test_vendor_reports_stand_beside_the_estimate(copied: Path, report: Callable[[Path], dict]):
    assert report(copied)["synthesis"] is None and "no vendor tool was run" in (copied / "report.html").read_text()
    assert (
        build.main(["--from", "report", "--vendor-reports", str(VENDOR_REPORTS / "pynq-z2"), "--out", str(copied)]) == 0
    )
    facts = report(copied)
    check_report(facts)
    assert facts["synthesis"]["utilization"]["resources"] == {"LUT": 38412, "FF": 44890, "BRAM36": 88.5, "DSP": 96}
    assert "vendor reports/csynth.xml" in facts["provenance"]["files"]
    html, text = (copied / "report.html").read_text(), (copied / "report.txt").read_text()
    assert "38,412 of 53,200, measured by Vivado 2023.2" in html and "no vendor tool was run" not in html
    assert "LUT 38,412, FF 44,890, BRAM36 88.5, DSP 96 (measured by Vivado 2023.2)" in text
    assert "96.0 MHz of 100 MHz, WNS -0.412 ns" in text
    assert build.main(["--from", "report", "--out", str(copied)]) == 0
    assert report(copied)["synthesis"] is None


def test_wrong_vendor_reports_are_refused_before_the_work(given: list[str], tmp_path: Path, refused: Refused):
    assert "holds no csynth.xml" in refused(*given, "--vendor-reports", tmp_path)
    said = refused(*given, "--vendor-reports", VENDOR_REPORTS / "kv260")
    assert "is of part xck26-sfvc784-2LV-c, the target pynq-z2 has xc7z020clg400-1" in said


def test_until_of_an_earlier_step_is_missed_later(given: list[str], refused: Refused):
    assert "holds no model.qonnx.onnx; start --from an earlier step" in refused("--from", "ranges")
    assert "has no model; start --from an earlier step" in refused("--from", "report")


# Mismatches


def test_damaged_weight_is_a_mismatch(copied: Path, report: Callable[[Path], dict], capsys):
    file = max((copied / "hls" / "firmware" / "weights").glob("codes*.txt"), key=lambda path: int(path.stem[5:]))
    codes = [int(text) for text in file.read_text().split(",")]
    file.write_text(", ".join(str(code ^ 8 if code & 7 else 4) for code in codes))  # the head with all signs flipped
    assert build.main(["--from", "simulate", "--out", str(copied)]) == 1
    facts = report(copied)
    counts = facts["mismatched_logits"]
    assert counts["torch_qonnx"] == counts["csim_reference_csim"] == 0
    assert counts["qonnx_csim"] == counts["lowered_csim"] > 30
    assert f"qonnx / csim: {counts['qonnx_csim']} logits of 6 of 6 images differ" in (copied / "report.txt").read_text()
    first = facts["trace"]["first_difference"]
    assert (first["operator"], first["between"]) == ("head", "lowered and csim")
    assert capsys.readouterr().err.splitlines()[-1].startswith("build: not exact: operator head is the first")


def test_wrong_kernel_is_named(copied: Path, report: Callable[[Path], dict], capsys: pytest.CaptureFixture[str]):
    """The exponent is off by one in one layer, the first of the MLP."""
    source = copied / "hls" / "firmware" / "nnet_utils" / "pot_element.h"
    layer = fc1_config(copied / "hls" / "firmware" / "parameters.h")
    shift = "return exponent(code) != 0 ? exponent(code) - 1 : 0;"
    assert shift in source.read_text()
    wrong = "return exponent(code) > 1 ? exponent(code) - 1 - CONFIG_T::off_by : 0;"
    source.write_text(source.read_text().replace(shift, wrong))
    parameters = copied / "hls" / "firmware" / "parameters.h"
    parameters.write_text(with_offset(parameters.read_text(), layer))
    assert build.main(["--from", "compile", "--out", str(copied)]) == 1
    assert report(copied)["trace"]["first_difference"]["operator"] == "blocks_0_mlp_fc1"
    assert "operator blocks_0_mlp_fc1 is the first that differs" in capsys.readouterr().err.splitlines()[-1]
    assert "blocks_0_mlp_fc1" in (copied / "report.html").read_text()


def fc1_config(parameters: Path) -> str:
    """Name of the configuration struct of the layer that is twice as wide as its input."""
    structs = re.findall(r"struct (config\d+) \{(.*?)\};", parameters.read_text(), flags=re.DOTALL)
    (found,) = (name for name, body in structs if "n_in = 16;" in body and "n_out = 32;" in body)
    return found


def with_offset(parameters: str, layer: str) -> str:
    """``off_by``, which is 1 in ``layer``, in every configuration struct."""
    return re.sub(
        r"struct (config\d+) \{",
        lambda found: f"{found[0]}\n    static const unsigned off_by = {int(found[1] == layer)};",
        parameters,
    )


@pytest.mark.parametrize(
    "operator, name",
    [
        ("PatchReader", "patch_reader"),
        ("ChannelSlice", "blocks_0_attn_q"),
        ("IntegerSoftmax", "blocks_0_attn_softmax"),
        ("AttentionValues", "blocks_0_attn_values"),
        ("ResidualAdd", "blocks_0_attn_add"),
        ("Head", "head"),
    ],
)
def test_trace_names_the_operator_with_wrong_semantics(
    copied: Path,
    monkeypatch: pytest.MonkeyPatch,
    report: Callable[[Path], dict],
    operator: str,
    name: str,
):
    cls = getattr(operators, operator)
    execute = cls.execute

    def off_by_one(self: object, *inputs: np.ndarray) -> np.ndarray:
        codes = execute(self, *inputs)
        codes[-1, ..., -1] += 1
        return codes

    monkeypatch.setattr(cls, "execute", off_by_one)
    assert build.main(["--from", "compare", "--trace", "--out", str(copied)]) == 1
    first = report(copied)["trace"]["first_difference"]
    assert (first["operator"], first["between"], first["image"]) == (name, "qonnx and lowered", 5)
    assert first["got"] == first["expected"] + 1
    said = f"operator {name} is the first that differs (qonnx and lowered): image 5"
    assert said in (copied / "report.txt").read_text()


# Bad input


def test_missing_checkpoint(refused: Refused, inputs: Path, tmp_path: Path):
    assert "does not exist" in refused("--checkpoint", tmp_path / "none", "--inputs", inputs)


def test_truncated_checkpoint(refused: Refused, checkpoint: Path, inputs: Path, tmp_path: Path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(checkpoint.read_bytes()[:-100])
    assert "not a whole safetensors file" in refused("--checkpoint", cut, "--inputs", inputs)


def test_pickled_checkpoint_is_not_executed(refused: Refused, inputs: Path, tmp_path: Path):
    torch.save(Malice(tmp_path / "executed"), tmp_path / "model.safetensors")
    assert "never opened" in refused("--checkpoint", tmp_path / "model.safetensors", "--inputs", inputs)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "metadata, message",
    [
        ({}, "carries no model configuration"),
        ({"config": '{"dim": 3}'}, "unknown model key 'dim'"),
        ({"config": tiny_config(embed_dim=32).to_json()}, "does not fit its configuration"),
    ],
)
def test_mismatched_checkpoint(
    refused: Refused, checkpoint: Path, inputs: Path, tmp_path: Path, metadata: dict[str, str], message: str
):
    assert message in refused(
        "--checkpoint", rewritten(checkpoint, tmp_path / "x.safetensors", metadata), "--inputs", inputs
    )


@pytest.mark.parametrize("changes", [{"weight_format": "float"}, {"image_size": 16}])
def test_checkpoint_of_another_kind(refused: Refused, inputs: Path, tmp_path: Path, changes: dict[str, object]):
    save_checkpoint(tmp_path / "x.safetensors", random_model(tiny_config(**changes)), {})
    assert "is not a quantized model of 32 x 32" in refused(
        "--checkpoint", tmp_path / "x.safetensors", "--inputs", inputs
    )


def test_a_model_with_convolutions_has_no_hardware_yet(refused: Refused, inputs: Path, tmp_path: Path):
    save_checkpoint(tmp_path / "hybrid.safetensors", random_hybrid(hybrid_config()), {})
    said = refused("--checkpoint", tmp_path / "hybrid.safetensors", "--inputs", inputs)
    assert said == "build: no hardware operator implements Conv (node stages_0_entry_conv_Conv)\n"


def test_weights_that_are_not_finite(refused: Refused, checkpoint: Path, inputs: Path, tmp_path: Path):
    path = rewritten(checkpoint, tmp_path / "nan.safetensors", **{"head.bias": torch.full((10,), torch.nan)})
    assert "head.bias holds a value that is not between" in refused(
        "--checkpoint", path, "--inputs", inputs, "--until", "ranges"
    )


def test_wrong_data_folders(refused: Refused, checkpoint: Path, tmp_path: Path):
    assert "does not exist" in refused("--checkpoint", checkpoint, "--data", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "holds no cifar-10-batches-py" in refused("--checkpoint", checkpoint, "--data", tmp_path / "empty")
    broken = broken_cifar(tmp_path / "broken")
    assert "wrong checksum; fetch it again" in refused("--checkpoint", checkpoint, "--data", broken)


@pytest.mark.parametrize(
    "array, message",
    [
        (noise(2).astype(np.int16), "holds int16"),
        (nan_images(), "holds NaN"),
        (noise(2)[..., :1], "it must be (N, 32, 32, 3)"),
        (noise(2)[:0], "with N >= 1"),
        (np.array([None]), "not a plain .npy array"),
    ],
)
def test_wrong_inputs(refused: Refused, checkpoint: Path, tmp_path: Path, array: np.ndarray, message: str):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    assert message in refused("--checkpoint", checkpoint, "--inputs", tmp_path / "x.npy")


def test_inputs_that_are_no_array(refused: Refused, checkpoint: Path, tmp_path: Path):
    assert "does not exist" in refused("--checkpoint", checkpoint, "--inputs", tmp_path / "none.npy")
    np.savez(tmp_path / "x.npz", noise(1))
    assert "is an archive" in refused("--checkpoint", checkpoint, "--inputs", tmp_path / "x.npz")


@pytest.mark.parametrize("arguments", [
    ["--images", "0"], ["--images", "many"], ["--images", "-3"], ["--images", "1.5"], ["--speed"],
    ["--from", "lower", "--until", "export"], ["--from", "paint"], ["--from", "lower", "--images", "5"],
    ["--qonnx", "a", "--checkpoint", "b"], ["--csim", "slow"], ["--sample", "0"],
    ["--from", "compare", "--sample", "9"],
    ["--from", "report", "--csim", "reference"],
])  # fmt: skip
def test_wrong_options(refused: Refused, arguments: list[str]):
    assert "see --help" in refused(*arguments)


def test_unknown_target_lists_the_known(refused: Refused, given: list[str]):
    assert "unknown target 'zcu104'; known targets: arty-a7-100, kv260, " in refused(*given, "--target", "zcu104")


def test_a_board_of_ones_own(given: list[str], tmp_path: Path):
    """It is read once; the file may be gone when the build goes on."""
    mine = tmp_path / "mine.toml"
    mine.write_text((targets.FOLDER / "pynq-z2.toml").read_text().replace("xc7z020clg400-1", "xc7z010clg400-2"))
    out = str(tmp_path / "out")
    assert build.main([*given, "--target", str(mine), "--until", "lower", "--out", out]) == 0
    mine.unlink()
    assert build.main(["--from", "fold", "--until", "convert", "--out", out]) == 0
    assert json.loads((tmp_path / "out" / "build.json").read_text())["target"] == "mine"
    assert "xc7z010clg400-2" in (tmp_path / "out" / "hls" / "project.tcl").read_text()


def test_broken_target_file(refused: Refused, given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "board.toml").write_text('part = "x"\nclock = 3\n')
    monkeypatch.setattr(targets, "FOLDER", tmp_path)
    assert "targets/board.toml: key 'clock' is unknown; did you mean 'clock_mhz'?" in refused(
        *given, "--target", "board"
    )


def test_no_compiler(refused: Refused, given: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no g++ on the path; install one" in refused(*given)


def test_compiler_that_refuses(given: list[str], copied: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    (copied / "hls" / "vit_test.cpp").write_text("int main() { return nothing; }\n")
    before = snapshot(copied.parent)
    assert build.main(["--from", "compile", "--out", str(copied)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "g++ cannot compile a simulation" in said and "nothing" in said
    assert snapshot(copied.parent) == before


def test_output_below_a_file(refused: Refused, given: list[str], tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    assert "choose another --out" in refused(*given, out=tmp_path / "file" / "out")
    assert "choose another --out" in refused(*given, out=tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere")
def test_output_in_a_read_only_folder(refused: Refused, given: list[str], tmp_path: Path):
    (tmp_path / "locked").mkdir(mode=0o555)
    assert "cannot write beside" in refused(*given, out=tmp_path / "locked" / "out")


def test_output_with_foreign_files(refused: Refused, given: list[str], tmp_path: Path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text").write_text("mine")
    assert "no build wrote it; choose another --out" in refused(*given, out=tmp_path / "thesis")
    assert listing(tmp_path / "thesis") == ["text"]


def test_going_on_without_an_earlier_build(refused: Refused, given: list[str], tmp_path: Path):
    assert "leave --from out" in refused("--from", "lower", out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_two_builds_into_one_folder(given: list[str], earlier: Path, capsys: pytest.CaptureFixture[str]):
    with workspace(earlier, keep=True):
        before = snapshot(earlier.parent)
        assert build.main([*given, "--out", str(earlier)]) == 2
        assert snapshot(earlier.parent) == before
    assert "another build writes to" in capsys.readouterr().err


def test_full_disk(refused: Refused, given: list[str], monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(steps, "write_whole", fail)
    assert "No space left on device" in refused(*given)


def test_full_disk_while_many_files_are_copied(refused: Refused, given: list[str], monkeypatch: pytest.MonkeyPatch):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(*_: object, **__: object) -> None:
        raise shutil.Error([(f"a{place}", f"b{place}", str(full)) for place in range(100)])

    monkeypatch.setattr(steps, "write_project", fail)
    said = refused(*given)
    assert "No space left on device" in said and len(said) < 200


def test_crash_of_the_simulation(copied: Path, capsys: pytest.CaptureFixture[str]):
    binary = simulation.NATIVE.path(copied / "hls")
    binary.write_text("#!/bin/sh\necho out of paper >&2\nexit 3\n")
    before = snapshot(copied.parent)
    assert build.main(["--from", "simulate", "--out", str(copied)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("build: the C-simulation ended with 3 at image 0") and "out of paper" in said
    assert snapshot(copied.parent) == before


# Bad QONNX files


def input_of(model: ModelWrapper) -> onnx.ValueInfoProto:
    return model.graph.input[0]


def find(model: ModelWrapper, op_type: str, part: str = "") -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == op_type and part in node.name)


def dynamic_batch(model: ModelWrapper) -> None:
    input_of(model).type.tensor_type.shape.dim[0].dim_param = "batch"


def dynamic_height(model: ModelWrapper) -> None:
    input_of(model).type.tensor_type.shape.dim[1].dim_param = "height"


def other_size(model: ModelWrapper) -> None:
    input_of(model).type.tensor_type.shape.dim[1].dim_value = 64


def second_input(model: ModelWrapper) -> None:
    model.graph.input.append(helper.make_tensor_value_info("mask", onnx.TensorProto.FLOAT, [1, 4]))


def dangling(model: ModelWrapper) -> None:
    find(model, "MatMul", "fc1").input[0] = "nowhere"


def half_a_quantizer(model: ModelWrapper) -> None:
    node = find(model, "Quant", "blocks_0_attn_q_quant")
    node.name = "the_half"
    del node.input[2:]


def custom_domain(model: ModelWrapper) -> None:
    node = find(model, "Gelu")
    node.domain, node.op_type, node.name = "com.acme", "FastGelu", "the_fast_one"


def unsupported(model: ModelWrapper) -> None:
    node = find(model, "Gelu")
    node.op_type, node.name = "Mish", "the_mish"
    del node.attribute[:]


def softmax(model: ModelWrapper) -> None:
    node = find(model, "Gelu")
    node.op_type, node.name = "Softmax", "the_softmax"
    del node.attribute[:]


def odd_scale(model: ModelWrapper) -> None:
    node = find(model, "Quant", "blocks_0_attn_q_quant")
    model.set_initializer(node.input[1], model.get_initializer(node.input[1]) * np.float32(1.5))


def wide_activation(model: ModelWrapper) -> None:
    node = find(model, "Quant", "blocks_0_norm1_out_quant")
    node.input[3] = "twenty_bits"
    model.set_initializer("twenty_bits", np.float32(20))


@pytest.mark.parametrize(
    "change, message",
    [
        (dynamic_batch, "input pixels has shape ['batch', 32, 32, 3], not [1, 32, 32, 3]"),
        (dynamic_height, "input pixels has shape [1, 'height', 32, 3]"),
        (other_size, "input pixels has shape [1, 64, 32, 3]"),
        (second_input, "has 2 inputs and 1 outputs; one of each is supported"),
        (dangling, "(MatMul) reads nowhere, which nothing makes"),
        (half_a_quantizer, "node the_half (Quant) has not the 4 inputs of its kind"),
        (custom_domain, "operator com.acme.FastGelu (node the_fast_one) is not supported"),
        (unsupported, "operator Mish (node the_mish) is not supported"),
        (softmax, "operator Softmax (node the_softmax) is not supported"),
        (odd_scale, "Quant node 'blocks_0_attn_q_quant"),
        (wide_activation, "MatMul node 'blocks_0_attn_q"),
    ],
)
def test_wrong_qonnx(
    refused: Refused,
    qonnx: ModelWrapper,
    inputs: Path,
    tmp_path: Path,
    change: Callable[[ModelWrapper], None],
    message: str,
):
    change(qonnx)
    qonnx.save(str(tmp_path / "wrong.onnx"))
    said = refused("--qonnx", tmp_path / "wrong.onnx", "--inputs", inputs, "--until", "lower")
    assert message in said
    if change is wide_activation:
        assert "bits, over the 24 that float32 adds exactly" in said


@pytest.mark.parametrize("content", ["text", "cut", "pickle", "empty"])
def test_file_that_is_no_qonnx(refused: Refused, qonnx_file: Path, inputs: Path, tmp_path: Path, content: str):
    path = tmp_path / "model.onnx"
    whole = qonnx_file.read_bytes()
    if content == "pickle":
        torch.save(Malice(tmp_path / "executed"), path)
    else:
        path.write_bytes({"text": b"no protocol buffer", "cut": whole[: len(whole) // 2], "empty": b""}[content])
    said = refused("--qonnx", path, "--inputs", inputs)
    assert "is not an ONNX file, or is cut short" in said or (content == "empty" and "has 0 inputs" in said)
    assert not (tmp_path / "executed").exists()


def test_missing_qonnx(refused: Refused, inputs: Path, tmp_path: Path):
    assert "does not exist" in refused("--qonnx", tmp_path / "none.onnx", "--inputs", inputs)


# Ctrl-C

INTERRUPTED_IN = {
    "load": "load_inputs",
    "export": "export_model",
    "ranges": "annotate_ranges",
    "lower": "lower",
    "fold": "fold_pipeline",
    "convert": "write_project",
    "compile": "simulation.compile_programs",
    "simulate": "simulation.write_vectors",
    "compare": "Build.logits",
    "synth": "run_tools",
    "deploy": "board.write_package",
    "report": "versions",
}


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", STEP_NAMES)
def test_interrupt_in_every_step(
    given: list[str], copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
):
    before = snapshot(copied.parent)
    owner, _, name = f"steps.{INTERRUPTED_IN[step]}".rpartition(".")
    owners = {"steps": steps, "steps.simulation": simulation, "steps.Build": steps.Build, "steps.board": steps.board}
    monkeypatch.setattr(owners[owner], name, interrupt)
    options = {"load": given, "synth": ["--synth"]}.get(step, [])
    assert build.main([*options, "--from", step, "--out", str(copied)]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "build: interrupted; the earlier output is as it was"
    assert snapshot(copied.parent) == before


def test_interrupted_first_build_leaves_nothing(given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(steps, "export_model", interrupt)
    (tmp_path / "outputs").mkdir()
    assert build.main([*given, "--out", str(tmp_path / "outputs" / "out")]) == 130
    assert listing(tmp_path / "outputs") == []


def processes_in(folder: Path) -> list[str]:
    """Commands of living processes that work below ``folder``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "cwd").readlink()).startswith(str(folder)):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 90.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("step, child", [("compile", "cc1plus"), ("simulate", "sleep 77")])
def test_ctrl_c_in_a_real_build(copied: Path, step: str, child: str):
    if step == "simulate":
        simulation.NATIVE.path(copied / "hls").write_text("#!/bin/sh\nexec sleep 77\n")
    before = snapshot(copied.parent)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "flows" / "build.py"), "--from", step, "--out", str(copied)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background pytest ignores it
    )
    try:
        assert wait_until(lambda: any(child in command for command in processes_in(copied.parent)))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and said.splitlines()[-1].startswith("build: interrupted")
    assert wait_until(lambda: not processes_in(copied.parent), 10)
    assert snapshot(copied.parent) == before


def test_another_models_tensors(refused: Refused, inputs: Path, tmp_path: Path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "x.safetensors", metadata={"config": tiny_config().to_json()})
    assert "does not fit its configuration" in refused("--checkpoint", tmp_path / "x.safetensors", "--inputs", inputs)


def test_leftover_folders_of_a_killed_build_do_not_matter(given: list[str], tmp_path: Path):
    (tmp_path / ".out.abc").mkdir()
    assert build.main([*given, "--until", "load", "--out", str(tmp_path / "out")]) == 0
    shutil.rmtree(tmp_path / ".out.abc")
    assert listing(tmp_path) == ["out"]

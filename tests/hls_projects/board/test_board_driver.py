"""The driver that is deployed, file by file as it is, on the compiled top level behind a stand-in for pynq."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import shutil
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from flows import build
from hls_projects import board as board_files
from hls_projects import simulation
from hls_projects.board.package import DRIVER
from tests.support.axi_simulation import AXI_SERVER
from tests.support.board_standin import IN_FLIGHT, RESULT_BYTES, Board, make_pynq
from tests.support.models import noise

IMAGES = 6
TIMEOUT = 0.1


@pytest.fixture(scope="module")
def project(finished_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = shutil.copytree(finished_build, tmp_path_factory.mktemp("deployed") / "out")
    simulation.compile_programs(folder / "hls", [AXI_SERVER])
    for name in board_files.BITSTREAM.values():
        (folder / "vendor" / name).write_text(f"{name} of a stand-in")
    assert build.main(["--from", "deploy", "--until", "deploy", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def logits(project: Path) -> np.ndarray:
    return np.load(project / "logits_csim.npy")


@pytest.fixture
def deploy(project: Path, tmp_path: Path) -> Path:
    return shutil.copytree(project / "deploy", tmp_path / "deploy")


@pytest.fixture
def board(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    made = Board(project / "hls")
    monkeypatch.setitem(sys.modules, "pynq", make_pynq(made))
    yield made
    made.close()


@pytest.fixture
def driver(deploy: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """accelerator.py of the deployed folder."""
    return loaded(deploy / "accelerator.py", monkeypatch)


def loaded(path: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


# Right


def test_classes_and_logits_of_the_c_simulation(deploy: Path, driver, board: Board, logits: np.ndarray):
    with driver.Accelerator(deploy) as accelerator:
        assert board.resets == 1
        np.testing.assert_array_equal(accelerator.classify(noise(IMAGES)), logits.argmax(axis=1))
        classes, found = accelerator.run(noise(IMAGES))
        assert found.dtype == np.float32 and classes.dtype == np.int64
        np.testing.assert_array_equal(found, logits)
        np.testing.assert_array_equal(accelerator.classify(noise(IMAGES)[2]), logits[2:3].argmax(axis=1))
        assert accelerator.classify(noise(IMAGES)[:0]).shape == (0,)
        counters, statistics = accelerator.counters(), accelerator.statistics
        buffers = accelerator._inputs + accelerator._outputs
    assert counters == {
        "images_in": 13, "images_out": 13, "wrong_packets": 0, "cycles": 13 * 384, "starved": 0, "backpressured": 0,
    }  # fmt: skip
    assert statistics.images == 13 and statistics.images_per_second > 0
    assert 0 < statistics.latency_min <= statistics.latency_mean <= statistics.latency_max < statistics.seconds
    assert all(buffer.freed for buffer in buffers)


def test_the_next_image_goes_in_before_the_result_comes_out(deploy: Path, driver, board: Board):
    """With one transfer after the other, no result would wait while an image goes in."""
    waiting = []
    take = board.take
    board.take = lambda data: waiting.append(len(board.results)) or take(data)
    with driver.Accelerator(deploy) as accelerator:
        accelerator.classify(noise(IMAGES))
    assert max(waiting) == IN_FLIGHT


# Faults: what is injected, what is said, and whether the core counted it

FAULTS = {
    "hang": ("AcceleratorTimeout", "image 2 of 6: no result within 0.1 s (images_in 2, "),
    "lost result": ("AcceleratorError", "image 2 of 6: the result of packet 3 came instead of that of 2"),
    "cut image": ("AcceleratorError", "the result of packet 3 came instead of that of 2 (images_in "),
    "short result": ("AcceleratorError", "image 2 of 6: a result of 40 bytes instead of 48"),
    "result twice": ("AcceleratorError", "image 3 of 6: the result of packet 2 came instead of that of 3"),
    "dma error": ("AcceleratorError", "the DMA reports an error"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_and_the_next_image_is_right(
    deploy: Path, driver, board: Board, logits: np.ndarray, fault: str
):
    kind, said = FAULTS[fault]
    with driver.Accelerator(deploy, timeout=TIMEOUT) as accelerator:
        board.inject(fault, 2)
        with pytest.raises(driver.AcceleratorError) as error:
            accelerator.classify(noise(IMAGES))
        text = str(error.value)
        assert type(error.value).__name__ == kind and said in text and "reset" in text and "\n" not in text
        assert board.resets == 2 and accelerator.statistics.images == 0
        np.testing.assert_array_equal(accelerator.run(noise(IMAGES))[1], logits)
        assert accelerator.counters()["wrong_packets"] == 0


def test_the_last_image_cut_is_a_timeout_that_says_so(deploy: Path, driver, board: Board, logits: np.ndarray):
    with driver.Accelerator(deploy, timeout=TIMEOUT) as accelerator:
        board.inject("cut image", IMAGES - 1)
        with pytest.raises(
            driver.AcceleratorTimeout, match=r"image 5 of 6: .*images_in 5, images_out 5, wrong_packets 1"
        ):
            accelerator.classify(noise(IMAGES))
        np.testing.assert_array_equal(accelerator.run(noise(1))[1], logits[:1])


def test_an_interrupted_batch_does_not_reach_into_the_next(deploy: Path, driver, board: Board, logits: np.ndarray):
    with driver.Accelerator(deploy) as accelerator:
        take, calls = board.take, []

        def interrupted(data: bytes) -> bool:
            calls.append(data)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return take(data)

        board.take = interrupted
        with pytest.raises(KeyboardInterrupt):
            accelerator.classify(noise(IMAGES))
        np.testing.assert_array_equal(accelerator.run(noise(IMAGES))[1], logits)


def test_a_dma_that_stays_in_reset(deploy: Path, driver, board: Board):
    with driver.Accelerator(deploy) as accelerator:
        board.inject("dma stays in reset", 0)
        with pytest.raises(driver.AcceleratorError, match=r"the DMA was not reset within 0\.1 s"):
            accelerator.reset()


# What does not fit


@pytest.mark.parametrize(
    ("images", "error", "said"),
    [
        (noise(2).astype(np.float32), TypeError, "a numpy array of uint8, not float32"),
        (noise(1).tolist(), TypeError, "a numpy array of uint8, not list"),
        (noise(2)[:, :31], ValueError, r"shape \(N, 32, 32, 3\), not \(2, 31, 32, 3\)"),
        (noise(2).transpose(0, 3, 1, 2), ValueError, r"not \(2, 3, 32, 32\)"),
    ],
)
def test_other_images_are_refused(deploy: Path, driver, board: Board, images, error, said):
    with driver.Accelerator(deploy) as accelerator, pytest.raises(error, match=said):
        accelerator.classify(images)
    assert board.images == 0 and board.resets == 1


@pytest.mark.parametrize("name", ["vit.bit", "vit.hwh"])
def test_another_bitstream_than_the_manifests(deploy: Path, driver, board: Board, name: str):
    (deploy / name).write_text("another one")
    with pytest.raises(driver.ManifestError, match=f"{name} is not the file that manifest.json names: SHA-256"):
        driver.Accelerator(deploy)
    (deploy / name).unlink()
    with pytest.raises(driver.ManifestError, match=f"{name} cannot be read: No such file"):
        driver.Accelerator(deploy)
    assert board.resets == 0


def test_folders_that_are_none(deploy: Path, driver, board: Board, tmp_path: Path):
    with pytest.raises(driver.ManifestError, match="cannot be read: No such file or directory; give the folder deploy"):
        driver.Accelerator(tmp_path)
    manifest = json.loads((deploy / "manifest.json").read_text())
    for content, said in (
        ("{", "is damaged"),
        ("[]", "has no schema version, this driver reads version 2; copy the folder again"),
        (
            json.dumps(manifest | {"schema_version": 1}),
            "has schema version 1, this driver reads version 2",
        ),
        (json.dumps(manifest | {"schema_version": True}), "has schema version true, this driver reads version 2"),
        (json.dumps({"format": 1}), "has no schema version, this driver reads version 2"),
        (json.dumps(manifest | {"bitstream": None}), "has no bitstream; build it with flows/build.py --bitstream"),
        (json.dumps(manifest | {"files": {}}), "vit.bit is not in the manifest"),
    ):
        (deploy / "manifest.json").write_text(content)
        with pytest.raises(driver.ManifestError, match=said):
            driver.Accelerator(deploy)


def test_an_overlay_of_another_design(deploy: Path, driver, board: Board, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pynq", make_pynq(board, without="dma"))
    with pytest.raises(driver.AcceleratorError, match=r"vit\.bit has no dma; its \.hwh is of another design"):
        driver.Accelerator(deploy)
    monkeypatch.setitem(sys.modules, "pynq", make_pynq(board, registers={}))
    with pytest.raises(driver.AcceleratorError, match="core has no register images_in"):
        driver.Accelerator(deploy)


# Script and notebook


@pytest.fixture
def run_script(deploy: Path, driver, board: Board, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    return lambda *argv: loaded(deploy / "run_test_set.py", monkeypatch).main(list(argv))


def resealed(deploy: Path, name: str, array: np.ndarray) -> None:
    """Another file, with the manifest's hash of it."""
    np.save(deploy / name, array)
    manifest = json.loads((deploy / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256((deploy / name).read_bytes()).hexdigest()
    (deploy / "manifest.json").write_text(json.dumps(manifest))


def test_the_test_set(deploy: Path, run_script, logits: np.ndarray, capsys: pytest.CaptureFixture[str]):
    assert run_script() == 0
    text = capsys.readouterr().out
    assert "6 images" in text and "logits that differ from the C-simulation: 0 of 60" in text
    cells = {line[:22].strip(): line[22:].split() for line in text.splitlines()}
    expected = json.loads((deploy / "manifest.json").read_text())["figures"]["images_per_second"]
    assert cells["accuracy, %"] == ["-", "-"] and cells["images/s"][1] == f"{expected:,.2f}"
    labels = logits.argmax(axis=1)
    labels[0] = (labels[0] + 1) % 10
    resealed(deploy, "test_set/labels.npy", labels)
    assert run_script("--images", "4") == 0
    assert "accuracy, %                  75.00           -" in capsys.readouterr().out


def test_the_test_set_sees_a_wrong_logit(deploy: Path, run_script, logits: np.ndarray, capsys):
    changed = logits.copy()
    changed[3, 4] += 1
    resealed(deploy, "test_set/logits.npy", changed)
    assert run_script() == 1
    assert "logits that differ from the C-simulation: 1 of 60" in capsys.readouterr().out


def test_the_test_set_is_the_manifests(deploy: Path, run_script, logits: np.ndarray, board: Board, capsys):
    np.save(deploy / "test_set" / "logits.npy", logits[::-1])
    assert run_script() == 2
    assert "run_test_set: " in (said := capsys.readouterr().err) and "is not the file" in said and said.count("\n") == 1
    resealed(deploy, "test_set/logits.npy", logits)
    board.inject("hang", 3)
    assert run_script("--timeout", "0.1") == 2
    assert "image 3 of 6: no result within 0.1 s" in capsys.readouterr().err
    assert run_script() == 0


def test_the_notebook_runs_from_top_to_bottom(deploy: Path, driver, board: Board, monkeypatch: pytest.MonkeyPatch):
    notebook = json.loads((deploy / "classify.ipynb").read_text())
    assert notebook["nbformat"] == 4 and isinstance(notebook["nbformat_minor"], int) and notebook["metadata"]
    monkeypatch.chdir(deploy)
    names: dict = {}
    values = []
    for cell in notebook["cells"]:
        assert {"cell_type", "metadata", "source"} <= cell.keys()
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            *lines, last = ast.parse("".join(cell["source"])).body
            exec(compile(ast.Module(lines, []), "cell", "exec"), names)
            if isinstance(last, ast.Expr):
                values.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
            else:
                exec(compile(ast.Module([last], []), "cell", "exec"), names)
    assert 0 in [value for value in values if isinstance(value, int)]  # logits that differ
    assert any(isinstance(value, dict) and value.get("images_out") == IMAGES for value in values)


# The files


@pytest.mark.parametrize("name", ["accelerator.py", "run_test_set.py"])
def test_the_driver_needs_only_numpy_and_pynq_of_python_3_8(name: str):
    tree = ast.parse((DRIVER / name).read_text(), feature_version=(3, 8))
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    roots = {module.partition(".")[0] for module in found}
    assert roots - set(sys.stdlib_module_names) <= {"numpy", "pynq", "accelerator"}


def test_manifest(project: Path, finished_build: Path, deploy: Path):
    manifest = json.loads((deploy / "manifest.json").read_text())
    files = {path.relative_to(deploy).as_posix(): path for path in deploy.rglob("*") if path.is_file()}
    files.pop("manifest.json")
    assert manifest["files"] == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert {"vit.bit", "vit.hwh", "accelerator.py", "classify.ipynb", "test_set/images.npy"} <= files.keys()
    assert manifest["image"] == {"dtype": "uint8", "shape": [32, 32, 3], "bytes": 3072}
    assert manifest["result"]["bytes"] == RESULT_BYTES and manifest["result"]["words"] == 12
    assert manifest["target"]["part"] == "xc7z020clg400-1" and manifest["quantization"]["weight_bits"] == 4
    assert manifest["quantization"]["operators"]["head"] == {
        "operator": "Head", "output": "INT16",
        "arrays": {"acc_shift": "BINARY", "bias": "INT13", "codes": "UINT4", "out_shift": "BINARY"},
    }  # fmt: skip
    assert manifest["folding"] == json.loads((project / "folding.json").read_text())
    report = json.loads((finished_build / "report.json").read_text())
    assert manifest["sources"]["lowered.onnx"] == report["provenance"]["files"]["lowered.onnx"]
    assert manifest["model"] == report["model"] and manifest["versions"]["hls4ml"] == "1.3.0"


def test_the_folder_is_the_same_wherever_and_whenever_it_is_made(project: Path, deploy: Path, tmp_path: Path):
    elsewhere = shutil.copytree(project, tmp_path / "else" / "where")
    assert build.main(["--from", "deploy", "--until", "deploy", "--out", str(elsewhere)]) == 0
    for path in deploy.rglob("*"):
        if path.is_file():
            again = (elsewhere / "deploy" / path.relative_to(deploy)).read_bytes()
            assert again == path.read_bytes(), path
            assert str(tmp_path).encode() not in again and str(project).encode() not in again

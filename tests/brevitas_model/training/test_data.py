"""Dataset: labels that fit, and refusals that say what to do."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from brevitas_model.training import data
from brevitas_model.training.data import Dataset, load_cifar10, load_inputs, train_validation_split
from hls_projects.errors import InputError
from tests.support.models import noise

ROOT = os.environ.get("CIFAR10_ROOT", "")
needs_cifar = pytest.mark.skipif(
    not Path(ROOT, "cifar-10-batches-py").is_dir(), reason="CIFAR10_ROOT holds no CIFAR-10"
)


@needs_cifar
def test_test_split():
    dataset = load_cifar10(train=False)
    assert dataset.images.shape == (10_000, 32, 32, 3) and dataset.images.dtype == np.uint8
    assert np.bincount(dataset.labels).tolist() == [1000] * 10


def test_validation_is_the_end_of_the_training_split(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(data, "VALIDATION_IMAGES", 2)
    dataset = Dataset(noise(7), np.arange(7))
    train, validation = train_validation_split(dataset)
    assert train.labels.tolist() == [0, 1, 2, 3, 4] and validation.labels.tolist() == [5, 6]
    assert np.array_equal(validation.images, dataset.images[5:])


def test_inputs_round_trip(tmp_path: Path):
    np.save(tmp_path / "x.npy", noise(3))
    dataset = load_inputs(tmp_path / "x.npy")
    assert dataset.labels is None and np.array_equal(dataset.images, noise(3))


def test_missing_folder(tmp_path: Path):
    with pytest.raises(InputError, match=r"none does not exist; pass --data"):
        load_cifar10(tmp_path / "none", train=False)


def test_folder_without_cifar(tmp_path: Path):
    with pytest.raises(InputError, match="holds no cifar-10-batches-py"):
        load_cifar10(tmp_path, train=False)


def broken_cifar(root: Path) -> Path:
    """The names of CIFAR-10 with other bytes in them."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{index}" for index in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(b"not a batch")
    return root


def test_broken_checksum(tmp_path: Path):
    with pytest.raises(InputError, match="incomplete or has a wrong checksum; fetch it again"):
        load_cifar10(broken_cifar(tmp_path), train=False)


def test_missing_batch(tmp_path: Path):
    (broken_cifar(tmp_path) / "cifar-10-batches-py" / "test_batch").unlink()
    with pytest.raises(InputError, match="incomplete or has a wrong checksum"):
        load_cifar10(tmp_path, train=False)


def test_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CIFAR10_ROOT", str(tmp_path / "from_variable"))
    with pytest.raises(InputError, match="from_variable does not exist"):
        load_cifar10(train=False)


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CIFAR10_ROOT", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def offline(root: str, *, train: bool, download: bool) -> None:
        assert download and root == str(tmp_path / "potstream" / "cifar10")
        raise OSError("no route to host")

    offline.base_folder = "cifar-10-batches-py"
    monkeypatch.setattr(data, "CIFAR10", offline)
    with pytest.raises(InputError, match=r"cannot be downloaded .*no route to host.*pass --data or set CIFAR10_ROOT"):
        load_cifar10(train=False)


def nan_images() -> np.ndarray:
    images = noise(2).astype(np.float32)
    images[1, 0, 0, 0] = np.nan
    return images


@pytest.mark.parametrize(
    "array, message",
    [
        (noise(2).astype(np.float32), "holds float32; pixels are uint8"),
        (noise(2).astype(np.int64), "holds int64"),
        (nan_images(), "holds NaN"),
        (noise(2).transpose(0, 3, 1, 2), r"has shape \(2, 3, 32, 32\); it must be \(N, 32, 32, 3\)"),
        (noise(1)[0], r"has shape \(32, 32, 3\)"),
        (noise(2)[:0], r"has shape \(0, 32, 32, 3\)"),
        (np.array([{"a": 1}], dtype=object), "not a plain .npy array"),
    ],
)
def test_wrong_inputs(tmp_path: Path, array: np.ndarray, message: str):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=message):
        load_inputs(tmp_path / "x.npy")


def test_inputs_that_are_no_array(tmp_path: Path):
    np.savez(tmp_path / "x.npz", images=noise(1))
    with pytest.raises(InputError, match=r"is an archive; pass one .npy array"):
        load_inputs(tmp_path / "x.npz")
    with pytest.raises(InputError, match="does not exist"):
        load_inputs(tmp_path / "none.npy")
    whole = tmp_path / "whole.npy"
    np.save(whole, noise(2))
    broken = {"cut": whole.read_bytes()[:-1], "empty": b"", "text": b"images", "zip": b"PK\x03\x04cut"}
    for name, content in broken.items():
        path = tmp_path / f"{name}.npy"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"not a plain .npy array"):
            load_inputs(path)
    assert not zipfile.is_zipfile(tmp_path / "zip.npy")


def test_header_that_claims_a_giant_array(tmp_path: Path):
    path = tmp_path / "giant.npy"
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (10**13, 32, 32, 3)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(InputError, match=r"not a plain .npy array"):
        load_inputs(path)

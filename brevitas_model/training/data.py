"""CIFAR-10 as whole uint8 arrays, through torchvision.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from torchvision.datasets import CIFAR10

from hls_projects.errors import InputError
from hls_projects.files import cache_folder

IMAGE_SHAPE = (32, 32, 3)
VALIDATION_IMAGES = 5_000


@dataclass(frozen=True)
class Dataset:
    """``images``: uint8 (N, 32, 32, 3); ``labels``: int64 (N,), or None where nobody knows them."""

    images: np.ndarray
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, window: slice) -> Dataset:
        return Dataset(self.images[window], None if self.labels is None else self.labels[window])


def load_cifar10(data_dir: Path | None = None, *, train: bool) -> Dataset:
    """The training or the test split.

    Args:
        data_dir: a torchvision root (it holds ``cifar-10-batches-py``). None takes the variable
            ``CIFAR10_ROOT``, else downloads once into the cache folder.

    Raises:
        InputError: no such folder, a file missing or with a wrong checksum, no network.
    """
    chosen = data_dir or os.environ.get("CIFAR10_ROOT")
    root = Path(chosen) if chosen else cache_folder("cifar10")
    if chosen and not root.is_dir():
        raise InputError(f"data folder {root} does not exist; pass --data a folder that holds {CIFAR10.base_folder}")
    try:
        split = CIFAR10(str(root), train=train, download=not chosen)
    except (RuntimeError, OSError, EOFError) as error:
        raise InputError(_explain(root, chosen, error)) from error
    return Dataset(split.data, np.asarray(split.targets, dtype=np.int64))


def train_validation_split(dataset: Dataset) -> tuple[Dataset, Dataset]:
    """The training split without, and only, its last :data:`VALIDATION_IMAGES` images."""
    return dataset[:-VALIDATION_IMAGES], dataset[-VALIDATION_IMAGES:]


def load_inputs(path: Path) -> Dataset:
    """Images without labels from a ``.npy`` file.

    Raises:
        InputError: not a plain array file, or not uint8 of shape (N, 32, 32, 3).
    """
    if not path.is_file():
        raise InputError(f"inputs file {path} does not exist; save images there with numpy.save")
    try:
        images = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError, BadZipFile) as error:
        raise InputError(f"inputs file {path} is not a plain .npy array; save it with numpy.save") from error
    if not isinstance(images, np.ndarray):
        raise InputError(f"inputs file {path} is an archive; pass one .npy array")
    if np.issubdtype(images.dtype, np.floating) and np.isnan(images).any():
        raise InputError(f"inputs file {path} holds NaN in {images.dtype}; pixels are uint8, 0 to 255")
    if images.dtype != np.uint8:
        raise InputError(f"inputs file {path} holds {images.dtype}; pixels are uint8, 0 to 255")
    if images.ndim != 4 or images.shape[1:] != IMAGE_SHAPE or not len(images):
        raise InputError(f"inputs file {path} has shape {images.shape}; it must be (N, 32, 32, 3) with N >= 1")
    return Dataset(images, None)


def _explain(root: Path, chosen: object, error: Exception) -> str:
    folder = root / CIFAR10.base_folder
    if not chosen:
        return f"CIFAR-10 cannot be downloaded to {root} ({error}); pass --data or set CIFAR10_ROOT"
    if not folder.is_dir():
        return f"data folder {root} holds no {CIFAR10.base_folder}; pass the torchvision root of CIFAR-10"
    return f"CIFAR-10 in {folder} is incomplete or has a wrong checksum; fetch it again"

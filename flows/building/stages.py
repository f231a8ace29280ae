"""Who computes logits in a build, on which images, and which of them must agree."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from brevitas_model.checkpoint import load_checkpoint
from brevitas_model.training.threads import one_thread
from flows.building.summary import logit_scale
from hls_projects import simulation
from hls_projects.graphs.qonnx_file import read_tidy, run_images
from hls_projects.graphs.qonnx_runtime import run_standard
from hls_projects.project.conversion import read_lowered

TORCH_BATCH = 25
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Result:
    """Logits in real units, (N, classes), and the largest memory of a process where it was measured."""

    logits: np.ndarray
    peak_memory_mib: float | None = None


@dataclass(frozen=True)
class Stage:
    """One executor of the network.

    Args:
        run: from the files in a build's folder and uint8 images (N, H, W, C).
        sampled: it sees the sample, not every image.
    """

    name: str
    title: str
    run: Callable[[Path, np.ndarray, Progress], Result]
    sampled: bool = False


# Each pair must agree on every logit of the images that both saw.
PAIRS = (
    ("torch", "qonnx"),
    ("qonnx_reference", "qonnx"),
    ("qonnx", "csim"),
    ("lowered", "csim"),
    ("csim_reference", "csim"),
)


def stages(*, with_torch: bool, csim: str) -> list[Stage]:
    """The stages of a build.

    Args:
        with_torch: it starts from a checkpoint.
        csim: ``"fast"``: every image on native integers and the sample on ``ap_types``;
            ``"reference"``: every image on ``ap_types``.
    """
    chosen = [Stage("torch", "PyTorch", run_torch)] if with_torch else []
    chosen += [
        Stage("qonnx", "QONNX, onnxruntime", run_qonnx),
        Stage("qonnx_reference", "QONNX, qonnx", run_qonnx_reference, sampled=True),
        Stage("lowered", "hardware operators, numpy", run_lowered, sampled=True),
    ]
    if csim == "reference":
        return [*chosen, Stage("csim", "C-simulation, ap_types", run_csim_reference)]
    return [
        *chosen,
        Stage("csim", "C-simulation, native integers", run_csim),
        Stage("csim_reference", "C-simulation, ap_types", run_csim_reference, sampled=True),
    ]


def sample_of(count: int, size: int) -> np.ndarray:
    """Indices of ``size`` images spread evenly over ``count``, the first among them."""
    return np.arange(min(size, count)) * count // min(size, count)


def compare_stages(
    logits: dict[str, np.ndarray], sampled: set[str], sample: np.ndarray
) -> list[dict[str, list[str] | int]]:
    """``comparisons`` of the report: every pair of :data:`PAIRS` on the images that both saw.

    Args:
        logits: by stage; of the ``sampled`` stages, on the images ``sample``.
    """
    found = []
    for pair in PAIRS:
        if not logits.keys() >= set(pair):
            continue
        common = bool(sampled & set(pair))
        a, b = (logits[name][sample] if common and name not in sampled else logits[name] for name in pair)
        differs = a != b
        found.append(
            {
                "between": list(pair),
                "images": len(differs),
                "mismatched_logits": int(differs.sum()),
                "mismatched_images": int(differs.any(axis=1).sum()),
            }
        )
    return found


def mismatched_logits(comparisons: list[dict]) -> dict[str, int | None]:
    """By pair of stages, such as ``torch_qonnx``; None where one of them was not run."""
    counts = {tuple(found["between"]): found["mismatched_logits"] for found in comparisons}
    return {"_".join(pair): counts.get(pair) for pair in PAIRS}


def run_torch(folder: Path, images: np.ndarray, progress: Progress) -> Result:
    model, _ = load_checkpoint(folder / "checkpoint.safetensors")
    parts = [images[start : start + TORCH_BATCH] for start in range(0, len(images), TORCH_BATCH)]

    @torch.no_grad()
    def run(part: np.ndarray) -> np.ndarray:
        return model(torch.from_numpy(part).float()).numpy()

    results = []
    # Batches side by side keep the cores busier than threads inside one batch.
    with one_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        for logits in pool.map(run, parts):
            results.append(logits)
            progress(sum(map(len, results)))
    return Result(np.concatenate(results))


def run_qonnx(folder: Path, images: np.ndarray, progress: Progress) -> Result:
    return Result(run_standard(read_tidy(folder / "model.qonnx.onnx"), images, progress))


def run_qonnx_reference(folder: Path, images: np.ndarray, progress: Progress) -> Result:
    return Result(run_images(read_tidy(folder / "model.qonnx.onnx"), images, progress))


def run_lowered(folder: Path, images: np.ndarray, progress: Progress) -> Result:
    lowered = read_lowered(folder / "lowered.onnx")
    return Result(run_images(lowered, images, progress) * logit_scale(lowered))


def run_csim(folder: Path, images: np.ndarray, progress: Progress) -> Result:
    lowered = read_lowered(folder / "lowered.onnx")
    n_logits = lowered.get_tensor_shape(lowered.graph.output[0].name)[-1]
    with _scratch(folder) as work:
        codes, memory = simulation.simulate_native(folder / "hls", work, images, n_logits, progress)
    return Result(codes * logit_scale(lowered), round(memory / 1024, 1))


def run_csim_reference(folder: Path, images: np.ndarray, progress: Progress) -> Result:
    lowered = read_lowered(folder / "lowered.onnx")
    n_logits = lowered.get_tensor_shape(lowered.graph.output[0].name)[-1]
    with _scratch(folder) as work:
        # The test bench prints what was expected beside what it found; nobody reads that here.
        expected = np.zeros((len(images), n_logits))
        codes = simulation.simulate_reference(folder / "hls", work, images, expected, progress)
    return Result(codes * logit_scale(lowered))


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    work = folder / "csim"
    shutil.rmtree(work, ignore_errors=True)
    yield work
    shutil.rmtree(work)

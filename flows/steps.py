"""The steps of a build. Each reads what earlier steps left in the folder and leaves its own."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from qonnx.core.modelwrapper import ModelWrapper
from tqdm import tqdm

from brevitas_model.checkpoint import load_checkpoint
from brevitas_model.config import ConfigError
from brevitas_model.data import IMAGE_SHAPE, Pictures, load_cifar10, load_inputs
from brevitas_model.export import export as export_model
from brevitas_model.export import tidy_up
from flows import summary, tracing
from flows.settings import Settings
from flows.workspace import MARKER, WorkspaceError, read_marker
from hls_projects import simulation
from hls_projects.conversion import convert
from hls_projects.lowering import lower
from hls_projects.qonnx_file import QonnxError, read_qonnx, run_pictures
from hls_projects.ranges import annotate_ranges, max_bits
from hls_projects.targets import load_target

STAGES = ("torch", "qonnx", "lowered", "csim")
PAIRS = (("torch", "qonnx"), ("qonnx", "csim"), ("lowered", "csim"))
TORCH_BATCH = 100
# What each step leaves: files in the folder, and facts for the report.
PRODUCTS = {
    "load": ("checkpoint.safetensors", "source.onnx", "pictures.npz"),
    "export": ("model.qonnx.onnx",),
    "lower": ("lowered.onnx",),
    "convert": ("hls",),
    "simulate": ("logits_*.npy",),
    "report": ("report.json", "report.txt"),
}
FACTS = {
    "load": ("target", "config", "images"),
    "ranges": ("max_bits",),
    "lower": ("model",),
    "compare": ("mismatched_logits", "accuracy", "trace"),
}
PACKAGES = ("torch", "brevitas", "qonnx", "hls4ml", "onnx", "onnxruntime", "numpy")


@dataclass
class Build:
    """A build in its folder: options and the facts that the report is made of."""

    settings: Settings
    folder: Path
    facts: dict[str, Any]

    @classmethod
    def open(cls, settings: Settings, folder: Path, steps: list[str]) -> Build:
        """Take up the build in ``folder``, without what ``steps`` are about to make anew."""
        facts = read_marker(folder) or {"seconds": {}}
        for step in steps:
            facts["seconds"].pop(step, None)
            for key in FACTS.get(step, ()):
                facts.pop(key, None)
            for path in (path for pattern in PRODUCTS.get(step, ()) for path in folder.glob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return cls(settings, folder, facts)

    def finish(self, step: str, seconds: float) -> None:
        """Note that ``step`` is done."""
        self.facts["seconds"][step] = round(seconds, 3)
        (self.folder / MARKER).write_text(json.dumps(self.facts, indent=2) + "\n")

    def path(self, name: str) -> Path:
        """A file of an earlier step.

        Raises:
            WorkspaceError: the step that makes it was not run.
        """
        path = self.folder / name
        if not path.exists():
            raise WorkspaceError(f"{self.settings.out} holds no {name}; start --from an earlier step")
        return path

    def pictures(self) -> Pictures:
        with np.load(self.path("pictures.npz")) as file:
            return Pictures(file["images"], file.get("labels"))

    def logits(self, stage: str) -> np.ndarray | None:
        path = self.folder / f"logits_{stage}.npy"
        return np.load(path) if path.exists() else None

    def model(self, name: str) -> ModelWrapper:
        return ModelWrapper(str(self.path(name)))

    def status(self) -> int:
        """1 where a logit, or with --trace an operator, differs."""
        differs = self.facts.get("trace", {}).get("first_difference") is not None
        return int(differs or any(self.facts.get("mismatched_logits", {}).values()))


def load(build: Build) -> None:
    settings = build.settings
    build.facts["target"] = load_target(settings.target).name
    simulation.compiler()
    if settings.qonnx:
        read_qonnx(settings.qonnx, IMAGE_SHAPE)
        shutil.copyfile(settings.qonnx, build.folder / "source.onnx")
        build.facts["config"] = None
    else:
        model, _ = load_checkpoint(settings.checkpoint)
        if not model.config.quantized or (model.config.image_size, model.config.in_channels) != IMAGE_SHAPE[1:]:
            raise ConfigError(f"checkpoint {settings.checkpoint} is not a quantized model of 32 x 32 pictures")
        shutil.copyfile(settings.checkpoint, build.folder / "checkpoint.safetensors")
        build.facts["config"] = dataclasses.asdict(model.config)
    pictures = load_inputs(settings.inputs) if settings.inputs else load_cifar10(settings.data, train=False)
    pictures = pictures if settings.inputs else pictures[: settings.images]
    labels = {} if pictures.labels is None else {"labels": pictures.labels}
    np.savez(build.folder / "pictures.npz", images=pictures.images, **labels)
    build.facts["images"] = len(pictures)


def export(build: Build) -> None:
    if build.facts["config"] is not None:
        model, _ = load_checkpoint(build.path("checkpoint.safetensors"))
        export_model(model, build.folder / "model.qonnx.onnx")
        return
    source = read_qonnx(build.path("source.onnx"), IMAGE_SHAPE)
    try:
        tidy = tidy_up(source)
    except Exception as error:
        raise QonnxError(f"qonnx cannot infer shapes and fold constants of {build.settings.qonnx}: {error}") from error
    tidy.save(str(build.folder / "model.qonnx.onnx"))


def check_ranges(build: Build) -> None:
    model = build.model("model.qonnx.onnx")
    ranges = annotate_ranges(model)
    build.facts["max_bits"] = max_bits(ranges)
    model.save(str(build.folder / "model.qonnx.onnx"))


def lower_graph(build: Build) -> None:
    model = build.model("model.qonnx.onnx")
    lowered = lower(model)
    lowered.save(str(build.folder / "lowered.onnx"))
    build.facts["model"] = summary.model_facts(model, lowered) | {"config": build.facts["config"]}


def convert_graph(build: Build) -> None:
    convert(build.path("lowered.onnx"), load_target(build.facts["target"]), build.folder / "hls")


def compile_project(build: Build) -> None:
    simulation.compile_testbench(build.path("hls"))


def simulate_all(build: Build) -> None:
    pictures = build.pictures()
    stages = {"qonnx": _run_qonnx, "lowered": _run_lowered, "csim": _run_csim}
    if build.facts["config"] is not None:
        stages = {"torch": _run_torch} | stages
    for stage, run in stages.items():
        with tqdm(total=len(pictures), desc=f"  {stage}", unit="picture") as bar:
            logits = run(build, pictures.images, lambda done, bar=bar: bar.update(done - bar.n))
        np.save(build.folder / f"logits_{stage}.npy", logits.astype(np.float32))


@torch.no_grad()
def _run_torch(build: Build, images: np.ndarray, progress: summary.Progress) -> np.ndarray:
    model, _ = load_checkpoint(build.path("checkpoint.safetensors"))
    results = []
    for start in range(0, len(images), TORCH_BATCH):
        part = torch.from_numpy(images[start : start + TORCH_BATCH]).float()
        results.append(model(part).numpy())
        progress(start + len(part))
    return np.concatenate(results)


def _run_qonnx(build: Build, images: np.ndarray, progress: summary.Progress) -> np.ndarray:
    return run_pictures(build.model("model.qonnx.onnx"), images, progress)


def _run_lowered(build: Build, images: np.ndarray, progress: summary.Progress) -> np.ndarray:
    lowered = build.model("lowered.onnx")
    return run_pictures(lowered, images, progress) * summary.logit_scale(lowered)


def _run_csim(build: Build, images: np.ndarray, progress: summary.Progress) -> np.ndarray:
    scale = summary.logit_scale(build.model("lowered.onnx"))
    expected = np.load(build.folder / "logits_lowered.npy") / scale
    work = build.folder / "csim"
    shutil.rmtree(work, ignore_errors=True)
    project = build.path("hls")
    simulation.write_vectors(project / "tb_data", images[:1], expected[:1])
    codes = simulation.simulate(simulation.binary(project), work, images, expected, progress)
    shutil.rmtree(work)
    return codes * scale


def compare(build: Build) -> None:
    logits = {stage: build.logits(stage) for stage in STAGES}
    labels = build.pictures().labels
    build.facts["mismatched_logits"] = {
        f"{a}_{b}": None if logits[a] is None or logits[b] is None else int((logits[a] != logits[b]).sum())
        for a, b in PAIRS
    }
    build.facts["accuracy"] = {
        stage: None if logits[stage] is None or labels is None else summary.accuracy(logits[stage], labels)
        for stage in ("torch", "qonnx", "csim")
    }
    if build.settings.trace:
        build.facts["trace"] = tracing.compare_operators(
            build.model("model.qonnx.onnx"),
            build.path("lowered.onnx"),
            load_target(build.facts["target"]),
            build.folder / "trace",
            build.pictures().images,
            tracing.choose(logits["qonnx"], logits["csim"]),
        )


def report(build: Build) -> None:
    started = time.perf_counter()
    keys = ("target", "model", "images", "accuracy", "mismatched_logits", "max_bits", "seconds", "trace")
    missing = [key for key in keys[:-1] if key not in build.facts]
    if missing:
        raise WorkspaceError(f"{build.settings.out} knows no {missing[0]}; start --from an earlier step")
    found = versions()
    build.finish("report", time.perf_counter() - started)
    facts = {key: build.facts[key] for key in keys if key in build.facts} | {"versions": found}
    (build.folder / "report.json").write_text(json.dumps(facts, indent=2) + "\n")
    text = summary.as_text(facts)
    (build.folder / "report.txt").write_text(text)
    print(text)


def versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in ("potstream", *PACKAGES)}
    gxx = subprocess.run([simulation.compiler(), "-dumpfullversion"], capture_output=True, text=True, check=True)
    return found | {"python": platform.python_version(), "g++": gxx.stdout.strip()}

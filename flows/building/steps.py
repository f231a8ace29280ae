"""The steps of a build. Each reads the files that earlier steps left in the folder, and adds its own."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from safetensors.numpy import load_file, save
from tqdm import tqdm

from brevitas_model.checkpoint import load_checkpoint
from brevitas_model.config import ConfigError
from brevitas_model.export import export as export_model
from brevitas_model.tidying import tidy_up
from brevitas_model.training.data import IMAGE_SHAPE, Dataset, load_cifar10, load_inputs
from flows.building import summary, tracing
from flows.building.cached_graphs import store_folding, store_lowered
from flows.building.deploying import DEPLOYED, VENDOR, manifest_facts, run_tools
from flows.building.provenance import provenance, versions
from flows.building.settings import Settings
from flows.building.stages import compare_stages, mismatched_logits, sample_of, stages
from flows.building.workspace import MARKER, read_marker
from flows.command_line.options import fold_options
from flows.reporting import facts as reported
from flows.reporting.page import render_report, wrong_images
from flows.reporting.schema import SCHEMA_VERSION, check_report, check_version
from flows.reporting.synthesis import synthesis_facts, vendor_files
from hls_projects import board, simulation
from hls_projects.errors import InputError
from hls_projects.files import write_whole
from hls_projects.folding.depths import check_kernels, settled_trace
from hls_projects.folding.estimate import estimate_facts, resource_facts, timing_facts
from hls_projects.folding.json_file import foldings_text
from hls_projects.folding.search import fold_pipeline
from hls_projects.graphs.qonnx_file import check_tidy, read_qonnx, read_tidy
from hls_projects.graphs.ranges import annotate_ranges, max_bits
from hls_projects.lowering import lower
from hls_projects.project import pipeline
from hls_projects.project.conversion import make_graph, read_lowered, write_project
from hls_projects.targets import Target, read_target, target_file
from hls_projects.vendor_reports import VendorReports, check_part, read_folder

# Of build.json.
MARKER_VERSION = 2
# What each step adds: files in the folder, and facts for the report.
PRODUCTS = {
    "load": ("target.toml", "checkpoint.safetensors", "source.onnx", "images.safetensors"),
    "export": ("model.qonnx.onnx",),
    "lower": ("lowered.onnx",),
    "fold": ("folding.json", "fifo_depths.json", "estimate.json"),
    "convert": ("hls", "vendor"),
    "simulate": ("logits_*.npy",),
    "deploy": ("deploy",),
    "report": ("report.json", "report.txt", "report.html"),
}
FACTS = {
    "load": ("target", "config", "images"),
    "ranges": ("max_bits",),
    "lower": ("model",),
    "fold": ("timing", "resources"),
    "convert": ("synthesised",),
    "simulate": ("stages", "sample"),
    "compare": ("comparisons", "accuracy", "trace"),
}
ON_ALL_IMAGES = ("torch", "qonnx", "csim")
REPORTED = ("target", "images", "model", "stages", "comparisons", "accuracy", "max_bits", "trace", *FACTS["fold"])


@dataclass
class Build:
    """A build in its folder.

    Args:
        facts: what the report is made of, by name; each step adds those of :data:`FACTS`.
        tool_failure: why a vendor's tool that ran failed, in words.
    """

    settings: Settings
    folder: Path
    facts: dict[str, Any]
    tool_failure: str | None = None

    @classmethod
    def open(cls, settings: Settings, folder: Path, steps: Sequence[str]) -> Build:
        """Take up the build in ``folder``, without what ``steps`` are about to make anew.

        Raises:
            InputError: another version of this project left it.
        """
        facts = read_marker(folder) or {"schema_version": MARKER_VERSION, "seconds": {}}
        check_version(facts, MARKER_VERSION, settings.out / MARKER, "build it again without --from")
        for step in steps:
            facts["seconds"].pop(step, None)
            for key in FACTS.get(step, ()):
                facts.pop(key, None)
            for path in (path for pattern in PRODUCTS.get(step, ()) for path in folder.glob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return cls(settings, folder, facts)

    def finish(self, step: str, seconds: float) -> None:
        """Record in the folder that ``step`` is done."""
        self.facts["seconds"][step] = round(seconds, 3)
        (self.folder / MARKER).write_text(json.dumps(self.facts, indent=2) + "\n")

    def path(self, name: str) -> Path:
        """A file of an earlier step.

        Raises:
            InputError: the step that makes it was not run.
        """
        path = self.folder / name
        if not path.exists():
            raise InputError(f"{self.settings.out} holds no {name}; start --from an earlier step")
        return path

    def need(self, names: Iterable[str]) -> None:
        """See that earlier steps left the facts ``names``.

        Raises:
            InputError: one of them did not run.
        """
        for name in names:
            if name not in self.facts:
                raise InputError(f"{self.settings.out} has no {name}; start --from an earlier step")

    def dataset(self) -> Dataset:
        arrays = load_file(self.path("images.safetensors"))
        return Dataset(arrays["images"], arrays.get("labels"))

    def logits(self) -> dict[str, np.ndarray]:
        """Logits by stage, of the stages that were run."""
        return {
            stage["name"]: np.load(self.path(f"logits_{stage['name']}.npy")) for stage in self.facts.get("stages", ())
        }

    def target(self) -> Target:
        """The board, as its file was when the build began."""
        return read_target(self.path("target.toml"), self.facts["target"])

    def vendor_folder(self) -> Path | None:
        """Folder of the vendor's reports: the one that was given, else that in which this build's tools left theirs."""
        if self.settings.vendor_reports is None and self.facts.get("synthesised"):
            return self.folder / VENDOR / board.REPORTS
        return self.settings.vendor_reports

    def vendor_reports(self) -> VendorReports | None:
        """The reports in :meth:`vendor_folder`, or None.

        Raises:
            InputError: they cannot be read, or are of another part than this board's.
        """
        folder = self.vendor_folder()
        if folder is None:
            return None
        reports = read_folder(folder)
        check_part(reports, self.target())
        return reports

    def qonnx(self) -> ModelWrapper:
        """The graph that the step export left."""
        return read_tidy(self.path("model.qonnx.onnx"))

    def lowered(self) -> ModelWrapper:
        """The graph of hardware operators that the step lower left."""
        return read_lowered(self.path("lowered.onnx"))

    def difference(self) -> str | None:
        """The first difference that the comparison found, in words, or None."""
        return summary.difference(self.facts)


def load(build: Build) -> None:
    """Copy the board, the model and the images into the folder, and look for a compiler."""
    settings = build.settings
    source = target_file(settings.target)
    build.facts["target"] = read_target(source, source.stem).name
    shutil.copyfile(source, build.folder / "target.toml")
    build.vendor_reports()  # wrong ones are rejected before the long work
    _check_bitstream(build)
    simulation.compiler()
    if settings.qonnx:
        read_qonnx(settings.qonnx, IMAGE_SHAPE)
        shutil.copyfile(settings.qonnx, build.folder / "source.onnx")
        build.facts["config"] = None
    else:
        model, _ = load_checkpoint(settings.checkpoint)
        if not model.config.quantized or (model.config.image_size, model.config.in_channels) != IMAGE_SHAPE[1:]:
            raise ConfigError(f"checkpoint {settings.checkpoint} is not a quantized model of 32 x 32 images")
        shutil.copyfile(settings.checkpoint, build.folder / "checkpoint.safetensors")
        build.facts["config"] = dataclasses.asdict(model.config)
    dataset = load_inputs(settings.inputs) if settings.inputs else load_cifar10(settings.data, train=False)
    dataset = dataset if settings.inputs else dataset[: settings.images]
    labels = {} if dataset.labels is None else {"labels": dataset.labels}
    # Not numpy's archive, whose bytes depend on the version of Python.
    arrays = {"images": np.ascontiguousarray(dataset.images), **labels}
    write_whole(build.folder / "images.safetensors", save(arrays))
    build.facts["images"] = len(dataset)


def export(build: Build) -> None:
    """Export the checkpoint to QONNX, or tidy up the QONNX file that was given."""
    if build.facts["config"] is not None:
        model, _ = load_checkpoint(build.path("checkpoint.safetensors"))
        export_model(model, build.folder / "model.qonnx.onnx")
        return
    source = read_qonnx(build.path("source.onnx"), IMAGE_SHAPE)
    try:
        tidy = tidy_up(source)
    except Exception as error:
        raise InputError(f"qonnx cannot infer shapes and fold constants of {build.settings.qonnx}: {error}") from error
    check_tidy(tidy)
    tidy.save(str(build.folder / "model.qonnx.onnx"))


def check_ranges(build: Build) -> None:
    """Annotate every tensor with its grid and range; reject one that float32 does not hold exactly."""
    model = build.qonnx()
    ranges = annotate_ranges(model)
    build.facts["max_bits"] = max_bits(ranges)
    model.save(str(build.folder / "model.qonnx.onnx"))


def lower_graph(build: Build) -> None:
    """Lower the QONNX graph to hardware operators, and cache the result."""
    model = build.qonnx()
    lowered = lower(model)
    lowered.save(str(build.folder / "lowered.onnx"))
    if build.facts["config"] is not None:
        store_lowered(build.path("checkpoint.safetensors"), lowered)
    build.facts["model"] = summary.model_facts(model, lowered) | {"config": build.facts["config"]}


def fold_graph(build: Build) -> None:
    """Choose which layers of lowered.onnx are merged, the folding of every operator, and the depth of every FIFO."""
    lowered, settings = build.lowered(), build.settings
    target = build.target()
    options = fold_options(settings)
    folded = fold_pipeline(lowered, target, options, settings.fifo_depths)
    if not (options.file or settings.fifo_depths):
        store_folding(lowered, target, options, folded)
    trace = settled_trace(folded.network, folded.depths)
    build.facts["timing"] = timing_facts(trace, target)
    build.facts["resources"] = resource_facts(folded.plan, target)
    folded.model.save(str(build.folder / "lowered.onnx"))
    written = {
        "folding.json": foldings_text(folded.plan.foldings),
        "fifo_depths.json": pipeline.depths_file(folded.network, folded.depths),
        "estimate.json": json.dumps(estimate_facts(folded, trace, target), indent=2) + "\n",
    }
    for name, text in written.items():
        (build.folder / name).write_text(text, encoding="utf-8")


def convert_graph(build: Build) -> None:
    """Write the HLS project, the top level for the board, and the scripts for the vendor's tools."""
    target, folder = build.target(), build.folder / "hls"
    graph = make_graph(build.path("lowered.onnx"), target, folder)
    kernels = pipeline.network(graph, kernels=True)
    depths = pipeline.read_depths(build.path("fifo_depths.json"), kernels)
    check_kernels(kernels, depths)
    write_project(graph, folder, depths)
    board.write_top(graph, folder)
    board.write_scripts(target, build.folder / VENDOR)


def compile_project(build: Build) -> None:
    """Compile the C-simulation on native integers and that on ``ap_types``."""
    simulation.compile_programs(build.path("hls"), [simulation.NATIVE, simulation.REFERENCE])


def simulate_all(build: Build) -> None:
    """Compute the logits of every stage."""
    dataset = build.dataset()
    sample = sample_of(len(dataset), build.settings.sample)
    build.facts["sample"], build.facts["stages"] = sample.tolist(), []
    for stage in stages(with_torch=build.facts["config"] is not None, csim=build.settings.csim):
        images = dataset.images[sample] if stage.sampled else dataset.images
        started = time.perf_counter()
        with tqdm(total=len(images), desc=f"  {stage.name}", unit="image") as bar:
            result = stage.run(build.folder, images, lambda done, bar=bar: bar.update(done - bar.n))
        np.save(build.folder / f"logits_{stage.name}.npy", result.logits.astype(np.float32))
        build.facts["stages"].append(
            {
                "name": stage.name,
                "title": stage.title,
                "images": len(images),
                "seconds": round(time.perf_counter() - started, 3),
                "peak_memory_mib": result.peak_memory_mib,
            }
        )
    _write_example(build, dataset.images[sample[:1]])


def _write_example(build: Build, image: np.ndarray) -> None:
    """Give one image and its logits to the test bench of the HLS project."""
    codes = np.load(build.folder / "logits_lowered.npy")[:1] / summary.logit_scale(build.lowered())
    simulation.write_vectors(build.path("hls") / "tb_data", image, codes)


def compare(build: Build) -> None:
    """Compare logits between stages, and every operator's output where logits differ or ``--trace`` asks for it."""
    logits, dataset = build.logits(), build.dataset()
    sample = np.array(build.facts["sample"])
    sampled = {stage["name"] for stage in build.facts["stages"] if stage["images"] < len(dataset)}
    build.facts["comparisons"] = compare_stages(logits, sampled, sample)
    build.facts["accuracy"] = {
        stage: summary.accuracy(logits[stage], dataset.labels)
        if stage in logits and dataset.labels is not None
        else None
        for stage in ON_ALL_IMAGES
    }
    build.facts["trace"] = None
    if build.settings.trace or build.difference():
        build.facts["trace"] = tracing.compare_operators(
            build.qonnx(),
            build.path("lowered.onnx"),
            build.target(),
            build.path("hls"),
            build.folder / "trace",
            dataset.images,
            tracing.choose(logits["qonnx"], logits["csim"]),
        )


def synthesise(build: Build) -> None:
    """Run Vitis HLS and Vivado where they are asked for and installed; their reports become the build's."""
    if not build.settings.synth and not build.settings.bitstream:
        return
    _check_bitstream(build)
    build.facts["synthesised"] = False
    made = run_tools(build.path(VENDOR), build.settings)
    build.tool_failure = made.failure
    if made.reports:
        build.facts["synthesised"] = True
        try:
            build.vendor_reports()
        except InputError as error:
            build.facts["synthesised"] = False
            build.tool_failure = build.tool_failure or f"the tools' reports cannot be read: {error}"


def _check_bitstream(build: Build) -> None:
    target = build.target()
    if build.settings.bitstream and not board.has_board_script(target):
        raise InputError(f"--bitstream is for a Zynq-7000; {target.name} has {target.part}")


def deploy(build: Build) -> None:
    """Write the folder for the board: driver, test set, manifest, and a bitstream where there is one."""
    build.need(DEPLOYED)
    dataset = build.dataset()
    test_set = {"images": dataset.images, "logits": build.logits()["csim"]}
    if dataset.labels is not None:
        test_set["labels"] = dataset.labels
    facts = manifest_facts(build.facts, build.folder, build.target(), build.lowered())
    board.write_package(build.folder / "deploy", build.path(VENDOR), test_set, facts)


def report(build: Build) -> None:
    """Write report.html, report.json and report.txt, and print the last."""
    started = time.perf_counter()
    build.need(REPORTED)
    dataset, logits = build.dataset(), build.logits()
    lowered, vendor = build.lowered(), build.vendor_reports()
    files = vendor_files(vendor, build.vendor_folder()) if vendor else {}
    facts = {
        "schema_version": SCHEMA_VERSION,
        **{key: build.facts[key] for key in REPORTED},
        "mismatched_logits": mismatched_logits(build.facts["comparisons"]),
        "macs": reported.mac_facts(lowered),
        "classes": reported.accuracy_facts(logits, dataset.labels),
        "tensors": reported.tensor_facts(build.qonnx()),
        "layers": reported.layer_facts(lowered),
        "storage": reported.storage_facts(lowered),
        "synthesis": vendor and synthesis_facts(vendor),
        "versions": versions(),
        "provenance": provenance(build.folder, files),
    }
    build.finish("report", time.perf_counter() - started)
    facts["seconds"] = build.facts["seconds"]
    check_report(facts)
    asked = build.settings.show_images
    shown = wrong_images(dataset.images, dataset.labels, logits["csim"]) if asked else None
    text = summary.as_text(facts)
    written = {
        "html": render_report(facts, shown, build.target()),
        "json": json.dumps(facts, indent=2) + "\n",
        "txt": text,
    }
    for suffix, content in written.items():
        (build.folder / f"report.{suffix}").write_text(content, encoding="utf-8")
    print(text)

"""Reports made by hand, and the ways to break them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from flows.reporting.facts import CIFAR10_NAMES

Place = tuple[str | int, ...]
# Objects whose keys are a run's own, so that one may be missing and any may be added.
FREE = {
    "mismatched_logits", "accuracy", "classes.accuracy", "model.config", "layers.*.exponents",
    "seconds", "versions", "provenance.files",
}  # fmt: skip
# One of these may be missing.
OPTIONAL = FREE | {"resources"}

FULL: dict[str, Any] = {
    "schema_version": 3,
    "target": "pynq-z2",
    "images": 100,
    "model": {"parameters": 1234, "weight_bits": 4, "sparsity": 0.25, "config": {"depth": 1, "embed_dim": 16}},
    "macs": {"weights": 4096, "attention": 512},
    "stages": [
        {"name": "torch", "title": "PyTorch", "images": 100, "seconds": 1.5, "peak_memory_mib": None},
        {"name": "qonnx", "title": "QONNX", "images": 100, "seconds": 2.0, "peak_memory_mib": None},
        {"name": "lowered", "title": "Hardware operators", "images": 20, "seconds": 3.0, "peak_memory_mib": None},
        {"name": "csim", "title": "C-simulation", "images": 100, "seconds": 4.0, "peak_memory_mib": 93.5},
    ],
    "comparisons": [
        {"between": ["torch", "qonnx"], "images": 100, "mismatched_logits": 0, "mismatched_images": 0},
        {"between": ["qonnx", "csim"], "images": 100, "mismatched_logits": 43, "mismatched_images": 7},
        {"between": ["csim", "lowered"], "images": 20, "mismatched_logits": 0, "mismatched_images": 0},
    ],
    "mismatched_logits": {"torch_qonnx": 0, "qonnx_csim": 43, "lowered_csim": 0},
    "accuracy": {"torch": 72.16, "qonnx": 72.16, "csim": 71.96},
    "classes": {
        "names": list(CIFAR10_NAMES),
        "accuracy": {"torch": [70.0] * 10, "csim": [60.0, *[70.0] * 8, None]},
        "images": [10] * 9 + [0],
        "confusion": [[6, 4, *[0] * 8], *([0] * i + [7, 3] + [0] * (8 - i) for i in range(1, 9)), [0] * 10],
    },
    "max_bits": 23,
    "tensors": [
        {"name": "pixels", "operator": "input", "kind": "fixed", "bits": 8, "low": 0.0, "high": 255.0, "step_log2": 0},
        {"name": "root", "operator": "Mul", "kind": "floating", "bits": 16, "low": 0.5, "high": 9.0, "step_log2": -9},
        {"name": "exp", "operator": "Exp", "kind": "real", "bits": None, "low": None, "high": None, "step_log2": None},
        {"name": "sum", "operator": "Add", "kind": "fixed", "bits": 23, "low": -4.0, "high": 4.0, "step_log2": -20},
    ],
    "layers": [
        {
            "name": "patch_embed",
            "inputs": 4,
            "outputs": 2,
            "format": "E3M0",
            "code_bits": 4,
            "weights": 8,
            "zeros": 2,
            "exponents": {"0": 1, "1": 5},
        },
        {
            "name": "head",
            "inputs": 2,
            "outputs": 2,
            "format": "E3M0",
            "code_bits": 4,
            "weights": 4,
            "zeros": 0,
            "exponents": {"0": 4, "1": 0},
        },
    ],
    "storage": [
        {"operator": "patch_embed", "array": "codes", "elements": 8, "bits_each": 4},
        {"operator": "head", "array": "codes", "elements": 4, "bits_each": 4},
        {"operator": "head", "array": "bias", "elements": 2, "bits_each": 9},
    ],
    "resources": {
        "LUT": {"used": 41000, "available": 53200, "evidence": "estimated", "design": "rtl"},
        "FF": {"used": 62000, "available": 106400, "evidence": "calibrated", "design": "rtl"},
        "BRAM36": {"used": 151, "available": 140, "evidence": "measured", "design": "rtl"},
        "DSP": {"used": 24, "available": 220, "evidence": "simulated", "design": "rtl"},
    },
    "timing": {
        "interval_cycles": 40000,
        "latency_cycles": 83000,
        "clock_mhz": 100.0,
        "evidence": "simulated",
        "design": "rtl",
        "timeline": [
            {"process": "patch_embed", "start": 0, "end": 900, "state": "busy"},
            {"process": "patch_embed", "start": 900, "end": 1000, "state": "backpressured"},
            {"process": "head", "start": 0, "end": 950, "state": "starved"},
        ],
    },
    "synthesis": {
        "c_synthesis": {
            "tool": "Vitis HLS 2023.2",
            "evidence": "measured",
            "part": "xc7z020-clg400-1",
            "top": "vit",
            "target_clock_mhz": 100.0,
            "clock_mhz": 137.931,
            "interval_cycles": 40004,
            "latency_cycles": 83100,
            "resources": {"LUT": 47310, "FF": 51204, "BRAM36": 93.5, "DSP": 96},
            "modules": [
                {
                    "name": "pot_linear_config2_s",
                    "interval_cycles": 32769,
                    "latency_cycles": None,
                    "resources": {"LUT": 5120, "FF": 6011, "BRAM36": 6, "DSP": 0},
                }
            ],
        },
        "utilization": {
            "tool": "Vivado 2023.2",
            "evidence": "measured",
            "part": "xc7z020clg400-1",
            "top": "vit",
            "state": "Routed",
            "resources": {"LUT": 38412, "FF": 44890, "BRAM36": 149.5, "DSP": 96},
            "modules": [
                {
                    "name": "pot_linear_config2_U0/weights_U",
                    "interval_cycles": None,
                    "latency_cycles": None,
                    "resources": {"LUT": 96, "FF": 0, "BRAM36": 5.5, "DSP": 0},
                }
            ],
        },
        "timing": {
            "tool": "Vivado 2023.2",
            "evidence": "measured",
            "part": "7z020-clg400",
            "top": "vit",
            "state": "Routed",
            "clock": "ap_clk",
            "target_clock_mhz": 100.0,
            "clock_mhz": 96.043,
            "wns_ns": -0.412,
            "tns_ns": -38.105,
        },
    },
    "trace": {
        "images": 8,
        "operators": 20,
        "first_difference": {
            "operator": "blocks_0_attn_softmax",
            "between": "lowered and csim",
            "image": 17,
            "index": [5, 12],
            "expected": 31,
            "got": -4,
        },
    },
    "seconds": {"load": 2.5, "simulate": 10.25},
    "versions": {"python": "3.11.7", "torch": "2.14.1"},
    "provenance": {
        "command": "python flows/build.py --trace",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "files": {"model.qonnx.onnx": "ab" * 32},
    },
}
# What a run that knows as little as it can still has.
EMPTY: dict[str, Any] = FULL | {
    "target": "another-board",
    "model": FULL["model"] | {"config": None},
    "stages": [],
    "comparisons": [],
    "mismatched_logits": {"torch_qonnx": None},
    "accuracy": {"torch": None},
    "classes": None,
    "tensors": [],
    "layers": [],
    "storage": [],
    "resources": None,
    "timing": None,
    "synthesis": None,
    "trace": None,
    "seconds": {},
    "versions": {},
    "provenance": {"command": "python flows/build.py", "commit": None, "files": {}},
}


def full_report() -> dict[str, Any]:
    return copy.deepcopy(FULL)


def empty_report() -> dict[str, Any]:
    return copy.deepcopy(EMPTY)


def exact_report() -> dict[str, Any]:
    """The full report without its differences."""
    report = full_report()
    report["comparisons"][1] |= {"mismatched_logits": 0, "mismatched_images": 0}
    report["mismatched_logits"]["qonnx_csim"] = 0
    report["trace"]["first_difference"] = None
    return report


def large_report() -> dict[str, Any]:
    """As large as one of a deep model with a long timeline: no plot may explode."""
    report = full_report()
    report["tensors"] = [FULL["tensors"][i % 4] | {"name": f"blocks_{i}_attn_out_MatMul_out0"} for i in range(600)]
    report["layers"] = [FULL["layers"][0] | {"name": f"blocks_{i}_mlp_fc1"} for i in range(40)]
    report["storage"] = [FULL["storage"][0] | {"operator": f"blocks_{i}_mlp_fc1"} for i in range(200)]
    processes = [f"blocks_{i // 8}_operator_{i % 8 // 2}.stage_{i % 2}" for i in range(80)]
    report["timing"]["timeline"] = [
        {"process": processes[i % 80], "start": 100 * i, "end": 100 * i + 90, "state": ("busy", "backpressured")[i % 2]}
        for i in range(2400)
    ]
    return report


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Where every key and every element of a document is."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*place, key)
        yield from places(item, (*place, key))


def pattern(place: Place) -> str:
    """As :data:`FREE` names it."""
    return ".".join("*" if isinstance(key, int) else key for key in place)


def at(document: Any, place: Place) -> Any:
    for key in place:
        document = document[key]
    return document


def shown(place: Place) -> str:
    """A place as an error names it."""
    return "report" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, its text, and apart from it style and script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.code: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        (self.code if self.tags and self.tags[-1][0] in ("style", "script") else self.texts).append(data)

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.tags if attribute in attributes]

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

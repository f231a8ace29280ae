"""Figures of a folded graph for the build, its report and ``flows/estimate.py``."""

from __future__ import annotations

from typing import Any

from hls_projects.cost import KINDS
from hls_projects.dataflow import Trace, simulate
from hls_projects.dataflow.activity import timeline
from hls_projects.folding.choices import operators_of
from hls_projects.folding.folded import Folded
from hls_projects.folding.plan import Plan
from hls_projects.targets import Target

# Of cycles, and of resources: the cost model is fitted to syntheses by Yosys.
SIMULATED, CALIBRATED = "simulated", "calibrated"
# All figures are those of the operators' Verilog; Vitis HLS schedules and maps the generated C++ in its own way.
DESIGN = "rtl"
# Of estimate.json.
SCHEMA_VERSION = 2
INTERCONNECT = "FIFOs and forks"
TIMELINE_IMAGES = 2


def estimate_facts(folded: Folded, trace: Trace, target: Target) -> dict[str, Any]:
    """What ``flows/estimate.py --json`` writes: throughput, cycles and resources, in all and by operator."""
    plan = folded.plan
    rows = [
        {
            "name": name,
            "kind": type(operator).__name__,
            "folding": plan.choices[name].folding,
            "cycles": plan.choices[name].cost.cycles,
            **_counts(plan.choices[name].cost.resources.values()),
        }
        for name, operator in operators_of(folded.model).items()
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "target": target.name,
        "images_per_second": round(target.clock_mhz * 1e6 / trace.interval(), 1),
        "interval_cycles": trace.interval(),
        "latency_cycles": trace.latency(),
        "clock_mhz": target.clock_mhz,
        "bottleneck": plan.bottleneck,
        "bottleneck_cycles": plan.interval_cycles,
        "evidence": SIMULATED,
        "design": DESIGN,
        "resources": resource_facts(plan, target),
        "operators": [
            *rows,
            {"name": INTERCONNECT, "kind": "Fifo", "folding": {}, "cycles": 0, **_counts(plan.fixed.values())},
        ],
    }


def resource_facts(plan: Plan, target: Target) -> dict[str, Any]:
    """The report's table of resources."""
    used = _counts(plan.resources.values())
    known = {"evidence": CALIBRATED, "design": DESIGN}
    return {kind: {"used": used[kind], "available": target.resources[kind]} | known for kind in KINDS}


def timing_facts(trace: Trace, target: Target) -> dict[str, Any]:
    """The report's table of timing, with a timeline of the first images."""
    short = simulate(trace.network, trace.depths, TIMELINE_IMAGES, record=False)
    return {
        "interval_cycles": trace.interval(),
        "latency_cycles": trace.latency(),
        "clock_mhz": target.clock_mhz,
        "evidence": SIMULATED,
        "design": DESIGN,
        "timeline": timeline(short),
    }


def _counts(values: tuple[float, ...]) -> dict[str, int | float]:
    """Resources by kind, rounded to whole numbers; block RAMs to halves."""
    return {
        kind: round(2 * value) / 2 if kind == "BRAM36" else round(value)
        for kind, value in zip(KINDS, values, strict=True)
    }

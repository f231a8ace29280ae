"""Figures of a folded model, for the build, its report and flows/estimate.py."""

from __future__ import annotations

from typing import Any

from hls_projects.cost import KINDS
from hls_projects.dataflow import Trace
from hls_projects.folding import choices as folding
from hls_projects.folding.choices import Plan
from hls_projects.folding.folded import Folded
from hls_projects.targets import Target

# Of cycles, and of resources: the cost model is fitted to syntheses by Yosys.
SIMULATED, CALIBRATED = "simulated", "calibrated"
# All figures are those of the Verilog twins; Vitis HLS schedules and maps the generated C++ in its own way.
DESIGN = "rtl"
# Of estimate.json.
SCHEMA_VERSION = 2
JOINTS = "FIFOs and forks"


def estimate_facts(folded: Folded, trace: Trace, target: Target) -> dict[str, Any]:
    """What ``flows/estimate.py --json`` writes."""
    plan = folded.plan
    interval = plan.interval_cycles
    rows = [
        {
            "name": name,
            "kind": type(operator).__name__,
            "folding": plan.choices[name].folding,
            "cycles": plan.choices[name].cost.cycles,
            **_counts(plan.choices[name].cost.resources.values()),
        }
        for name, operator in folding.operators_of(folded.model).items()
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "target": target.name,
        "images_per_second": round(target.clock_mhz * 1e6 / trace.interval(), 1),
        "interval_cycles": trace.interval(),
        "latency_cycles": trace.latency(),
        "clock_mhz": target.clock_mhz,
        "bottleneck": plan.bottleneck,
        "bottleneck_cycles": interval,
        "evidence": SIMULATED,
        "design": DESIGN,
        "resources": resource_facts(plan, target),
        "operators": [
            *rows,
            {"name": JOINTS, "kind": "Fifo", "folding": {}, "cycles": 0, **_counts(plan.fixed.values())},
        ],
    }


def _counts(values: tuple[float, ...]) -> dict[str, int | float]:
    """Resources by kind, block RAMs in halves."""
    return {
        kind: round(2 * value) / 2 if kind == "BRAM36" else round(value)
        for kind, value in zip(KINDS, values, strict=True)
    }


def resource_facts(plan: Plan, target: Target) -> dict[str, Any]:
    """The report's table of resources."""
    used = _counts(plan.resources.values())
    known = {"evidence": CALIBRATED, "design": DESIGN}
    return {kind: {"used": used[kind], "available": target.resources[kind]} | known for kind in KINDS}

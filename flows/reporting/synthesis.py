"""The vendor's synthesis beside the estimate, for ``report.json``, its page and ``flows/synthesis.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hls_projects.vendor_reports import MEASURED, CSynthesis, Module, Timing, Utilization, VendorReports
from hls_projects.vendor_reports.records import Report as VendorReport

KINDS = ("LUT", "FF", "BRAM36", "URAM", "DSP")
CLOCK, INTERVAL, LATENCY = "Clock, MHz", "Initiation interval, cycles", "Latency, cycles"
# Of the clock frequency that an estimate assumes.
ESTIMATED = "estimated"
Number = int | float


@dataclass(frozen=True)
class Figure:
    """A number and how it is known: measured, simulated, calibrated or estimated."""

    value: Number
    evidence: str


@dataclass(frozen=True)
class Row:
    """One resource, the clock, or cycles, from every source; None where a source does not know it.

    Args:
        available: on the target; for the clock, the frequency that the target asks for.
    """

    name: str
    estimate: Figure | None
    c_synthesis: Figure | None
    implementation: Figure | None
    available: Number | None

    @property
    def figures(self) -> tuple[Figure | None, ...]:
        return self.estimate, self.c_synthesis, self.implementation

    @property
    def is_resource(self) -> bool:
        return self.name in KINDS


def synthesis_facts(reports: VendorReports) -> dict[str, Any]:
    """``synthesis`` of the report; see its schema."""
    c_synthesis, utilization, timing = reports.c_synthesis, reports.utilization, reports.timing
    return {
        "c_synthesis": c_synthesis and _c_synthesis(c_synthesis),
        "utilization": utilization and _utilization(utilization),
        "timing": timing and _timing(timing),
    }


def _origin(report: VendorReport) -> dict[str, Any]:
    return {"tool": report.tool, "evidence": MEASURED, "part": report.part}


def _c_synthesis(report: CSynthesis) -> dict[str, Any]:
    return {
        **_origin(report),
        "top": report.top,
        "target_clock_mhz": round(1000 / report.target_period_ns, 3),
        "clock_mhz": round(report.clock_mhz, 3),
        "interval_cycles": report.interval_cycles,
        "latency_cycles": report.latency_cycles,
        "resources": dict(report.resources),
        "modules": _modules(report.modules),
    }


def _utilization(report: Utilization) -> dict[str, Any]:
    return {
        **_origin(report),
        "top": report.design,
        "state": report.state,
        "resources": dict(report.resources),
        "modules": _modules(report.modules),
    }


def _timing(report: Timing) -> dict[str, Any]:
    clock = report.critical
    assert clock.achieved_mhz is not None
    return {
        **_origin(report),
        "top": report.design,
        "state": report.state,
        "clock": clock.name,
        "target_clock_mhz": round(1000 / clock.period_ns, 3),
        "clock_mhz": round(clock.achieved_mhz, 3),
        "wns_ns": report.wns_ns,
        "tns_ns": report.tns_ns,
    }


def _modules(modules: tuple[Module, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": module.name,
            "interval_cycles": module.interval_cycles,
            "latency_cycles": module.latency_cycles,
            "resources": dict(module.resources),
        }
        for module in modules
    ]


def vendor_files(reports: VendorReports, folder: Path) -> dict[str, Path]:
    """The files that were read, by their name for the provenance."""
    return {f"vendor reports/{report.file.relative_to(folder)}": report.file for report in reports.found}


def side_by_side(
    resources: Mapping[str, Mapping[str, Any]] | None,
    timing: Mapping[str, Any] | None,
    synthesis: Mapping[str, Any] | None,
    available: Mapping[str, Number],
    clock_mhz: float | None,
) -> list[Row]:
    """A row for each resource, for the clock and for the cycles.

    Args:
        resources, timing, synthesis: as in the report, None where unknown.
        available, clock_mhz: of the target.
    """
    c_synthesis, utilization, slack = (
        synthesis[key] if synthesis else None for key in ("c_synthesis", "utilization", "timing")
    )
    rows = [
        Row(
            kind,
            _used(resources, kind),
            _of(c_synthesis and c_synthesis["resources"], kind),
            _of(utilization and utilization["resources"], kind),
            available.get(kind),
        )
        for kind in KINDS
    ]
    rows = [row for row in rows if row.available is not None or any(row.figures)]
    clock = Figure(timing["clock_mhz"], ESTIMATED) if timing else None
    rows.append(Row(CLOCK, clock, _of(c_synthesis, "clock_mhz"), _of(slack, "clock_mhz"), clock_mhz))
    for name, key in ((INTERVAL, "interval_cycles"), (LATENCY, "latency_cycles")):
        estimate = Figure(timing[key], timing["evidence"]) if timing else None
        rows.append(Row(name, estimate, _of(c_synthesis, key), None, None))
    return rows


def _used(resources: Mapping[str, Mapping[str, Any]] | None, kind: str) -> Figure | None:
    found = (resources or {}).get(kind)
    return found and Figure(found["used"], found["evidence"])


def _of(facts: Mapping[str, Any] | None, key: str) -> Figure | None:
    value = (facts or {}).get(key)
    return None if value is None else Figure(value, MEASURED)


def hls_evidence(synthesis: Mapping[str, Any] | None) -> str:
    """Whether the generated C++ was synthesised: figures that are not the vendor's are those of the Verilog (RTL)."""
    found = synthesis and synthesis["c_synthesis"]
    return f"HLS C++: synthesised by {found['tool']}" if found else "HLS C++: not synthesised"


def last_word(synthesis: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The facts with the resources of the implementation, or else of C synthesis."""
    return synthesis and (synthesis["utilization"] or synthesis["c_synthesis"])

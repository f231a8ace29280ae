"""The estimate beside what Vitis HLS and Vivado report, where a user has run them."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from flows.command_line import Status
from flows.reporting.formatting import figure, plain
from flows.reporting.schema import check_version
from flows.reporting.synthesis import ESTIMATED, KINDS, Figure, Row, hls_evidence, side_by_side, synthesis_facts
from flows.reporting.text_table import text_table
from hls_projects.errors import InputError
from hls_projects.files import parse_json, read_text, write_whole
from hls_projects.folding.estimate import SCHEMA_VERSION
from hls_projects.targets import Target, load_target
from hls_projects.vendor_reports import VendorReports, check_part, read_folder

EVIDENCE = ("measured", "simulated", "calibrated", ESTIMATED)
# Of the file that --json writes.
SYNTHESIS_VERSION = 2
COLUMNS = ("resource", "estimate", "C synthesis", "implementation", "available")


def read_estimate(path: Path, target: Target) -> dict[str, Any]:
    """``resources`` and ``timing`` as in a report, from a file of flows/estimate.py.

    Raises:
        InputError: no such file, damaged, a key that is missing or wrong, or the estimate of another board.
    """
    try:
        estimate = parse_json(read_text(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is damaged or not JSON: {error}") from error
    if not isinstance(estimate, dict):
        raise InputError(f"{path} is JSON but no estimate; flows/estimate.py --json writes one")
    check_version(estimate, SCHEMA_VERSION, path, "write it again with flows/estimate.py --json")
    keys = ("interval_cycles", "latency_cycles", "clock_mhz")
    timing = {key: _number(estimate, (key,), path) for key in keys} | {"evidence": _evidence(estimate, path)}
    return {"timing": timing, "resources": _resources(estimate, target, path)}


def _resources(estimate: dict[str, Any], target: Target, path: Path) -> dict[str, Any]:
    found = {}
    given = estimate.get("resources")
    for kind in (kind for kind in KINDS if kind != "URAM" or (isinstance(given, dict) and kind in given)):
        used, available = (_number(estimate, ("resources", kind, key), path) for key in ("used", "available"))
        if available != target.resources.get(kind, 0):
            raise InputError(
                f"{path} is the estimate of a board with {available:,} {kind}, not of {target.name}; "
                "give the same --target to both commands"
            )
        found[kind] = {
            "used": used,
            "evidence": _evidence(estimate["resources"][kind], path, _evidence(estimate, path)),
        }
    return found


def _number(estimate: Any, place: tuple[str, ...], path: Path) -> int | float:
    value = estimate
    for key in place:
        if not isinstance(value, dict) or key not in value:
            raise InputError(f"{path}: {'.'.join(place)} is missing; flows/estimate.py --json writes it")
        value = value[key]
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise InputError(f"{path}: {'.'.join(place)} is {str(value)[:40]!r}, not a number of at least 0")
    return value


def _evidence(facts: dict[str, Any], path: Path, default: str = ESTIMATED) -> str:
    found = facts.get("evidence", default)
    if found not in EVIDENCE:
        raise InputError(f"{path}: evidence is {str(found)[:40]!r}, not one of {', '.join(EVIDENCE)}")
    return found


def as_text(target: Target, reports: VendorReports, estimate: Path | None, rows: list[Row], hls: str) -> str:
    """Where the figures are from, and the table.

    Args:
        hls: whether the C++ was synthesised, in words.
    """
    lines = [f"target       {target.name}, {target.part}", f"estimate     {_estimate_origin(estimate, rows)}"]
    names = {"C synthesis": reports.c_synthesis, "utilization": reports.utilization, "timing": reports.timing}
    for name, report in names.items():
        state = getattr(report, "state", None)
        origin = f"{report.evidence}{f', {state}' if state else ''}, {report.file}" if report else "no report was found"
        lines.append(f"{name:<12} {origin}")
    if reports.timing:
        clock, slack = reports.timing.critical, reports.timing.wns_ns
        lines.append(
            f"slack        {'met' if slack >= 0 else 'NOT MET'}: WNS {slack:g} ns, TNS {reports.timing.tns_ns:g} ns; "
            f"clock {clock.name} of {clock.period_ns:g} ns"
        )
    return plain("\n".join([*lines, hls, "", _table(rows)]))


def _estimate_origin(estimate: Path | None, rows: list[Row]) -> str:
    words = dict.fromkeys(row.estimate.evidence for row in rows if row.estimate)
    return f"{' and '.join(words)}, {estimate}" if estimate else "none was given; --estimate FILE"


def _table(rows: list[Row]) -> str:
    cells = ((row.name, *(_cell(one, row) for one in row.figures), _number_cell(row.available)) for row in rows)
    return text_table(COLUMNS, cells)


def _cell(found: Figure | None, row: Row) -> str | None:
    if found is None or not row.is_resource or not row.available:
        return found and figure(found.value)
    return f"{figure(found.value)} ({100 * found.value / row.available:5.1f} %)"


def _number_cell(value: float | None) -> str | None:
    return None if value is None else figure(value)


def show_synthesis(args: argparse.Namespace) -> Status:
    """Read the reports and the estimate, and print and write the table."""
    target = load_target(args.target)
    reports = read_folder(args.reports)
    check_part(reports, target)
    estimate = read_estimate(args.estimate, target) if args.estimate else {"resources": None, "timing": None}
    synthesis = synthesis_facts(reports)
    rows = side_by_side(estimate["resources"], estimate["timing"], synthesis, target.resources, target.clock_mhz)
    if args.json:
        facts = {
            "schema_version": SYNTHESIS_VERSION,
            "target": target.name,
            "part": target.part,
            "rows": [dataclasses.asdict(row) for row in rows],
            "synthesis": synthesis,
        }
        write_whole(args.json, json.dumps(facts, indent=2) + "\n")
    print(as_text(target, reports, args.estimate, rows, hls_evidence(synthesis)))
    return Status.OK

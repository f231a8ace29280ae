"""``report_utilization`` and ``report_timing_summary`` of Vivado, in text.

Layout: AMD UG906, Vivado Design Suite User Guide: Design Analysis and Closure Techniques; tables as releases from
2019 on write them for 7 series, UltraScale and UltraScale+ parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hls_projects.errors import InputError
from hls_projects.vendor_reports.records import RESOURCES, Clock, Module, Resources, Timing, Utilization
from hls_projects.vendor_reports.text import count, number, read_text, whole

UTILIZATION, TIMING = "report_utilization", "report_timing_summary"
VERSION = re.compile(r"Vivado v\.(20\d\d\.\d+(\.\d+)?)\b")
# Rows of the flat report, by family.
SITES = {
    "LUT": ("Slice LUTs", "CLB LUTs"),
    "FF": ("Slice Registers", "CLB Registers", "Registers"),
    "BRAM36": ("Block RAM Tile",),
    "DSP": ("DSPs", "DSP Slices"),
    "URAM": ("URAM",),
}
# Columns of the hierarchical report, by release.
DSP_COLUMNS = ("DSP Blocks", "DSP48 Blocks", "DSP Slices")
INDENT = 2
NO_SLACK = ("NA", "inf")


@dataclass(frozen=True)
class Header:
    """The lines above every report."""

    command: str
    version: str | None
    device: str | None
    design: str | None
    state: str | None


def read_header(text: str) -> Header | None:
    """What the lines above a report say; None where ``text`` is no report of Vivado."""
    found = dict(
        re.findall(r"^\|\s*([A-Z][A-Za-z ]*?)\s*:\s*(.*?)\s*$", "\n".join(text.splitlines()[:40]), re.MULTILINE)
    )
    if "Command" not in found:
        return None
    version = VERSION.search(found.get("Tool Version", ""))
    state = found.get("Design State")
    return Header(found["Command"], version and version[1], found.get("Device"), found.get("Design"), state)


def read_utilization(file: Path) -> Utilization:
    """A report of utilization, flat or hierarchical.

    Raises:
        InputError: no such report, or what it lacks.
    """
    text = read_text(file)
    facts = _facts(text, UTILIZATION, file)
    rows = list(_rows(text, file))
    modules = tuple(_modules(rows, file))
    resources = modules[0].resources if modules else _sites(rows, file)
    return Utilization(**facts, resources=resources, modules=modules)


def read_timing(file: Path) -> Timing:
    """A summary of timing.

    Raises:
        InputError: no such report, what it lacks, or that no path was timed.
    """
    text = read_text(file)
    facts = _facts(text, TIMING, file)
    wns, tns = _slack(text, file)
    return Timing(**facts, wns_ns=wns, tns_ns=tns, clocks=_clocks(text, file))


def _facts(text: str, command: str, file: Path) -> dict[str, object]:
    header = read_header(text)
    if header is None or header.command.split()[:1] != [command]:
        made_by = f"; it is of {header.command.split(' ')[0][:40]!r}" if header else ""
        raise InputError(f"{file} is no report of Vivado's {command}{made_by}")
    if header.version is None:
        raise InputError(f"{file}: the version of Vivado is not known; its line 'Tool Version' says it")
    for name, value in (("Device", header.device), ("Design", header.design)):
        if not value:
            raise InputError(f"{file}: line {name!r} is missing")
    return {
        "file": file,
        "tool": f"Vivado {header.version}",
        "part": header.device,
        "design": header.design,
        "state": header.state,
    }


def _rows(text: str, file: Path) -> Iterator[dict[str, str]]:
    """Rows of every table, as cells by column; cells keep their indentation."""
    columns: list[str] = []
    after_border = False
    for line in text.splitlines():
        if line.startswith("|") and (columns or after_border):
            cells = line.strip()[1:-1].split("|")
            if not columns:
                columns = [cell.strip() for cell in cells]
            elif len(cells) != len(columns):
                raise InputError(f"{file}: a table is damaged: {line.strip()[:60]!r}")
            else:
                yield dict(zip(columns, cells, strict=True))
        elif not line.startswith("+-"):
            columns = []
        after_border = line.startswith("+-")


def _sites(rows: list[dict[str, str]], file: Path) -> Resources:
    # A later table repeats some of the first one's rows.
    used: dict[str, str] = {}
    for row in rows:
        if "Site Type" in row and "Used" in row:
            used.setdefault(row["Site Type"].strip().rstrip("*"), row["Used"].strip())
    found: dict[str, int | float] = {}
    for kind, names in SITES.items():
        name = next((name for name in names if name in used), None)
        if name is not None:
            found[kind] = count(used[name], f"row {name!r}", file)
        elif kind in RESOURCES:
            raise InputError(f"{file}: row {' or '.join(map(repr, names))} is missing")
    return _without_none(found)


def _modules(rows: list[dict[str, str]], file: Path) -> Iterator[Module]:
    path: list[str] = []
    for row in rows:
        if "Instance" not in row or "Total LUTs" not in row:
            continue
        instance = row["Instance"].rstrip()
        name = instance.strip()
        # "(name)" is what is in the module itself, beside its instances; the module's own row counts it.
        if not (name.startswith("(") and name.endswith(")")):
            depth = (len(instance) - len(instance.lstrip()) - 1) // INDENT
            path = [*path[:depth], name]
            # As Vivado names cells: from the top, without it.
            yield Module(name="/".join(path[1:]) or name, depth=depth, resources=_columns(row, name, file))


def _columns(row: dict[str, str], name: str, file: Path) -> Resources:
    def cell(*columns: str) -> int | float:
        column = next((column for column in columns if column in row), None)
        if column is None:
            raise InputError(f"{file}: column {' or '.join(map(repr, columns))} is missing")
        # 281(0.53%) with -hierarchical_percentages.
        return count(row[column].partition("(")[0].strip(), f"{column!r} of {name}", file)

    found = {
        "LUT": cell("Total LUTs"),
        "FF": cell("FFs"),
        "BRAM36": whole(cell("RAMB36") + cell("RAMB18") / 2),
        "DSP": cell(*DSP_COLUMNS),
    }
    return _without_none(found | ({"URAM": cell("URAM")} if "URAM" in row else {}))


def _without_none(found: dict[str, int | float]) -> Resources:
    """URAM only where it is used; the row is there for parts that have none, too."""
    return {kind: used for kind, used in found.items() if kind in RESOURCES or used}


def _section(text: str, title: str, file: Path) -> list[str]:
    """Lines below a title, up to the next: titles stand in boxes of dashes."""
    found = re.search(rf"^\| {re.escape(title)}\n\| -+\n-+\n(.*?)(?=^-{{20,}}$|\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise InputError(f"{file}: section {title!r} is missing")
    return [line for line in found[1].splitlines() if line.strip()]


def _slack(text: str, file: Path) -> tuple[float, float]:
    lines = _section(text, "Design Timing Summary", file)
    if len(lines) < 3 or lines[0].split()[:2] != ["WNS(ns)", "TNS(ns)"]:
        raise InputError(f"{file}: section 'Design Timing Summary' is damaged")
    cells = lines[2].split()
    if cells[0] in NO_SLACK:
        raise InputError(f"{file}: no path was timed; constrain the clock and run it again")
    if len(cells) < 2:
        raise InputError(f"{file}: section 'Design Timing Summary' is damaged")
    return float(number(cells[0], "WNS(ns)", file)), float(number(cells[1], "TNS(ns)", file))


def _clocks(text: str, file: Path) -> tuple[Clock, ...]:
    slacks = _intra_clock_slacks(text, file)
    clocks = []
    for line in _section(text, "Clock Summary", file):
        found = re.match(r"\s*(\S+)\s+\{[^}]*\}\s+(\S+)", line)
        if found:
            name = found[1]
            period = float(count(found[2], f"period of clock {name}", file))
            slack = slacks.get(name)
            if slack is not None and slack >= period:
                raise InputError(f"{file}: clock {name} has a slack of {slack} ns in a period of {period} ns")
            clocks.append(Clock(name, period, slack))
    if all(clock.wns_ns is None for clock in clocks):
        raise InputError(f"{file}: no clock of 'Clock Summary' has a slack in 'Intra Clock Table'")
    return tuple(clocks)


def _intra_clock_slacks(text: str, file: Path) -> dict[str, float | None]:
    """WNS by clock; None where its cell is empty, for a clock without paths of its own."""
    lines = _section(text, "Intra Clock Table", file)
    if len(lines) < 2 or lines[0].split()[:2] != ["Clock", "WNS(ns)"]:
        raise InputError(f"{file}: section 'Intra Clock Table' is damaged")
    # Figures end where the dashes below their title end.
    end = [dashes.end() for dashes in re.finditer("-+", lines[1])][1]
    slacks: dict[str, float | None] = {}
    for line in lines[2:]:
        name = line.split()[0]
        cell = line[line.index(name) + len(name) : end].strip()
        slacks[name] = None if not cell or cell in NO_SLACK else float(number(cell, f"WNS(ns) of clock {name}", file))
    return slacks

"""``csynth.xml`` of Vitis HLS, as releases from 2022.2 on write it into ``solution/syn/report``.

Layout: AMD UG1399, Vitis HLS User Guide, "Synthesis Summary"; the elements are those of the tool's own files.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from hls_projects.errors import InputError
from hls_projects.vendor_reports.records import CSynthesis, Module, Resources
from hls_projects.vendor_reports.text import count, read_text, whole

ROOT = "profile"
AREA = "AreaEstimates/Resources"
PERFORMANCE = "PerformanceEstimates"
VERSION = re.compile(r"20\d\d\.\d+(\.\d+)?")


def read_csynth(file: Path) -> CSynthesis:
    """A report of C synthesis.

    Raises:
        InputError: the file is damaged or no such report, or the element that it lacks or that is wrong.
    """
    root = _parse(file)
    report = _Elements(root, ROOT, file)
    version = report.text("ReportVersion/Version")
    if not VERSION.fullmatch(version):
        raise InputError(f"{file}: version {version[:40]!r} of Vitis HLS is not known; it looks like 2023.2")
    report.check_unit("UserAssignments/unit", "ns")
    report.check_unit(f"{PERFORMANCE}/SummaryOfTimingAnalysis/unit", "ns")
    report.check_unit(f"{PERFORMANCE}/SummaryOfOverallLatency/unit", "clock cycles")
    return CSynthesis(
        file=file,
        tool=f"Vitis HLS {version}",
        part=report.text("UserAssignments/Part"),
        top=report.text("UserAssignments/TopModelName"),
        target_period_ns=report.period("UserAssignments/TargetClockPeriod"),
        estimated_period_ns=report.period(f"{PERFORMANCE}/SummaryOfTimingAnalysis/EstimatedClockPeriod"),
        latency_cycles=report.cycles("Worst-caseLatency"),
        interval_cycles=report.cycles("Interval-max"),
        resources=report.resources(),
        modules=tuple(_module(element, file) for element in root.iterfind("ModuleInformation/Module")),
    )


def _parse(file: Path) -> Element:
    try:
        root = ElementTree.fromstring(read_text(file))
    except ElementTree.ParseError as error:
        raise InputError(f"{file} is damaged or no XML: {error}") from error
    if root.tag != ROOT:
        raise InputError(f"{file} is no csynth.xml of Vitis HLS: its root is <{root.tag[:40]}>, not <{ROOT}>")
    return root


def _module(element: Element, file: Path) -> Module:
    name = _Elements(element, "Module", file).text("Name")
    module = _Elements(element, f"Module {name}", file)
    return Module(
        name=name,
        depth=1,
        resources=module.resources(),
        latency_cycles=module.cycles("Worst-caseLatency"),
        interval_cycles=module.cycles("Interval-max"),
    )


class _Elements:
    """Elements below one, named in errors by their path."""

    def __init__(self, element: Element, name: str, file: Path) -> None:
        self.element, self.name, self.file = element, name, file

    def text(self, path: str) -> str:
        text = (self.element.findtext(path) or "").strip()
        if not text:
            raise InputError(f"{self.file}: element {self.name}/{path} is missing or empty")
        return text

    def check_unit(self, path: str, unit: str) -> None:
        found = self.element.findtext(path, unit).strip()
        if found != unit:
            raise InputError(f"{self.file}: element {self.name}/{path} is {found[:40]!r}, not {unit!r}")

    def count(self, path: str) -> int | float:
        return count(self.text(path), f"element {self.name}/{path}", self.file)

    def period(self, path: str) -> float:
        value = float(self.count(path))
        if not value:
            raise InputError(f"{self.file}: element {self.name}/{path} is 0, no clock period")
        return value

    def cycles(self, name: str) -> int | None:
        """None where the tool wrote ``undef`` or ``?``: a loop whose bound it does not know."""
        path = f"{PERFORMANCE}/SummaryOfOverallLatency/{name}"
        if self.text(path) in ("undef", "?", "-"):
            return None
        return int(self.count(path))

    def resources(self) -> Resources:
        found = {name: self.count(f"{AREA}/{name}") for name in ("LUT", "FF")}
        found["BRAM36"] = whole(self.count(f"{AREA}/BRAM_18K") / 2)
        found["DSP"] = self.count(f"{AREA}/DSP")
        uram = self.element.findtext(f"{AREA}/URAM")
        if uram is not None and (used := count(uram.strip(), f"element {self.name}/{AREA}/URAM", self.file)):
            found["URAM"] = used
        return found

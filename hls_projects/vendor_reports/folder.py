"""All reports of one design, wherever they lie in a project's folder."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TypeVar

from hls_projects.errors import InputError
from hls_projects.targets import Target
from hls_projects.vendor_reports.csynth import read_csynth
from hls_projects.vendor_reports.records import Timing, Utilization, VendorReports
from hls_projects.vendor_reports.text import read_text
from hls_projects.vendor_reports.vivado import TIMING, UTILIZATION, read_header, read_timing, read_utilization

Dated = TypeVar("Dated", Utilization, Timing)
# Later steps of Vivado know more.
STATES = ("synth", "opt", "placed", "postplace", "routed", "postroute")


def read_folder(folder: Path) -> VendorReports:
    """The reports below ``folder``: ``csynth.xml`` and Vivado's ``.rpt`` files of the step that came last.

    Raises:
        InputError: no such folder, no report in it, one that is wrong, or two of which neither is the later.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the one that holds csynth.xml or Vivado's reports")
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and not _hidden(file.relative_to(folder))]
    c_synthesis = _csynth_file(files)
    kinds = _by_kind([file for file in files if file.suffix == ".rpt"])
    reports = VendorReports(
        c_synthesis=c_synthesis and read_csynth(c_synthesis),
        utilization=_utilization([read_utilization(file) for file in kinds[UTILIZATION]]),
        timing=_latest([read_timing(file) for file in kinds[TIMING]]),
    )
    if not reports.found:
        raise InputError(f"{folder} holds no csynth.xml and no {UTILIZATION} or {TIMING} of Vivado (.rpt)")
    return reports


def check_part(reports: VendorReports, target: Target) -> None:
    """
    Raises:
        InputError: a report is of another part than the ``target`` has.
    """
    for report in reports.found:
        # Reports write a part with or without xc, dashes and speed grade.
        if not _plain(target.part).startswith(_plain(report.part)):
            raise InputError(
                f"{report.file} is of part {report.part}, the target {target.name} has {target.part}; "
                "give the target that was synthesized for"
            )


def _plain(part: str) -> str:
    return re.sub(r"^xc|[^a-z0-9]", "", part.lower())


def _hidden(path: Path) -> bool:
    return any(name.startswith(".") for name in path.parts)


def _csynth_file(files: list[Path]) -> Path | None:
    """``csynth.xml``, of the whole design; without it ``TOP_csynth.xml``, of which there is one a module."""
    for pattern in ("csynth.xml", "*_csynth.xml"):
        found = [file for file in files if file.match(pattern)]
        if len(found) > 1:
            raise InputError(f"{found[0]} and {found[1]} are both reports of C synthesis; give a folder with one")
        if found:
            return found[0]
    return None


def _by_kind(files: list[Path]) -> dict[str, list[Path]]:
    """Files by Vivado's command; there are other kinds, which are nobody's concern here."""
    kinds: dict[str, list[Path]] = {UTILIZATION: [], TIMING: []}
    for file in files:
        header = read_header(read_text(file))
        command = header.command.split()[:1] if header else []
        if command and command[0] in kinds:
            kinds[command[0]].append(file)
    return kinds


def _utilization(reports: list[Utilization]) -> Utilization | None:
    """The flat report with the modules of the hierarchical one of the same step, where both are there."""
    flat = _latest([report for report in reports if not report.modules])
    deep = _latest([report for report in reports if report.modules])
    if flat is None or deep is None:
        return flat or deep
    same = (flat.design, flat.state, flat.tool) == (deep.design, deep.state, deep.tool)
    return dataclasses.replace(flat, modules=deep.modules) if same else flat


def _latest(reports: list[Dated]) -> Dated | None:
    if not reports:
        return None
    first, *others = sorted(reports, key=_rank, reverse=True)
    if others and _rank(others[0]) == _rank(first):
        raise InputError(f"{first.file} and {others[0].file} are of the same kind and step; give a folder with one")
    return first


def _rank(report: Utilization | Timing) -> int:
    state = (report.state or "").lower()
    return max((rank for rank, name in enumerate(STATES) if name in state), default=-1)

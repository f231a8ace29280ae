"""The tables that flows/rtl.py prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flows.reporting.formatting import count, cycles, figure, plain, plural, relative, seconds
from flows.reporting.text_table import text_table
from hls_projects.cost import KINDS


def timing_table(facts: dict[str, Any], *, stalled: bool) -> str:
    """Whether logits match, and cycles in both simulations; with stalls at the ports these are not compared."""
    logits, images = plural(facts["logits"], "logit"), plural(facts["images"], "image")
    wrong = facts["mismatched_logits"]
    lines = [
        f"exactness    {count(wrong)} of {logits} of {images} {'differs' if wrong == 1 else 'differ'}"
        if wrong
        else f"exactness    every logit matches: {logits} of {images}"
    ]
    for title, key in (("latency", "latency_cycles"), ("interval", "interval_cycles")):
        found = facts[key]
        if found["rtl"] is None:
            continue
        text = f"{title:<12} {cycles(found['rtl'])} in Verilog (simulated, RTL)"
        if not stalled:
            difference = relative(found["rtl"], found["dataflow"])
            text += f", {cycles(found['dataflow'])} in the timed simulation of the processes: {difference}"
        lines.append(text)
    lines.append(
        f"run time     compiled in {seconds(facts['compile_seconds'])}, simulated in {seconds(facts['run_seconds'])}, "
        f"{count(facts['cycles_per_second'])} cycles/s"
    )
    return plain("\n".join(lines))


def resources_table(parts: dict[str, dict[str, Any]]) -> str:
    """Synthesised resources beside estimated ones: a row an operator, the FIFOs and the forks together, their sum."""
    rows = {name: part for name, part in parts.items() if not _is_joint(part)}
    joints = [part for part in parts.values() if _is_joint(part)]
    rows |= {"FIFOs and forks": _sum(joints), "sum": _sum(parts.values())}
    header = ["operator", "kind"]
    for kind in KINDS:
        header += [kind, "estimate", ""]
    title = "resources    synthesised by Yosys (RTL), beside the estimate (calibrated, RTL)"
    return f"{title}\n{text_table(header, [_row(name, part) for name, part in rows.items()], left=(0, 1))}"


def _is_joint(part: dict[str, Any]) -> bool:
    return part["kind"].startswith(("Fifo", "Fork"))


def _sum(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    parts = list(parts)
    sums = {
        key: {kind: sum(part[key][kind] for part in parts) for kind in KINDS} for key in ("synthesised", "estimated")
    }
    return {"kind": ""} | sums


def _row(name: str, part: dict[str, Any]) -> list[str]:
    cells = [name, part["kind"]]
    for kind in KINDS:
        found, estimate = part["synthesised"][kind], part["estimated"][kind]
        cells += [_number(found), _number(estimate), relative(estimate, found)]
    return cells


def _number(value: float) -> str:
    """With a digit after the point where that tells something."""
    return figure(round(value, 1 if value < 1000 else None))

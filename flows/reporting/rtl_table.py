"""The tables that flows/rtl.py prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hls_projects.cost import KINDS


def timing_table(facts: dict[str, Any], *, stalled: bool) -> str:
    """Logits and cycles; with stalls at the ports the cycles are not compared."""
    lines = [f"{facts['mismatched_logits']} of {facts['logits']} logits of {facts['images']} images differ"]
    for name in ("latency", "interval"):
        cycles = facts[f"{name}_cycles"]
        if cycles["measured"] is None:
            continue
        text = f"{name:<9}{cycles['measured']:>10,} cycles measured"
        if not stalled:
            text += f"{cycles['simulated']:>10,} simulated{_percent(cycles['measured'], cycles['simulated']):>9}"
        lines.append(text)
    lines.append(
        f"compiled in {facts['compile_seconds']:.0f} s, run in {facts['run_seconds']:.0f} s at "
        f"{facts['cycles_per_second']:,} cycles a second"
    )
    return "\n".join(lines)


def resources_table(parts: dict[str, dict[str, Any]]) -> str:
    """Synthesised resources beside estimated ones: a line an operator, the FIFOs and the forks together, their sum."""
    rows = {name: part for name, part in parts.items() if not _is_joint(part)}
    joints = [part for part in parts.values() if _is_joint(part)]
    rows |= {"FIFOs and forks": _sum(joints), "sum": _sum(parts.values())}
    head = f"{'':<26} {'kind':<18}" + "".join(f" {kind:>7} {'est.':>7} {'':>7}" for kind in KINDS)
    return "\n".join([head, *(_row(name, part) for name, part in rows.items())])


def _is_joint(part: dict[str, Any]) -> bool:
    return part["kind"].startswith(("Fifo", "Fork"))


def _sum(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    parts = list(parts)
    sums = {
        key: {kind: sum(part[key][kind] for part in parts) for kind in KINDS} for key in ("synthesised", "estimated")
    }
    return {"kind": ""} | sums


def _row(name: str, part: dict[str, Any]) -> str:
    figures = ((part["synthesised"][kind], part["estimated"][kind]) for kind in KINDS)
    return f"{name:<26} {part['kind']:<18}" + "".join(
        f" {_number(found):>7} {_number(estimate):>7} {_percent(estimate, found):>7}" for found, estimate in figures
    )


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0") if value < 1000 else f"{value:,.0f}"


def _percent(value: float, of: float) -> str:
    return f"{100 * (value / of - 1):+.1f} %" if of else ""

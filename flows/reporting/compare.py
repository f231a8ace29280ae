"""Reports of builds side by side: in the terminal, as a page, and as JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from flows.command_line import Status
from flows.reporting.comparing import Comparison, Row, Rule, as_json, compare_reports
from flows.reporting.comparison_page import letters, render_comparison
from flows.reporting.formatting import figure, plain, plural, signed
from flows.reporting.schema import read_report
from flows.reporting.text_table import text_table
from hls_projects.errors import InputError
from hls_projects.files import write_whole


def compare(args: argparse.Namespace) -> Status:
    """Compare the reports that ``args`` name, write and print what changed, and check the limits.

    Raises:
        InputError: fewer than two reports, one that cannot be read, models of different configuration, a wrong limit,
            or a file that cannot be written.
    """
    comparison = _compare(args)
    if args.html:
        _write(args.html, render_comparison(comparison))
    if args.json:
        _write(args.json, json.dumps(as_json(comparison), indent=2) + "\n")
    print(as_text(comparison))
    return Status.DIFFERS if comparison.failed else Status.OK


def _compare(options: argparse.Namespace) -> Comparison:
    if len(options.reports) < 2:
        raise InputError("one report has nothing to be compared with; give two or more")
    rules = [Rule.parse(text) for text in options.fail_if]
    reports = [read_report(Path(name)) for name in options.reports]
    return compare_reports(options.reports, reports, rules, across_models=options.across_models)


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; nothing of it was left behind") from error


def as_text(comparison: Comparison) -> str:
    """Tables for the terminal: the reports, the main figures, the checks."""
    names = letters(comparison)
    lines = [
        f"{letter}  {name}: {report['target']}, {plural(report['images'], 'image')}"
        for letter, name, report in zip(names, comparison.names, comparison.reports, strict=True)
    ]
    lines += ["", _table(names, comparison.headline)]
    others = len([row for row in comparison.changed if row not in comparison.headline])
    if others:
        verb = "differs" if others == 1 else "differ"
        lines += ["", f"{plural(others, 'other figure')} {verb}; --html FILE and --json FILE list them"]
    if comparison.checks:
        lines.append("")
    for check in comparison.checks:
        lines.append(f"{'FAILED' if check.failed else 'passed'}: {check.rule.text} (change {signed(check.change)})")
    return plain("\n".join(lines))


def _table(names: list[str], rows: list[Row]) -> str:
    header = ["figure", *names, f"{names[-1]} - {names[0]}", ""]
    return text_table(header, map(_cells, rows), left=(0, len(header) - 1))


def _cells(row: Row) -> list[str]:
    return [row.path, *map(figure, row.values), "" if row.change is None else signed(row.change), row.effect]

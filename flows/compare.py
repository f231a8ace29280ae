"""Compare the reports of two or more builds; the first is the baseline.

    python flows/compare.py out/before out/after --fail-if "accuracy.csim<-0.2"

Exit status: 0; 1 when a change that --fail-if names is there; 2 when something that the command was
given cannot be used.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NoReturn

from flows.command_line import CommandParser
from flows.reporting.comparing import Comparison, Row, Rule, as_json, compare_reports
from flows.reporting.comparison_page import letters, render_comparison
from flows.reporting.files import write_atomically
from flows.reporting.formatting import figure, plain, plural, signed
from flows.reporting.schema import ReportError, read_report
from flows.reporting.text_table import text_table

FAIL_IF_HELP = """fail with status 1 if a figure's change, last report minus first, is that: a dotted path in
report.json, one of < <= > >=, a number; may be given again. Elements of lists go by their name
(stages.csim.seconds, comparisons.qonnx_csim.mismatched_logits), storage.total_bits and seconds.total
are sums."""


class _Parser(CommandParser):
    """Leaves it to :func:`main` to say what is wrong, in one line."""

    def error(self, message: str) -> NoReturn:
        raise ReportError(f"{message}; see --help")


def main(argv: list[str] | None = None) -> int:
    try:
        options = _parser().parse_args(argv)
        comparison = _compare(options)
        if options.html:
            _write(options.html, render_comparison(comparison))
        if options.json:
            _write(options.json, json.dumps(as_json(comparison), indent=2) + "\n")
    except ReportError as error:
        print(f"compare: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(as_text(comparison))
    return int(comparison.failed)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("compare", __doc__)
    parser.add_argument("reports", nargs="+", metavar="REPORT", help="report.json, or the output folder of a build")
    parser.add_argument("--fail-if", action="append", default=[], metavar="EXPRESSION", help=FAIL_IF_HELP)
    parser.add_argument("--across-models", action="store_true", help="compare models of different configuration")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with tables and plots of what changed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure that changed")
    return parser


def _compare(options: argparse.Namespace) -> Comparison:
    if len(options.reports) < 2:
        raise ReportError("one report has nothing to be compared with; give two or more")
    rules = [Rule.parse(text) for text in options.fail_if]
    reports = [read_report(Path(name)) for name in options.reports]
    return compare_reports(options.reports, reports, rules, across_models=options.across_models)


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text)
    except OSError as error:
        raise ReportError(f"cannot write {path}: {error.strerror}; nothing of it was left behind") from error


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


if __name__ == "__main__":
    sys.exit(main())

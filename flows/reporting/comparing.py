"""Two or more reports side by side: their figures by dotted path, what changed, and whether it may."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hls_projects.errors import InputError

# Of the file that --json writes.
COMPARISON_VERSION = 2

Report = dict[str, Any]
Number = int | float

# Paths by which an element of a list is called; elements of other lists by their number.
NAMES: dict[str, Callable[[dict[str, Any]], str]] = {
    "stages": lambda item: item["name"],
    "comparisons": lambda item: "_".join(item["between"]),
    "tensors": lambda item: item["name"],
    "layers": lambda item: item["name"],
    "storage": lambda item: f"{item['operator']}.{item['array']}",
    "synthesis.c_synthesis.modules": lambda item: item["name"],
    "synthesis.utilization.modules": lambda item: item["name"],
}
# What a table of a few lines shows, and whether more (+1) or less (-1) of it is better; 0: neither.
HEADLINE = (
    (r"mismatched_logits\..*", -1),
    (r"accuracy\..*", +1),
    (r"images", 0),
    (r"model\.(parameters|weight_bits|sparsity)", 0),
    (r"max_bits", -1),
    (r"macs\..*", -1),
    (r"storage\.total_bits", -1),
    (r"resources\..*\.used", -1),
    (r"timing\.(interval|latency)_cycles", -1),
    (r"timing\.clock_mhz", 0),
    (r"synthesis\.(c_synthesis|utilization)\.resources\..*", -1),
    (r"synthesis\.c_synthesis\.(interval|latency)_cycles", -1),
    (r"synthesis\.(c_synthesis|timing)\.clock_mhz", +1),
    (r"seconds\.total", -1),
)
DIRECTIONS = (
    *HEADLINE,
    (r"comparisons\..*\.mismatched_.*", -1),
    (r"classes\.accuracy\..*", +1),
    (r"storage\..*", -1),
    (r"(seconds\..*|stages\..*\.seconds)", -1),
)
# Thousands of stretches that have no names.
LEFT_OUT = ("timing.timeline",)
OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"
EXPRESSION = re.compile(rf"\s*(?P<path>[^<>=]+?)\s*(?P<sign><=|>=|<|>)\s*(?P<bound>{NUMBER})\s*")


@dataclass(frozen=True)
class Row:
    """One figure in every report; None where a report lacks or does not know it."""

    path: str
    values: tuple[Number | None, ...]

    @property
    def change(self) -> Decimal | None:
        """Last value minus first, in decimal, so that 72.36 to 72.16 is -0.2."""
        first, last = self.values[0], self.values[-1]
        return None if first is None or last is None else Decimal(str(last)) - Decimal(str(first))

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1

    @property
    def effect(self) -> str:
        """``better``, ``worse``, or nothing where nobody can say."""
        way = next((sign for pattern, sign in DIRECTIONS if re.fullmatch(pattern, self.path)), 0)
        if not way or not self.change:
            return ""
        return "better" if (self.change > 0) == (way > 0) else "worse"


@dataclass(frozen=True)
class Rule:
    """A change against the baseline that counts as a failure: ``accuracy.csim<-0.2``."""

    text: str
    path: str
    sign: str
    bound: Decimal

    @classmethod
    def parse(cls, text: str) -> Rule:
        """
        Raises:
            InputError: not of the form ``path OP number``.
        """
        found = EXPRESSION.fullmatch(text)
        if not found:
            raise InputError(f"--fail-if {text!r} is not PATH OP NUMBER with OP one of < <= > >=")
        return cls(text, found["path"], found["sign"], Decimal(found["bound"]))


@dataclass(frozen=True)
class Check:
    """A rule and the change that it was held against."""

    rule: Rule
    change: Decimal

    @property
    def failed(self) -> bool:
        return OPERATORS[self.rule.sign](self.change, self.rule.bound)


@dataclass(frozen=True)
class Comparison:
    """Reports under the names that the user gave, the baseline first."""

    names: tuple[str, ...]
    reports: tuple[Report, ...]
    rows: tuple[Row, ...]
    checks: tuple[Check, ...]

    @property
    def failed(self) -> bool:
        return any(check.failed for check in self.checks)

    @property
    def changed(self) -> list[Row]:
        return [row for row in self.rows if row.differs]

    @property
    def headline(self) -> list[Row]:
        """Rows of :data:`HEADLINE` that some report knows, in that order, then those of the rules."""
        chosen = [
            row
            for pattern, _ in HEADLINE
            for row in self.rows
            if re.fullmatch(pattern, row.path) and any(value is not None for value in row.values)
        ]
        ruled = {check.rule.path for check in self.checks} - {row.path for row in chosen}
        return chosen + [row for row in self.rows if row.path in ruled]


def compare_reports(
    names: list[str], reports: list[Report], rules: list[Rule], *, across_models: bool = False
) -> Comparison:
    """Set checked reports side by side.

    Raises:
        InputError: models of different configuration, unless ``across_models``; a rule about
            something that is no figure of the first and the last report.
    """
    if not across_models:
        for name, report in zip(names[1:], reports[1:], strict=True):
            _check_same_model(names[0], reports[0], name, report)
    tables = [figures(report) for report in reports]
    paths = dict.fromkeys(path for table in tables for path in table)
    rows = [Row(path, tuple(_number(table.get(path)) for table in tables)) for path in paths]
    rows = [row for row in rows if any(value is not None for value in row.values)]
    checks = [_check(rule, names, tables) for rule in rules]
    return Comparison(tuple(names), tuple(reports), tuple(rows), tuple(checks))


def figures(report: Report) -> dict[str, Any]:
    """Everything that a report holds by its dotted path, with the totals of seconds and stored bits."""
    found = dict(_walk(report, ""))
    if report["storage"]:
        found["storage.total_bits"] = sum(array["elements"] * array["bits_each"] for array in report["storage"])
    if report["seconds"]:
        found["seconds.total"] = float(sum(Decimal(str(value)) for value in report["seconds"].values()))
    return found


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if path in LEFT_OUT:
        return
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        name = NAMES.get(path)
        items = [(name(item) if name else str(index), item) for index, item in enumerate(value)]
    else:
        yield path, value
        return
    for key, item in items:
        yield from _walk(item, f"{path}.{key}" if path else key)


def _number(value: Any) -> Number | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _check(rule: Rule, names: list[str], tables: list[dict[str, Any]]) -> Check:
    for index in (0, -1):
        if rule.path not in tables[index]:
            near = difflib.get_close_matches(rule.path, tables[index], 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"--fail-if {rule.text!r}: {names[index]} has no figure {rule.path}{hint}")
        value = tables[index][rule.path]
        if _number(value) is None:
            what = "not known (null)" if value is None else f"{value!r}, not a number"
            raise InputError(f"--fail-if {rule.text!r}: {rule.path} of {names[index]} is {what}")
    values = tuple(table.get(rule.path) for table in (tables[0], tables[-1]))
    change = Row(rule.path, values).change
    assert change is not None
    return Check(rule, change)


def _check_same_model(baseline: str, first: Report, name: str, second: Report) -> None:
    a, b = first["model"]["config"], second["model"]["config"]
    if a == b:
        return
    if a is None or b is None:
        unknown, known = (baseline, name) if a is None else (name, baseline)
        what = f"model.config of {unknown} is not known, that of {known} is"
    else:
        keys = [key for key in dict.fromkeys([*a, *b]) if a.get(key) != b.get(key) or (key in a) != (key in b)]
        differing = ", ".join(f"{key} ({a.get(key)} and {b.get(key)})" for key in keys)
        what = f"{baseline} and {name} are of different models: {differing}"
    raise InputError(f"{what}; --across-models compares them all the same")


def as_json(comparison: Comparison) -> dict[str, Any]:
    """What ``--json`` writes; see ``comparison.schema.json``."""
    return {
        "schema_version": COMPARISON_VERSION,
        "reports": list(comparison.names),
        "figures": [
            {"path": row.path, "values": list(row.values), "change": _plain(row.change)} for row in comparison.changed
        ],
        "checks": [
            {"expression": check.rule.text, "change": _plain(check.change), "failed": check.failed}
            for check in comparison.checks
        ],
    }


def _plain(number: Decimal | None) -> Number | None:
    if number is None:
        return None
    return int(number) if number == number.to_integral_value() else float(number)

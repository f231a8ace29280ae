"""The command that holds reports against each other."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flows import compare
from flows.reporting.comparing import Row, Rule, compare_reports, figures
from flows.reporting.comparison_page import render_comparison
from flows.reporting.schema import load_schema
from hls_projects.errors import InputError
from tests.support import ROOT
from tests.support.models import listing
from tests.support.reports import Page, empty_report, exact_report, full_report

SECTIONS = ["reports", "figures", "plots", "origins", "changes"]
Saved = Callable[..., str]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Write a report into a folder of its own; returns the folder's name."""

    def save(name: str, report: dict[str, Any]) -> str:
        (tmp_path / "reports" / name).mkdir(parents=True)
        (tmp_path / "reports" / name / "report.json").write_text(json.dumps(report))
        return str(tmp_path / "reports" / name)

    return save


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a comparison that must be refused; returns the one line that it says."""

    def run(*argv: object) -> str:
        capsys.readouterr()
        try:
            status = compare.main([str(item) for item in argv])
        except SystemExit as stop:
            status = stop.code
        assert status == 2
        out, said = capsys.readouterr()
        assert out == "" and said.startswith("compare: ") and said.count("\n") == 1, said
        return said

    return run


def changed_report() -> dict[str, Any]:
    """The full report, better here and worse there."""
    report = full_report()
    report["accuracy"]["csim"] = 71.76
    report["classes"]["accuracy"]["csim"][2] = 55.5
    report["layers"][0]["zeros"] = 4
    report["storage"][0]["bits_each"] = 6
    report["resources"]["LUT"]["used"] = 40000
    report["seconds"]["simulate"] = 9.75
    report["stages"][3]["seconds"] = 3.0
    report["versions"]["torch"] = "9.9.9"
    return report


# Figures


def test_figures_go_by_their_paths():
    found = figures(full_report())
    expected = {
        "images": 100,
        "model.config.depth": 1,
        "accuracy.csim": 71.96,
        "stages.csim.seconds": 4.0,
        "comparisons.qonnx_csim.mismatched_logits": 43,
        "tensors.sum.bits": 23,
        "layers.head.exponents.0": 4,
        "storage.head.bias.bits_each": 9,
        "storage.total_bits": 8 * 4 + 4 * 4 + 2 * 9,
        "seconds.total": 12.75,
        "classes.accuracy.csim.0": 60.0,
        "classes.confusion.0.1": 4,
        "trace.first_difference.index.1": 12,
    }
    assert {path: found[path] for path in expected} == expected
    assert not [path for path in found if "timeline" in path]
    assert "storage.total_bits" not in figures(empty_report())


@pytest.mark.parametrize(
    "path, before, after, effect",
    [
        ("accuracy.csim", 72.0, 71.0, "worse"),
        ("accuracy.csim", 71.0, 72.0, "better"),
        ("mismatched_logits.a_b", 0, 1, "worse"),
        ("resources.LUT.used", 9, 8, "better"),
        ("timing.interval_cycles", 8, 9, "worse"),
        ("seconds.total", 9.0, 8.0, "better"),
        ("images", 1, 2, ""),
        ("accuracy.csim", 1.0, 1.0, ""),
        ("accuracy.csim", None, 1.0, ""),
    ],
)
def test_effects(path, before, after, effect):
    assert Row(path, (before, after)).effect == effect


# Rules

numbers = st.integers(-(10**9), 10**9) | st.decimals(-1000, 1000, places=3).map(float)


@settings(max_examples=200, deadline=None)
@given(numbers, numbers, numbers, st.sampled_from(["<", "<=", ">", ">="]))
def test_rules_are_arithmetic_on_the_written_numbers(before, after, bound, sign):
    reports = [exact_report() | {"max_bits": value} for value in (before, after)]
    comparison = compare_reports(["a", "b"], reports, [Rule.parse(f"max_bits{sign}{bound}")])
    change = Decimal(str(after)) - Decimal(str(before))
    limit = Decimal(str(bound))
    expected = {"<": change < limit, "<=": change <= limit, ">": change > limit, ">=": change >= limit}[sign]
    assert comparison.failed == expected and comparison.checks[0].change == change


def test_a_change_at_the_bound_is_no_less():
    """In binary, 72.16 - 72.36 is above -0.2 and 71.96 - 72.16 below."""
    for before, after in ((72.36, 72.16), (72.16, 71.96), (0.3, 0.1)):
        reports = [exact_report(), exact_report()]
        for report, value in zip(reports, (before, after), strict=True):
            report["accuracy"]["csim"] = value
        below, at = (compare_reports(["a", "b"], reports, [Rule.parse(f"accuracy.csim{s}-0.2")]) for s in ("<", "<="))
        assert not below.failed and at.failed


@pytest.mark.parametrize("text", ["accuracy.csim < -0.2", " accuracy.csim<-.2 ", "accuracy.csim<-2e-1"])
def test_ways_to_write_a_rule(text):
    rule = Rule.parse(text)
    assert (rule.path, rule.sign, rule.bound) == ("accuracy.csim", "<", Decimal("-0.2"))


WRONG_RULES = [
    "", "accuracy.csim", "accuracy.csim<", "<1", "accuracy.csim=1", "accuracy.csim==1", "accuracy.csim<nan",
    "accuracy.csim<inf", "accuracy.csim<1,5", "a<1<2", "accuracy.csim<-0.2 or images<1", "accuracy.csim=<1",
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG_RULES)
def test_wrong_rules(text, saved: Saved, refused):
    a, b = saved("a", full_report()), saved("b", full_report())
    assert f"--fail-if {text!r} is not PATH OP NUMBER" in refused(a, b, "--fail-if", text)


def test_failing_both_ways(saved: Saved, capsys: pytest.CaptureFixture[str]):
    a, b = saved("a", full_report()), saved("b", changed_report())
    assert compare.main([a, b]) == 0
    assert compare.main([a, b, "--fail-if", "accuracy.csim<-0.2"]) == 0
    assert "passed: accuracy.csim<-0.2 (change -0.2)" in capsys.readouterr().out
    assert compare.main([a, b, "--fail-if", "accuracy.csim<-0.1"]) == 1
    assert "FAILED: accuracy.csim<-0.1 (change -0.2)" in capsys.readouterr().out
    assert compare.main([b, a, "--fail-if", "accuracy.csim<-0.1"]) == 0
    assert compare.main([a, b, "--fail-if", "images<0", "--fail-if", "storage.total_bits>0"]) == 1
    assert "passed: images<0 (change 0)\nFAILED: storage.total_bits>0 (change +16)" in capsys.readouterr().out


def test_the_last_is_held_against_the_first(saved: Saved):
    a, b, c = saved("a", full_report()), saved("b", changed_report()), saved("c", full_report())
    assert compare.main([a, b, c, "--fail-if", "accuracy.csim<-0.1"]) == 0
    assert compare.main([a, c, b, "--fail-if", "accuracy.csim<-0.1"]) == 1


@pytest.mark.parametrize(
    "path, said",
    [
        ("accuracy.csmi", "has no figure accuracy.csmi; did you mean accuracy.csim?"),
        ("nothing.like.it", "has no figure nothing.like.it"),
        ("accuracy", "has no figure accuracy"),
        ("target", "is 'pynq-z2', not a number"),
        ("resources", "is not known (null)"),
        ("accuracy.torch", "is not known (null)"),
        ("model.config.flag", "is True, not a number"),
    ],
)
def test_rules_about_what_is_no_figure(path, said, saved: Saved, refused):
    report = full_report() | {"resources": None, "accuracy": {"torch": None, "csim": 1.0}}
    report["model"]["config"]["flag"] = True
    a, b = saved("a", report), saved("b", report)
    line = refused(a, b, "--fail-if", f"{path}<0")
    assert said in line and repr(f"{path}<0") in line and a in line


def test_a_figure_that_only_one_report_has(saved: Saved, refused):
    full, empty = saved("full", full_report()), saved("empty", empty_report() | {"model": full_report()["model"]})
    for order in ([full, empty], [empty, full]):
        line = refused(*order, "--fail-if", "stages.csim.seconds>1")
        assert f"{empty} has no figure stages.csim.seconds" in line
    assert f"accuracy.torch of {empty} is not known (null)" in refused(full, empty, "--fail-if", "accuracy.torch<0")


# Bad input


def test_wrong_arguments(saved: Saved, refused):
    a = saved("a", full_report())
    assert "the following arguments are required: REPORT; see --help" in refused()
    assert "nothing to be compared with" in refused(a)
    assert "unrecognized arguments: --what" in refused(a, a, "--what")
    assert "expected one argument" in refused(a, a, "--html")


@pytest.mark.parametrize("position", [0, 1, 2])
def test_bad_reports(position: int, saved: Saved, refused, tmp_path: Path):
    good = saved("good", full_report())

    def line(bad: object) -> str:
        paths = [good] * 3
        paths[position] = str(bad)
        return refused(*paths)

    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.json").write_text(json.dumps(full_report())[:500])
    other = saved("other", full_report() | {"schema_version": 1})
    wrong = saved("wrong", full_report() | {"images": "many"})
    assert "none does not exist" in line(tmp_path / "none")
    assert "empty holds no report.json" in line(tmp_path / "empty")
    assert "cut.json is damaged or not JSON" in line(tmp_path / "cut.json")
    assert "schema version 1, this program reads version 3" in line(other)
    assert "report.images: 'many' is not of type 'integer'" in line(wrong)


def test_other_models_are_refused_by_their_keys(saved: Saved, refused, capsys: pytest.CaptureFixture[str]):
    other = full_report()
    other["model"]["config"] = {"depth": 2, "embed_dim": 16, "window": 4}
    a, b = saved("a", full_report()), saved("b", other)
    line = refused(a, b)
    assert "of different models: depth (1 and 2), window (None and 4); --across-models" in line
    assert "embed_dim" not in line and a in line and b in line
    assert f"{a} and {b} are" in refused(a, a, b)
    assert compare.main([a, b, "--across-models"]) == 0
    unknown = saved("unknown", empty_report())
    assert f"model.config of {unknown} is not known, that of {a} is" in refused(a, unknown)
    assert f"model.config of {unknown} is not known, that of {a} is" in refused(unknown, a)
    assert compare.main([unknown, unknown]) == 0


@pytest.mark.parametrize("option", ["--html", "--json"])
def test_a_full_disk(option: str, saved: Saved, refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    a, b = saved("a", full_report()), saved("b", changed_report())
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "page").write_text("earlier")

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    line = refused(a, b, option, tmp_path / "pages" / "page")
    assert "page: No space left on device; nothing of it was left behind" in line
    assert listing(tmp_path / "pages") == ["page"] and (tmp_path / "pages" / "page").read_text() == "earlier"


def test_places_that_cannot_be_written(saved: Saved, refused, tmp_path: Path):
    a = saved("a", full_report())
    assert "Not a directory" in refused(a, a, "--html", tmp_path / "reports" / "a" / "report.json" / "page.html")
    assert "is not a regular file" in refused(a, a, "--html", tmp_path)


# What it says


def test_terminal(saved: Saved, capsys: pytest.CaptureFixture[str]):
    a, b = saved("a", full_report()), saved("b", changed_report())
    assert compare.main([a, b, "--fail-if", "stages.csim.seconds>0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"A  {a}: pynq-z2, 100 images", f"B  {b}: pynq-z2, 100 images"]
    table = {line.split()[0]: line.split()[1:] for line in lines[3:] if line}
    assert table["accuracy.csim"] == ["71.96", "71.76", "-0.2", "worse"]
    assert table["accuracy.torch"] == ["72.16", "72.16", "0"]
    assert table["resources.LUT.used"] == ["41,000", "40,000", "-1,000", "better"]
    assert table["seconds.total"] == ["12.75", "12.25", "-0.5", "better"]
    assert table["stages.csim.seconds"] == ["4", "3", "-1", "better"]
    # One class's accuracy, one layer's zeros, one array's bits and one step's seconds.
    assert any(line.startswith("4 other figures differ") for line in lines)


def test_json_follows_its_schema(saved: Saved, tmp_path: Path):
    a, b = saved("a", full_report()), saved("b", changed_report())
    file = tmp_path / "changes.json"
    assert compare.main([a, b, a, b, "--json", str(file), "--fail-if", "accuracy.csim<-0.1"]) == 1
    found = json.loads(file.read_text())
    Draft202012Validator(load_schema("comparison")).validate(found)
    assert found["reports"] == [a, b, a, b]
    rows = {row.pop("path"): row for row in found["figures"]}
    assert rows["layers.patch_embed.zeros"] == {"values": [2, 4, 2, 4], "change": 2}
    assert len(rows) == 9
    assert found["checks"] == [{"expression": "accuracy.csim<-0.1", "change": -0.2, "failed": True}]


def test_json_of_what_only_one_knows(saved: Saved, tmp_path: Path):
    a, b = saved("a", full_report()), saved("b", empty_report())
    assert compare.main([a, b, "--across-models", "--json", str(tmp_path / "x.json")]) == 0
    found = json.loads((tmp_path / "x.json").read_text())
    Draft202012Validator(load_schema("comparison")).validate(found)
    assert {"path": "accuracy.csim", "values": [71.96, None], "change": None} in found["figures"]


def test_page(saved: Saved, tmp_path: Path):
    a, b = saved("a", full_report()), saved("b", changed_report())
    file = tmp_path / "page.html"
    assert compare.main([a, b, "--html", str(file), "--fail-if", "accuracy.csim<-0.1"]) == 1
    page = Page(file.read_text())
    assert [name for name in page.values("id") if name in SECTIONS] == SECTIONS
    assert len(page.values("id")) == len(set(page.values("id")))
    assert page.count("svg") == 6  # every group changed
    for said in ("WORSE", "accuracy.csim<-0.1", a, b, "version of torch", "9.9.9", "9 figures", "71.76", "-0.2"):
        assert said in page.text.replace("\N{NO-BREAK SPACE}", " ")
    addresses = [*page.values("href"), *page.values("src")]
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert file.stat().st_size < 2 * 10**6 and file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "other, rules, headline",
    [
        (full_report(), [], "THE SAME"),
        (changed_report(), [], "CHANGED"),
        (changed_report(), ["images<0"], "PASSED"),
        (changed_report(), ["images<0", "max_bits>=0"], "WORSE"),
    ],
)
def test_headlines(other, rules, headline):
    page = Page(render_comparison(compare_reports(["a", "b"], [full_report(), other], [*map(Rule.parse, rules)])))
    assert page.text.count(headline) == 2
    if other == full_report():
        assert page.count("svg") == 0 and page.text.count("No change that the baseline") == 6


def test_page_of_many_unlike_reports():
    names = ["<b>", *"abcdefghijklmnopqrstuvwxyz"]
    made = [full_report() if i % 2 else empty_report() for i in range(27)]
    html = render_comparison(compare_reports(names, made, [], across_models=True))
    assert html == render_comparison(compare_reports(names, made, [], across_models=True))
    page = Page(html)
    assert page.count("b") == 0 and "<b>" in page.text and "R27" in page.text


def test_models_are_told_apart_without_the_command():
    with pytest.raises(InputError, match="different models"):
        compare_reports(["a", "b"], [full_report(), full_report() | {"model": {"config": {}}}], [])


def test_as_a_command(saved: Saved):
    a, b = saved("a", full_report()), saved("b", changed_report())
    command = [sys.executable, str(ROOT / "flows" / "compare.py"), a, b, "--fail-if", "accuracy.csim<-0.1"]
    run = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr == "" and "FAILED: accuracy.csim<-0.1" in run.stdout

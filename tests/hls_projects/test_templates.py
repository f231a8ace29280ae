"""The Jinja environments: what they escape, and what they keep of a template."""

from __future__ import annotations

import ast
from pathlib import Path

import jinja2
import pytest

from hls_projects.templates import environment
from tests.support import ROOT


def render(folder: Path, text: str, *, html: bool = False, **names: object) -> str:
    (folder / "one.j2").write_text(text)
    return environment(folder, html=html).get_template("one.j2").render(**names)


@pytest.mark.parametrize("html, expected", [(True, "&lt;b&gt; &amp;"), (False, "<b> &")])
def test_only_html_is_escaped(tmp_path: Path, html: bool, expected: str):
    assert render(tmp_path, "{{ name }}", html=html, name="<b> &") == expected


@pytest.mark.parametrize("html", [True, False])
def test_a_name_that_is_not_given_raises(tmp_path: Path, html: bool):
    with pytest.raises(jinja2.UndefinedError, match="missing"):
        render(tmp_path, "{{ missing }}", html=html)


def test_lines_of_block_tags_leave_no_empty_lines(tmp_path: Path):
    text = "a\n{% for i in range(2) %}\nb{{ i }}\n{% endfor %}\nc\n"
    assert render(tmp_path, text) == "a\nb0\nb1\nc\n"


def test_environments_are_made_in_one_place():
    makers = [
        str(path.relative_to(ROOT))
        for folder in ("brevitas_model", "flows", "hls_projects", "tests/support")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Environment")
    ]
    assert makers == ["hls_projects/templates.py"]

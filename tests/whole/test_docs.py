"""The code in the documentation runs, its commands are such that the programs take, and its figures are theirs."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import mktestdocs
import pytest

from flows.command_line.program import COMMANDS, program_parser
from tests.support import ROOT
from tests.support.documentation import make_site

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
WITH_PYTHON = [path for path in PAGES if "```python" in path.read_text()]
OUTPUT = re.compile(r"<!-- output of: (.*) -->\n```text\n(.*?)\n```", flags=re.DOTALL)


def shown_commands(text: str) -> Iterator[list[str]]:
    """Words of each line of the shell blocks that calls a Python file or the program."""
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line.rpartition("&& ")[2], comments=True)
            if words[:1] == ["potstream"] or (words[:1] == ["python"] and words[1].endswith(".py")):
                yield words


SHOWN = [words for path in (*PAGES, ROOT / "README.md") for words in shown_commands(path.read_text())]
BY_MODULE = {command.module: command.name for command in COMMANDS.values()}


def taken(arguments: list[str]) -> bool:
    """Whether the program's parser takes ``arguments``; nothing is run."""
    try:
        program_parser().parse_args(arguments)
    except SystemExit as stop:
        return stop.code == 0
    return True


@pytest.mark.parametrize("path", WITH_PYTHON, ids=lambda path: path.stem)
def test_python_blocks_run(path: Path):

    mktestdocs.check_md_file(path, memory=True)


def test_pages_have_blocks():
    assert len(WITH_PYTHON) >= 3 and len(SHOWN) > 15


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_commands_are_taken(words: list[str]):
    if words[0] == "potstream":
        assert taken(words[1:])
        return
    path = ROOT / words[1]
    assert path.is_file()
    if path.parent.name == "flows":
        assert taken([BY_MODULE[path.stem], *words[2:]])


def test_a_wrong_option_would_be_seen():
    assert not taken(["estimate", "--no-such-option"])


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "CITATION.cff", "LICENSE"]
)
def test_what_a_release_has(name: str):
    assert (ROOT / name).read_text().strip()


def test_licences_are_those_of_the_lock():
    made = runpy.run_path(str(DOCS / "licences.py"))["page"]()
    assert made == (DOCS / "licences.md").read_text()
    assert "not said" not in made


DIAGRAMS = sorted((DOCS / "diagrams").glob("*.dot"))
WITH_LINKS = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
# Pages that mkdocs makes or takes from elsewhere.
MADE = {"operators.md", "security.md", "changelog.md", "contributing.md"}


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.stem)
def test_diagrams_are_drawn_from_their_source(path: Path):
    """A drawing names the digest of the source that it was made of; ``docs/diagrams/make.sh`` draws anew."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"<!-- source: {path.name} {digest} -->" in path.with_suffix(".svg").read_text()


def test_there_are_diagrams_of_the_flow_and_of_the_circuits():
    assert {path.stem for path in DIAGRAMS} >= {"flow", "pot_linear", "attention", "layer_norm", "block"}


@pytest.mark.parametrize("path", WITH_LINKS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
    broken = [
        target
        for target in targets
        if "://" not in target and target not in MADE and not (path.parent / target).exists()
    ]
    assert not broken


def test_the_readme_is_a_page():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160


@pytest.mark.slow
@pytest.mark.parametrize("command, shown", [found for path in PAGES for found in OUTPUT.findall(path.read_text())])
def test_output_shown_is_what_is_printed(command: str, shown: str, monkeypatch: pytest.MonkeyPatch):
    words = shlex.split(command)[1:]
    monkeypatch.setattr(sys, "argv", words)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / words[0]), run_name="__main__")
    assert stop.value.code == 0 and said.getvalue().rstrip("\n") == shown


@pytest.mark.docs
def test_the_site_is_made_without_a_warning(tmp_path: Path):
    make_site(tmp_path)
    pages = sorted(path.parent.name for path in tmp_path.glob("operators/*/index.html"))
    assert "attention-scores" in pages and len(pages) == 12
    text = (tmp_path / "operators" / "pot-linear" / "index.html").read_text()
    assert "requantize" in text and "pot_linear.sv" in text

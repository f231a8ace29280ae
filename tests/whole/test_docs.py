"""The code in the documentation runs, its commands are such that the programs take, and its figures are theirs."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import mktestdocs
import pytest

from flows.command_line import MODULES
from tests.support import ROOT
from tests.support.documentation import make_site

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
WITH_PYTHON = [path for path in PAGES if "```python" in path.read_text()]
OUTPUT = re.compile(r"<!-- output of: (.*) -->\n```text\n(.*?)\n```", flags=re.DOTALL)


class _TakenError(Exception):
    """Options that a parser took."""


def commands(text: str) -> Iterator[list[str]]:
    """Words of each line of the shell blocks that calls a Python file."""
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line)
            if words[:1] == ["python"] and words[1].endswith(".py"):
                yield words[1:]


COMMANDS = [words for path in PAGES for words in commands(path.read_text())]


def taken(module: str, arguments: list[str]) -> bool:
    """Whether the parser of a command takes ``arguments``; nothing is run."""

    def stop(parser: argparse.ArgumentParser, args: list[str] | None = None, namespace: object = None) -> None:
        unpatched(parser, arguments if args is None else args, namespace)
        raise _TakenError

    unpatched = argparse.ArgumentParser.parse_args
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        try:
            importlib.import_module(f"flows.{module}").main(arguments)
        except (_TakenError, SystemExit) as ended:
            return isinstance(ended, _TakenError)
    return False


@pytest.mark.parametrize("path", WITH_PYTHON, ids=lambda path: path.stem)
def test_python_blocks_run(path: Path):

    mktestdocs.check_md_file(path, memory=True)


def test_pages_have_blocks():
    assert len(WITH_PYTHON) >= 3 and len(COMMANDS) > 15


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_are_taken(words: list[str]):
    path = ROOT / words[0]
    assert path.is_file()
    if path.parent.name == "flows":
        assert path.stem in MODULES and taken(path.stem, words[1:])


def test_a_wrong_option_would_be_seen():
    assert not taken("estimate", ["--no-such-option"])


@pytest.mark.parametrize("name", ["README.md", "SECURITY.md", "CHANGELOG.md", "CITATION.cff", "LICENSE"])
def test_what_a_release_has(name: str):
    assert (ROOT / name).read_text().strip()


def test_licences_are_those_of_the_lock():
    made = runpy.run_path(str(DOCS / "licences.py"))["page"]()
    assert made == (DOCS / "licences.md").read_text()
    assert "not said" not in made


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

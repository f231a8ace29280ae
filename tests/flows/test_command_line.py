"""Every command: its names, its version, what completes it, and errors in one line."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from flows.command_line import MODULES, CommandParser, installed_name
from tests.support import ROOT


def answer(module: str, *arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        sys.exit(importlib.import_module(f"flows.{module}").main(list(arguments)))
    said = capsys.readouterr()
    return stop.value.code, said.out, said.err


def has_main(path: Path) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in ast.parse(path.read_text()).body)


def test_every_file_with_a_main_is_a_console_command():
    assert [path.stem for path in sorted((ROOT / "flows").glob("*.py")) if has_main(path)] == sorted(MODULES)
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {installed_name(module): f"flows.{module}:main" for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_version(module: str, capsys: pytest.CaptureFixture[str]):
    version = importlib.metadata.version("potstream")
    assert answer(module, "--version", capsys=capsys) == (0, f"potstream {version}\n", "")


@pytest.mark.parametrize("module", MODULES)
def test_help_says_what_it_is_for_and_shows_every_option(module: str, capsys: pytest.CaptureFixture[str]):
    status, said, _ = answer(module, "--help", capsys=capsys)
    assert status == 0 and f"flows/{module}.py" in said and "--version" in said
    first = importlib.import_module(f"flows.{module}").__doc__.splitlines()[0]
    assert first in said


@pytest.mark.parametrize("module", MODULES)
def test_an_unknown_option_is_one_line(module: str, capsys: pytest.CaptureFixture[str]):
    status, _, said = answer(module, "--no-such-option", capsys=capsys)
    assert status == 2 and said.startswith(f"{module}: ") and said.count("\n") == 1 and "see --help" in said


def test_a_console_command_goes_by_its_own_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/potstream-bench-csim"])
    assert CommandParser("bench_csim").prog == "potstream-bench-csim"
    monkeypatch.setattr(sys, "argv", ["flows/bench_csim.py"])
    assert CommandParser("bench_csim").prog == "flows/bench_csim.py"


def completed(script: str, *words: str) -> list[str]:
    """What bash offers for the last of ``words``, by the functions that the script defines."""
    quoted = " ".join(f"'{word}'" for word in words)
    ask = f"""
    COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; COMP_LINE="{" ".join(words)}"; COMP_POINT=${{#COMP_LINE}}
    $(complete -p {words[0]} | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    command = ["bash", "--norc", "-c", script + ask]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_bash_completes_options_and_choices(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    status, script, _ = answer("build", "--print-completion", "bash", capsys=capsys)
    assert status == 0
    assert set(completed(script, "potstream-build", "--fifo")) == {"--fifo-depths"}
    assert completed(script, "potstream-build", "--csim", "") == ["fast", "reference"]
    (tmp_path / "mine.safetensors").touch()
    assert completed(script, "potstream-build", "--checkpoint", f"{tmp_path}/") == [f"{tmp_path}/mine.safetensors"]


@pytest.mark.parametrize("shell", ["zsh", "tcsh", "fish"])
def test_other_shells_get_a_script_that_names_the_command(shell: str, capsys: pytest.CaptureFixture[str]):
    status, script, _ = answer("simulate", "--print-completion", shell, capsys=capsys)
    assert status == 0 and "potstream-simulate" in script and "size-fifos" in script

"""Every command: its parser, its version, what completes it, and how its errors end."""

from __future__ import annotations

import ast
import errno
import importlib
import importlib.metadata
import json
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import compare, prune
from flows.command_line import Command, Status, guarded
from flows.command_line.options import percentage, positive, share
from flows.command_line.program import COMMANDS, GROUPS, main
from hls_projects.errors import LONGEST, InputError, kind_and_message, one_line
from tests.support import ROOT

MODULES = [command.module for command in COMMANDS.values()]
# Each takes a good part of a second to import, or seconds.
HEAVY = {"torch", "torchvision", "brevitas", "qonnx", "onnx", "onnxruntime", "hls4ml", "matplotlib", "scipy", "optuna"}


def answer(capsys: pytest.CaptureFixture[str], run: Callable[[list[str]], int], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        sys.exit(run(list(words)))
    said = capsys.readouterr()
    return stop.value.code, said.out, said.err


def is_command(path: Path) -> bool:
    nodes = ast.parse(path.read_text()).body
    return any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMMAND" for node in nodes)


def test_every_command_is_one_of_the_program():
    found = {path.stem for path in (ROOT / "flows").glob("*.py") if is_command(path)}
    assert found == set(MODULES) == {path.stem for path in (ROOT / "flows").glob("*.py")} - {"__init__"}
    assert len(COMMANDS) == sum(map(len, GROUPS.values()))
    for command in COMMANDS.values():
        module = importlib.import_module(f"flows.{command.module}")
        assert module.COMMAND is command and module.main == command.main
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"potstream": "flows.command_line.program:main"}


def test_help_is_a_table_of_contents(capsys: pytest.CaptureFixture[str]):
    status, said, _ = answer(capsys, main, "--help")
    assert status == 0 and [line[:-1] for line in said.splitlines() if line[:-1] in GROUPS] == list(GROUPS)
    for command in COMMANDS.values():
        assert len(re.findall(rf"^  {command.name} +{re.escape(command.title)}$", said, re.MULTILINE)) == 1
        assert len(command.title) <= 90


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_help_of_a_command(command: Command, capsys: pytest.CaptureFixture[str]):
    for run, words, prog in (
        (command.main, (), f"flows/{command.module}.py"),
        (main, (command.name,), f"potstream {command.name}"),
    ):
        status, said, _ = answer(capsys, run, *words, "--help")
        assert status == 0 and said.startswith(f"usage: {prog} ")
        assert command.description.strip() in said and "--version" in said
        assert [int(code) for code in re.findall(r"^  (\d+) ", said.split("exit status:")[1], re.M)] == list(Status)


def test_help_imports_nothing_heavy():
    """One process; whatever a parser imports stays in ``sys.modules``."""
    script = f"""
import contextlib, io, json, sys
found = {{}}
def ask(name, main, *words):
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        main([*words, "--help"])
    assert "usage: " in said.getvalue()
    found[name] = sorted({{module.split(".")[0] for module in sys.modules}} & set({sorted(HEAVY)}))
import importlib
for module in {MODULES}:
    ask(module, importlib.import_module(f"flows.{{module}}").main)
from flows.command_line.program import main
ask("potstream", main)
for name in {list(COMMANDS)}:
    ask(f"potstream {{name}}", main, name)
print(json.dumps(found))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    found = json.loads(run.stdout)
    assert len(found) == 2 * len(MODULES) + 1
    assert not {name: modules for name, modules in found.items() if modules}


def test_the_check_would_see_a_heavy_import():
    script = "import sys, qonnx.core.modelwrapper; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) >= {"qonnx", "onnx"}


@pytest.mark.parametrize("run", [main, compare.main])
def test_version(run: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]):
    version = importlib.metadata.version("potstream")
    assert answer(capsys, run, "--version") == (0, f"potstream {version}\n", "")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_an_unknown_option_is_one_line(command: Command, capsys: pytest.CaptureFixture[str]):
    for run, words in ((command.main, ()), (main, (command.name,))):
        status, _, said = answer(capsys, run, *words, "--fail-iff=1")
        assert status == 2 and said.count("\n") == 1 and said.endswith("; see --help\n")
        assert said.startswith(("potstream: ", f"{command.module}: "))


@pytest.mark.parametrize("words", [[], ["no-such-command"], ["--no-such-option"]])
def test_a_program_without_a_command_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]):
    status, said, error = answer(capsys, main, *words)
    assert (status, said) == (2, "") and error.startswith("potstream: ") and error.count("\n") == 1


def test_the_program_does_what_the_module_does(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    words = [str(tmp_path / "a"), str(tmp_path / "b")]
    first = answer(capsys, compare.main, *words)
    assert first == answer(capsys, main, "compare", *words)
    assert first[0] == 2 and first[2].startswith(f"compare: {tmp_path / 'a'} does not exist; give a report.json")


def test_a_name_that_no_file_can_have_is_one_line(capsys: pytest.CaptureFixture[str]):
    for run, words in ((prune.main, ()), (main, ("prune",))):
        status, _, said = answer(capsys, run, *words, "x" * 5000)
        assert status == 2 and said.count("\n") == 1 and len(said) < LONGEST + 20


# How errors end.


def ended(error: BaseException, capsys: pytest.CaptureFixture[str], interrupted: str = "") -> tuple[int, str]:
    def work() -> int:
        raise error

    capsys.readouterr()
    status = guarded("name", work, interrupted)
    said = capsys.readouterr()
    assert not said.out and said.err.startswith("name: ") and said.err.count("\n") == 1
    return status, said.err.removeprefix("name: ").rstrip("\n")


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_bad_input_ends_in_one_line(capsys: pytest.CaptureFixture[str], logs: Path):
    assert ended(InputError("a\n  b"), capsys) == (2, "a b")
    missing = FileNotFoundError(errno.ENOENT, "No such file", "x")
    assert ended(missing, capsys) == (2, "x: No such file")
    files = shutil.Error([("a", "b", "no space for b"), ("c", "d", "no space for d")])
    assert ended(files, capsys) == (2, "no space for b")
    assert not list(logs.iterdir())


def test_an_interrupt_ends_in_one_line(capsys: pytest.CaptureFixture[str]):
    assert ended(KeyboardInterrupt(), capsys) == (130, "interrupted")
    assert ended(KeyboardInterrupt(), capsys, "nothing is lost") == (130, "interrupted; nothing is lost")


def test_sigterm_is_an_interrupt(capsys: pytest.CaptureFixture[str]):
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert guarded("name", lambda: signal.raise_signal(signal.SIGTERM) or 0) == 130
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("error", [RuntimeError("odd\nnews\x1b[31m"), KeyError("k"), RecursionError(), MemoryError()])
def test_an_unexpected_error_is_one_line_that_names_its_traceback(
    error: Exception, capsys: pytest.CaptureFixture[str], logs: Path
):
    status, said = ended(error, capsys)
    (log,) = logs.iterdir()
    assert status == 70 and said == f"unexpected {kind_and_message(error)}; its traceback is in {log}"
    assert type(error).__name__ in said and "\x1b" not in said
    text = log.read_text()
    assert text.startswith("Traceback (most recent call last)") and "raise error" in text


def test_an_unexpected_error_where_no_file_can_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    assert ended(RuntimeError("odd"), capsys) == (
        70, "unexpected RuntimeError: odd; no file takes its traceback: No such file or directory",
    )  # fmt: skip


def test_a_status_is_passed_on():
    assert guarded("name", lambda: Status.TOOL_FAILED) == 3


@given(st.text(max_size=3 * LONGEST))
def test_a_message_is_one_bounded_line_of_printable_text(text: str):
    said = one_line(InputError(text))
    assert said.isprintable() and "\n" not in said and len(said) <= LONGEST
    if text.isprintable() and len(text) <= LONGEST:
        assert said == " ".join(text.split())


def test_a_long_message_keeps_its_beginning_and_its_remedy():
    said = one_line(InputError(f"file {'x' * 5000} is damaged; build it again"))
    assert said.startswith("file xxx") and said.endswith("xxx is damaged; build it again") and len(said) == LONGEST


# Values of options.


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", "²", "\u0663", "1e3"])
def test_what_is_no_positive_number(text: str):
    with pytest.raises(Exception, match="must be a whole number of at least 1"):
        positive(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "x", "101"])
def test_what_is_no_share(text: str):
    for kind in (share, percentage):
        with pytest.raises(Exception, match=re.escape(text)):
            kind(text)


def test_shares():
    assert (share("1"), share("0.5"), percentage("100"), positive("12")) == (1.0, 0.5, 100.0, 12)


# Completion.


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


def test_bash_completes_commands_options_and_choices(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    status, script, _ = answer(capsys, main, "--print-completion", "bash")
    assert status == 0
    assert completed(script, "potstream", "bench") == ["bench-csim", "bench-training"]
    assert set(completed(script, "potstream", "build", "--fifo")) == {"--fifo-depths"}
    assert completed(script, "potstream", "build", "--csim", "") == ["fast", "reference"]
    (tmp_path / "mine.safetensors").touch()
    assert completed(script, "potstream", "build", "--checkpoint", f"{tmp_path}/") == [f"{tmp_path}/mine.safetensors"]


@pytest.mark.parametrize("shell", ["zsh", "tcsh", "fish"])
def test_other_shells_get_a_script_that_names_the_commands(shell: str, capsys: pytest.CaptureFixture[str]):
    status, script, _ = answer(capsys, main, "--print-completion", shell)
    assert status == 0 and "potstream" in script and "size-fifos" in script and "bench-csim" in script

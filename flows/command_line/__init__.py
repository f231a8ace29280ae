"""What every command has in common: its parser, its exit status, and errors in one line.

A command is a module of ``flows`` with three things: ``add_options`` gives a parser the command's options, ``run`` does
the work that they ask for, and ``COMMAND`` puts both together. At its top such a module imports only what its options
need; what does the work is imported inside ``run``, after the options are read. So ``--help`` answers at once, and a
wrong option is reported before PyTorch, whose import takes seconds, is loaded. ``tests/flows/test_command_line.py``
checks this of every command.
"""

from __future__ import annotations

import argparse
import enum
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from hls_projects.errors import InputError, kind_and_message, one_line
from hls_projects.signals import interrupt_on_signals

PROGRAM = "potstream"


class Status(enum.IntEnum):
    """Exit statuses of all commands; :data:`EXIT_STATUS` has their meaning."""

    OK = 0
    DIFFERS = 1
    BAD_INPUT = 2
    TOOL_FAILED = 3
    UNEXPECTED = os.EX_SOFTWARE
    INTERRUPTED = 130


EXIT_STATUS = f"""exit status:
  {Status.OK:<5}done, and nothing differs
  {Status.DIFFERS:<5}something differs or does not hold; the text above says what it is for this command
  {Status.BAD_INPUT:<5}something that was given cannot be used; one line says what, where, and what to do
  {Status.TOOL_FAILED:<5}nothing differs, but a vendor's tool that was asked for ran and failed
  {Status.UNEXPECTED:<5}an unexpected error; one line says which, and names the file that holds its traceback
  {Status.INTERRUPTED:<5}interrupted, by Ctrl-C, SIGTERM or the end of the terminal"""


class CommandParser(argparse.ArgumentParser):
    """The options of one command, or the program's commands.

    Args:
        prefix: stands before an error.
    """

    def __init__(self, prefix: str, **others: Any) -> None:
        super().__init__(epilog=EXIT_STATUS, formatter_class=argparse.RawDescriptionHelpFormatter, **others)
        self.prefix = prefix
        self.add_argument("--version", action=_ShowVersion, help="show the version and exit")

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong, without the usage in front of it, and exit."""
        self.exit(Status.BAD_INPUT, f"{self.prefix}: {message}; see --help\n")


class _ShowVersion(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, **others: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, **others)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        import importlib.metadata  # it takes as long as all else that --help needs

        print(f"{PROGRAM} {importlib.metadata.version(PROGRAM)}")
        parser.exit()


@dataclass(frozen=True)
class Command:
    """A command: ``python flows/MODULE.py`` and ``potstream NAME``.

    Args:
        module: name in ``flows``; it stands before an error.
        description: docstring of that module; its first line is the command's title.
        add_options: gives a parser the command's options.
        run: does the work and returns the exit status; it imports what does the work.
        interrupted: what holds after Ctrl-C, in words.
    """

    module: str
    description: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    interrupted: str = ""

    @property
    def name(self) -> str:
        """What it is called as a command of the program: ``bench-csim``."""
        return self.module.replace("_", "-")

    @property
    def title(self) -> str:
        return self.description.partition("\n")[0].rstrip(".")

    def parser(self) -> CommandParser:
        parser = CommandParser(self.module, prog=f"flows/{self.module}.py", description=self.description)
        self.add_options(parser)
        return parser

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Read the options and do the work; returns the exit status."""
        return guarded(self.module, lambda: self.run(self.parser().parse_args(argv)), self.interrupted)

    def carry_out(self, options: argparse.Namespace) -> int:
        """Do the work that ``options`` ask for; returns the exit status."""
        return guarded(self.module, lambda: self.run(options), self.interrupted)


def guarded(name: str, work: Callable[[], int], interrupted: str = "") -> int:
    """The exit status of ``work``; an error of any kind becomes one line and its own status.

    Args:
        name: stands before the line.
        interrupted: what holds after Ctrl-C, in words.
    """
    try:
        interrupt_on_signals()
        return work()
    except (InputError, OSError) as error:
        status, message = Status.BAD_INPUT, one_line(error)
    except KeyboardInterrupt:
        status, message = Status.INTERRUPTED, f"interrupted; {interrupted}" if interrupted else "interrupted"
    except Exception as error:
        status, message = Status.UNEXPECTED, f"unexpected {kind_and_message(error)}; {_write_traceback(name)}"
    print(f"{name}: {message}", file=sys.stderr)
    return status


def _write_traceback(name: str) -> str:
    """Write the traceback of the error at hand to a file of its own; returns in words where it is."""
    try:
        number, path = tempfile.mkstemp(prefix=f"{PROGRAM}-{name}-", suffix=".log")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(traceback.format_exc())
    except OSError as error:
        return f"no file takes its traceback: {error.strerror}"
    return f"its traceback is in {path}"

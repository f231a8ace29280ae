"""What every command of ``flows`` has in common: its names, ``--version``, completion, errors in one line."""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import shtab

from hls_projects.errors import InputError
from hls_projects.signals import interrupt_on_signals

PACKAGE = "potstream"
INTERRUPTED = 130
MODULES = (
    "bench_csim",
    "bench_training",
    "build",
    "compare",
    "estimate",
    "evaluate",
    "prune",
    "rtl",
    "search",
    "simulate",
    "sweep",
    "synthesis",
    "train",
    "verify",
)
"""Modules of ``flows`` that are commands; of each, ``potstream-NAME`` is installed."""


def installed_name(module: str) -> str:
    """The console command of a module of ``flows``."""
    return f"{PACKAGE}-{module.replace('_', '-')}"


class CommandParser(argparse.ArgumentParser):
    """The options of one command.

    Args:
        name: of the module in ``flows``, and what stands before an error.
        description: its docstring, laid out as it is.
        words: that follow the command before these options.
    """

    def __init__(self, name: str, description: str | None = None, words: str = "", **others: Any) -> None:
        started_as = Path(sys.argv[0]).name
        prog = installed_name(name) if started_as == installed_name(name) else f"flows/{name}.py"
        super().__init__(
            prog=f"{prog} {words}".strip(),
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **others,
        )
        self.name = name
        version = f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"
        self.add_argument("--version", action="version", version=version, help="show the version and exit")
        self.add_argument(
            "--print-completion",
            action=_PrintCompletion,
            default=argparse.SUPPRESS,
            choices=shtab.SUPPORTED_SHELLS,
            help=f"print what makes a shell complete the options of {installed_name(name)}, and exit",
        )

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong, without the usage in front of it, and exit with 2."""
        self.exit(2, f"{self.name}: {message}; see --help\n")


def guarded(name: str, work: Callable[[], int], bad_input: tuple[type[Exception], ...], interrupted: str = "") -> int:
    """The exit status of ``work``: its own, 2 after ``bad_input``, which is said in one line, or that of Ctrl-C.

    Args:
        name: of the module in ``flows``.
        interrupted: what to say after Ctrl-C, if anything.
    """
    interrupt_on_signals()
    try:
        return work()
    except (*bad_input, InputError) as error:
        print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if interrupted:
            print(f"{name}: interrupted; {interrupted}", file=sys.stderr)
        return INTERRUPTED


class _PrintCompletion(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> NoReturn:
        parser.prog = installed_name(parser.name)
        for action in parser._actions:
            # Where a shipped checkpoint is the default, its name or a file may be given.
            if action.type is Path or isinstance(action.default, Path):
                action.complete = shtab.FILE
        print(shtab.complete(parser, str(values)))
        parser.exit(0)

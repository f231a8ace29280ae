"""The program ``potstream``: every command of ``flows`` under one name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from flows import (
    bench_csim,
    bench_training,
    build,
    calibrate,
    compare,
    estimate,
    evaluate,
    prune,
    rank,
    rtl,
    search,
    simulate,
    sweep,
    synthesis,
    train,
    verify,
)
from flows.command_line import PROGRAM, Command, CommandParser, Status, guarded

GROUPS: dict[str, tuple[Command, ...]] = {
    "train": (train.COMMAND, prune.COMMAND, search.COMMAND, rank.COMMAND, sweep.COMMAND),
    "convert": (build.COMMAND, rtl.COMMAND),
    "look": (estimate.COMMAND, simulate.COMMAND, synthesis.COMMAND),
    "compare": (compare.COMMAND, evaluate.COMMAND, verify.COMMAND),
    "measure": (bench_csim.COMMAND, bench_training.COMMAND, calibrate.COMMAND),
}
COMMANDS = {command.name: command for group in GROUPS.values() for command in group}
ABOUT = "A power-of-two vision transformer, exact from PyTorch through QONNX and hls4ml to HLS C++ and Verilog."


def table_of_contents() -> str:
    """The commands by group, a line each."""
    width = max(map(len, COMMANDS))
    lines = [ABOUT]
    for group, commands in GROUPS.items():
        lines += ["", f"{group}:", *(f"  {command.name:<{width}}  {command.title}" for command in commands)]
    return "\n".join([*lines, "", f"{PROGRAM} COMMAND --help shows the options of a command."])


def program_parser() -> CommandParser:
    parser = CommandParser(
        PROGRAM, prog=PROGRAM, usage=f"{PROGRAM} COMMAND [OPTION ...]", description=table_of_contents()
    )
    # shtab takes a second to import, which only who asks for it should wait for.
    parser.add_argument(
        "--print-completion",
        action=_PrintCompletion,
        default=argparse.SUPPRESS,
        choices=_PrintCompletion.SHELLS,
        help="print what makes a shell complete commands and options, and exit",
    )
    made = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", help=argparse.SUPPRESS)
    for command in COMMANDS.values():
        one = made.add_parser(
            command.name,
            prefix=command.module,
            prog=f"{PROGRAM} {command.name}",
            description=command.description,
            help=command.title,
        )
        command.add_options(one)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out the command that ``argv`` names; returns its exit status."""
    options = argparse.Namespace()

    def parse() -> int:
        program_parser().parse_args(argv, options)
        return Status.OK

    return guarded(PROGRAM, parse) or COMMANDS[options.command].carry_out(options)


class _PrintCompletion(argparse.Action):
    SHELLS = ("bash", "zsh", "tcsh", "fish")

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> NoReturn:
        import shtab

        commands = next(action for action in parser._actions if action.dest == "command")
        commands.help = "command"  # what is left out of --help would be left out of the completion, too
        for one in (parser, *commands.choices.values()):
            for action in one._actions:
                # Where a shipped checkpoint is the default, its name or a file may be given.
                if action.type is Path or isinstance(action.default, Path):
                    action.complete = shtab.FILE
        print(shtab.complete(parser, str(values)))
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())

"""Runs the vendor's tools on the scripts of a build, where they are on the path."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hls_projects.board.scripts import HLS_SCRIPT, VIVADO_SCRIPT
from hls_projects.signals import signals_held

LOGS = "logs"
# The first one that is there runs the script; releases up to 2024.1 have the first, later ones the second.
HLS_TOOLS = {"vitis_hls": ("-f", HLS_SCRIPT), "vitis-run": ("--mode", "hls", "--tcl", HLS_SCRIPT)}
VIVADO_TOOLS = {"vivado": ("-mode", "batch", "-nojournal", "-nolog", "-source", VIVADO_SCRIPT)}
GRACE_SECONDS = 10.0


class ToolError(Exception):
    """A tool that is missing, or that ended before its work was done."""


@dataclass(frozen=True)
class Tool:
    """A tool on the path.

    Args:
        name: of the executable.
        command: with its arguments, to be run in the folder of the scripts.
    """

    name: str
    command: Sequence[str]


def find_tool(tools: Mapping[str, Sequence[str]], script: str) -> Tool:
    """The first of ``tools`` that is on the path.

    Raises:
        ToolError: none is; the message says that ``script`` is ready.
    """
    for name, arguments in tools.items():
        if path := shutil.which(name):
            return Tool(name, (path, *arguments))
    what = f"neither {' nor '.join(tools)} is" if len(tools) > 1 else f"{next(iter(tools))} is not"
    raise ToolError(f"{what} on the PATH; {script} is ready to be run where it is")


def run_tool(tool: Tool, folder: Path, told: Callable[[str], None], variables: Mapping[str, str] | None = None) -> None:
    """Run ``tool`` in ``folder``; what it says goes to ``told``, line by line, and into a file in ``logs``.

    Args:
        variables: of its environment, beside ours.

    Raises:
        ToolError: it ended with another status than 0.
    """
    log = folder / LOGS / f"{tool.name}.log"
    log.parent.mkdir(exist_ok=True)
    process = None
    try:
        with signals_held():
            process = _start(tool, folder, variables or {})
        assert process.stdout
        with log.open("w", encoding="utf-8") as file:
            for line in process.stdout:
                file.write(line)
                told(line.rstrip("\n"))
        status = process.wait()
    finally:
        if process:
            _end(process)
    if status:
        raise ToolError(f"{tool.name} ended with {status}; see {folder.name}/{LOGS}/{log.name}")


def _start(tool: Tool, folder: Path, variables: Mapping[str, str]) -> subprocess.Popen:
    """In a session of its own: the tools start others, which must end with them."""
    return subprocess.Popen(
        list(tool.command),
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def _end(process: subprocess.Popen) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stdout:
        process.stdout.close()

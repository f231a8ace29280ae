"""A build: its steps one after the other, in a folder that replaces the earlier output at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from flows.building import steps
from flows.building.hashes import write_hashes
from flows.building.settings import STEPS, Settings
from flows.building.steps import Build
from flows.building.workspace import workspace
from flows.command_line import Status

FUNCTIONS: dict[str, Callable[[Build], None]] = {
    "load": steps.load,
    "export": steps.export,
    "ranges": steps.check_ranges,
    "lower": steps.lower_graph,
    "fold": steps.fold_graph,
    "convert": steps.convert_graph,
    "compile": steps.compile_project,
    "simulate": steps.simulate_all,
    "compare": steps.compare,
    "synth": steps.synthesise,
    "deploy": steps.deploy,
    "report": steps.report,
}


def build(settings: Settings) -> Status:
    """Carry out the steps that ``settings`` name.

    Raises:
        InputError, OSError: something that was given cannot be used; the earlier output is then as it was.
    """
    first, last = STEPS.index(settings.first), STEPS.index(settings.last)
    with workspace(settings.out, keep=first > 0) as folder:
        made = Build.open(settings, folder, STEPS[first:])
        for name in STEPS[first : last + 1]:
            print(f"[{name}]", flush=True)
            started = time.perf_counter()
            FUNCTIONS[name](made)
            made.finish(name, time.perf_counter() - started)
        write_hashes(folder)
    return _status(made)


def _status(made: Build) -> Status:
    if found := made.difference():
        print(f"build: not exact: {found}", file=sys.stderr)
        return Status.DIFFERS
    if made.tool_failure:
        print(f"build: {made.tool_failure}", file=sys.stderr)
        return Status.TOOL_FAILED
    return Status.OK

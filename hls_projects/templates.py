"""The one way to open Jinja templates: for C++, Tcl, Verilog and HTML."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@cache
def environment(folder: Path, *, html: bool = False) -> Environment:
    """The templates in ``folder``.

    A name that a template uses and the caller does not give raises ``jinja2.UndefinedError`` when it is rendered.

    Args:
        html: escape values as HTML does, and drop the indentation before block tags. Generated source text is never
            escaped: what goes into it is checked where it is read.

    Returns:
        One environment for each folder; filters and globals that are added to it stay.
    """
    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=html,
        trim_blocks=True,
        lstrip_blocks=html,
        keep_trailing_newline=True,
    )

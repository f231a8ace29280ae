"""Figures as files."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from hls_projects.files import write_whole

DOTS_PER_INCH = 110


def write_figure(path: Path, figure: Figure) -> None:
    """Write ``figure``, whole or not at all; the name's ending is the format, PNG where it has none.

    Raises:
        OSError: the file cannot be written.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=DOTS_PER_INCH, format=path.suffix.lstrip(".") or "png")
    write_whole(path, drawn.getvalue())

"""``folding.json``: an object that gives every operator with a folding its attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hls_projects.files import parse_json, read_text
from hls_projects.folding.options import FoldingError
from hls_projects.operators.base import Folding


def foldings_text(foldings: Mapping[str, Folding]) -> str:
    """The text of ``folding.json``, one operator a line."""
    lines = (f"  {json.dumps(name)}: {json.dumps(folding)}" for name, folding in foldings.items() if folding)
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_foldings(path: Path) -> dict[str, Folding]:
    """The foldings in the file ``path``, by operator; whether they fit a graph is not checked.

    Raises:
        FoldingError: a file that cannot be read, or not an object of objects.
    """
    try:
        rows: Any = parse_json(read_text(path))
    except OSError as error:
        raise FoldingError(f"folding {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise FoldingError(f"folding {path} is not JSON: {error}") from error
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise FoldingError(f'folding {path} must be an object of {{"OPERATOR": {{"pe": N}}}}')
    return rows

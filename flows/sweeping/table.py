"""The points of a sweep as a CSV file and as a table for the terminal."""

from __future__ import annotations

import csv
import io
from typing import Any

from flows.reporting.formatting import count, fixed, known_as
from flows.reporting.synthesis import hls_evidence
from flows.reporting.text_table import text_table
from hls_projects.folding.estimate import DESIGN, SIMULATED

Row = dict[str, Any]
SHOWN = {
    "attention": "attention", "tile_size": "tile", "fifo_length": "FIFO words", "accuracy": "top-1 %",
    "fifo_bits": "FIFO bits", "key_value_bits": "key/value bits", "memory_bits": "memory bits",
    "interval_cycles": "interval", "latency_cycles": "latency", "loaded_latency_cycles": "under load",
    "starved_cycles": "starved", "backpressured_cycles": "backpressured",
}  # fmt: skip


def csv_text(rows: list[Row]) -> str:
    """A line for each point; a figure that does not exist is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def table(rows: list[Row]) -> str:
    """Cycles and bits; a point that deadlocks has its remedy instead of cycles."""
    cells = ([*(_cell(row[name]) for name in SHOWN), _remedy(row)] for row in rows)
    found = text_table([*SHOWN.values(), ""], cells, left=(0, len(SHOWN)))
    return f"{found}\n\ncycles: {known_as(SIMULATED, DESIGN)}; {hls_evidence(None)}"


def _cell(value: object) -> str | None:
    if isinstance(value, float):
        return fixed(value, 2)
    return count(value) if isinstance(value, int) else value


def _remedy(row: Row) -> str:
    return f"deadlock; needs {row['remedy']}" if row["deadlock"] else ""

"""The points of a sweep as a CSV file and as a table to be read."""

from __future__ import annotations

import csv
import io
from typing import Any

Row = dict[str, Any]
SHOWN = {
    "attention": ("attention", 9), "tile_size": ("tile", 5), "fifo_length": ("FIFO", 9), "accuracy": ("top-1 %", 8),
    "fifo_bits": ("FIFO bits", 12), "store_bits": ("store bits", 11), "memory_bits": ("memory bits", 12),
    "latency_cycles": ("latency", 11), "interval_cycles": ("interval", 11), "transit_cycles": ("transit", 11),
    "stall_empty_cycles": ("empty", 12), "stall_full_cycles": ("full", 12),
}  # fmt: skip


def csv_text(rows: list[Row]) -> str:
    """One line a point; empty where a figure does not exist."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def table(rows: list[Row]) -> str:
    """Cycles of clock and bits; a point that stands still has its remedy in place of cycles."""
    lines = ["  ".join(f"{title:>{width}}" for title, width in SHOWN.values())]
    for row in rows:
        cells = [_cell(row[name], width) for name, (_, width) in SHOWN.items() if row[name] is not None]
        lines.append("  ".join(cells + [f"stands still; needs {row['remedy']}"] * row["deadlock"]))
    return "\n".join(lines)


def _cell(value: object, width: int) -> str:
    form = ".2f" if isinstance(value, float) else "," if isinstance(value, int) else ""
    return f"{value:>{width}{form}}"

"""Measured resources of designs, a CSV file a family."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from hls_projects.calibration.grid import Design, Family, Point
from hls_projects.errors import InputError
from hls_projects.files import write_whole
from hls_projects.rtl.synthesis import Resources
from hls_projects.verilog.sources import hardware_text, sources

MEASURED = ("lut", "lut_ram", "ff", "carry4", "bram36", "dsp")
STAMPS = ("design", "creator")
MEASUREMENTS = Path(__file__).parent / "measurements"


@dataclass(frozen=True)
class Row:
    """A point with what was measured there.

    Args:
        design: :func:`digest` of what was synthesised.
    """

    point: Point
    design: str
    measured: Resources


def digest(design: Design) -> str:
    """Hash of all that a synthesis depends on, except for the synthesiser.

    That is the module, its parameters, the contents of its memories, and the Verilog without comments and checks.
    """
    twin = design.twin
    parts = [twin.module, *sorted(f"{name}={value}" for name, value in twin.parameters.items())]
    parts += [f"{name} {memory.width} {memory.hex()}" for name, memory in sorted(twin.memories.items())]
    parts += [hardware_text(path.read_text()) for path in sources(twin.module, design.folder)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def path_of(family: Family, folder: Path = MEASUREMENTS) -> Path:
    return folder / f"{family.name}.csv"


def read(family: Family, folder: Path = MEASUREMENTS) -> list[Row]:
    """The rows of a family's file; none where there is no file.

    Raises:
        InputError: another header than the family's.
    """
    path = path_of(family, folder)
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != _header(family):
            raise InputError(f"{path} has other columns than {', '.join(_header(family))}; delete it to measure anew")
        return [_row(family, texts) for texts in rows]


def write(family: Family, rows: Iterable[Row], folder: Path = MEASUREMENTS) -> None:
    """Write a family's file, whole or not at all, in the order of the family's points."""
    order = {tuple(point.values()): index for index, point in enumerate(family.points)}
    known = [row for row in rows if tuple(row.point.values()) in order]
    text = io.StringIO()
    lines = csv.DictWriter(text, _header(family), lineterminator="\n")
    lines.writeheader()
    for row in sorted(known, key=lambda row: order[tuple(row.point.values())]):
        measured = asdict(row.measured)
        lines.writerow(row.point | {name: measured[name] for name in (*MEASURED, "creator")} | {"design": row.design})
    write_whole(path_of(family, folder), text.getvalue())


def _header(family: Family) -> tuple[str, ...]:
    return (*family.points[0], *MEASURED, *STAMPS)


def _row(family: Family, texts: dict[str, str]) -> Row:
    point = {name: _value(texts[name]) for name in family.points[0]}
    figures = {name: float(texts[name]) if name == "bram36" else int(texts[name]) for name in MEASURED}
    return Row(point, texts["design"], Resources(**figures, creator=texts["creator"]))


def _value(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text

"""Measuring the twins' resources with Yosys, and fitting the cost model to them; flows/calibrate.py does it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from hls_projects.calibration import table
from hls_projects.calibration.fit import Sample, fit, report
from hls_projects.calibration.grid import FAMILIES, Family, Point
from hls_projects.calibration.table import Row, digest
from hls_projects.cost import MODEL
from hls_projects.errors import InputError
from hls_projects.files import write_whole
from hls_projects.rtl.synthesis import synthesise
from hls_projects.verilog.sources import sources


def calibrate(names: Sequence[str] | None, most: int | None, jobs: int, folder: Path | None, file: Path | None) -> int:
    """Measure what is missing of the families ``names``, fit the cost model, and print its errors; returns 0.

    Args:
        names: of families; None for all.
        most: points of a family that are measured, the first of its grid; None for all.
        jobs: syntheses at a time.
        folder: of the measurements, None for the project's.
        file: of the cost model, None for the project's.

    Raises:
        InputError: an unknown family; Yosys is missing or fails; measurements that do not fit each other.
    """
    folder = folder or table.MEASUREMENTS
    for family in _families(names):
        measure(family, most, jobs, folder)
    print(report(fit_model(folder, file or MODEL)))
    return 0


def _families(names: Sequence[str] | None) -> list[Family]:
    known = {family.name: family for family in FAMILIES}
    for name in names or ():
        if name not in known:
            raise InputError(f"--operators {name} is no family of operators; there are {', '.join(known)}")
    return [family for family in FAMILIES if names is None or family.name in names]


def measure(family: Family, most: int | None, jobs: int, folder: Path) -> None:
    """Synthesise what is missing of a family's first points."""
    rows = {tuple(row.point.values()): row for row in table.read(family, folder)}
    missing = []
    for point in family.points[:most]:
        known = rows.get(tuple(point.values()))
        if known is None or known.design != digest(family.design(point)):
            missing.append(point)
    with ThreadPoolExecutor(max(jobs, 1)) as pool:
        running = [pool.submit(measured, family, point) for point in missing]
        try:
            for count, done in enumerate(as_completed(running), 1):
                row = done.result()
                rows[tuple(row.point.values())] = row
                table.write(family, rows.values(), folder)
                _progress(family, row, f"{count}/{len(missing)}")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def measured(family: Family, point: Point) -> Row:
    """A point, synthesised."""
    design = family.design(point)
    files = sources(design.twin.module, design.folder)
    return Row(
        point, digest(design), synthesise(design.twin.module, design.twin.parameters, files, design.twin.memories)
    )


def _progress(family: Family, row: Row, count: str) -> None:
    found = row.measured
    figures = f"{found.lut} LUT, {found.ff} FF, {found.bram36:g} BRAM36, {found.dsp} DSP"
    print(
        f"{time.strftime('%H:%M:%S')} {family.name} {count} {' '.join(map(str, row.point.values()))}: {figures}",
        flush=True,
    )


def fit_model(folder: Path, path: Path) -> dict:
    """Fit to all that was measured, and write the cost model to ``path``.

    Raises:
        InputError: measurements by different synthesisers, or too few.
    """
    found = [(family, row) for family in FAMILIES for row in table.read(family, folder)]
    creators = sorted({row.measured.creator for _, row in found})
    if len(creators) != 1:
        raise InputError(f"measurements by {' and '.join(creators) or 'nobody'}; measure all of them with one Yosys")
    model = fit([Sample.of(row, family.design(row.point).demand) for family, row in found], creators[0])
    write_model(model, path)
    return model


def write_model(model: dict, path: Path) -> None:
    write_whole(path, json.dumps(model, indent=1) + "\n")

"""Measure the twins' resources with Yosys and fit the cost model to them.

    python -m hls_projects.calibration.calibrate [--operators PotLinear Fifo] [--most N] [--jobs N]

Every point of the grid (:mod:`hls_projects.calibration.grid`) that is not yet in its family's file in
``hls_projects/calibration/measurements``, or was measured on other Verilog, is synthesised; the
file is written after each, so that an interrupted run resumes. Then ``hls_projects/cost_model.json`` is written, and
its errors are printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from hls_projects.calibration import table
from hls_projects.calibration.fit import Sample, fit, report
from hls_projects.calibration.grid import FAMILIES, Family, Point
from hls_projects.calibration.table import Row, digest
from hls_projects.cost import MODEL
from hls_projects.files import write_whole
from hls_projects.rtl.synthesis import SynthesisError, synthesise
from hls_projects.verilog.sources import sources


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, 2 where something cannot be used, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    families = [family for family in FAMILIES if options.operators is None or family.name in options.operators]
    try:
        for family in families:
            measure(family, options.most, options.jobs, options.folder)
        model = fit_model(options.folder, options.model)
    except (SynthesisError, ValueError, OSError) as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(report(model))
    return 0


def _parser() -> argparse.ArgumentParser:
    names = [family.name for family in FAMILIES]
    parser = argparse.ArgumentParser(prog="hls_projects.calibration.calibrate", description=__doc__.splitlines()[0])
    parser.add_argument("--operators", nargs="+", choices=names, metavar="FAMILY", help=f"of {', '.join(names)}")
    parser.add_argument("--most", type=int, metavar="N", help="only the first N points of a family; 0: only fit")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="syntheses at a time (default 1)")
    parser.add_argument("--folder", type=Path, default=table.MEASUREMENTS, help="folder of the measurements")
    parser.add_argument("--model", type=Path, default=MODEL, help="file of the fitted cost model")
    return parser


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
        ValueError: measurements by different synthesisers, or too few.
    """
    found = [(family, row) for family in FAMILIES for row in table.read(family, folder)]
    creators = sorted({row.measured.creator for _, row in found})
    if len(creators) != 1:
        raise ValueError(f"measurements by {' and '.join(creators) or 'nobody'}; measure all of them with one Yosys")
    model = fit([Sample.of(row, family.design(row.point).demand) for family, row in found], creators[0])
    write_model(model, path)
    return model


def write_model(model: dict, path: Path) -> None:
    write_whole(path, json.dumps(model, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())

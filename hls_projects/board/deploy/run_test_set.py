"""Classify the test set on the board and print its figures beside those of the report.

    python3 run_test_set.py

on the board, as root and in PYNQ's Python environment.

Exit status: 0; 1 when a logit differs from the C-simulation's; 2 when the board or the folder cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from accelerator import Accelerator, AcceleratorError, accuracy, check_files

HERE = Path(__file__).resolve().parent


def row(name: str, board: float | None, report: float | None) -> str:
    cells = ["-" if value is None else f"{value:,.2f}" for value in (board, report)]
    return f"{name:<22}{cells[0]:>12}{cells[1]:>12}"


def run(folder: Path, count: int | None, timeout: float) -> int:
    with Accelerator(folder, timeout) as accelerator:
        figures = accelerator.manifest["figures"]
        names = [name for name in accelerator.manifest["files"] if name.startswith("test_set/")]
        check_files(folder, accelerator.manifest, names)
        images, labels, expected = (
            np.load(folder / name)[:count] if name in names else None
            for name in ("test_set/images.npy", "test_set/labels.npy", "test_set/logits.npy")
        )
        classes, logits = accelerator.run(images)
        statistics, counters = accelerator.statistics, accelerator.counters()
    differ = int((logits != expected).sum())
    print(f"{f'{len(images):,} images':<22}{'board':>12}{'report':>12}")
    print(row("accuracy, %", accuracy(classes, labels), figures["accuracy"]))
    print(row("images/s", statistics.images_per_second, figures["images_per_second"]))
    print(row("latency, ms, mean", 1e3 * statistics.latency_mean, None))
    print(row("latency, ms, min", 1e3 * statistics.latency_min, None))
    print(row("latency, ms, max", 1e3 * statistics.latency_max, None))
    print(f"core: {', '.join(f'{name} {value:,}' for name, value in counters.items())}")
    print(f"logits that differ from the C-simulation: {differ:,} of {logits.size:,}")
    return int(differ > 0)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, help="only the first N images")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds without a result (default: 2)")
    args = parser.parse_args(argv)
    try:
        return run(HERE, args.images, args.timeout)
    except (AcceleratorError, OSError) as error:
        print(f"run_test_set: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

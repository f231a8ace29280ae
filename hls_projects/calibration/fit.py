"""Coefficients of the cost model by nonnegative least squares, and their error on points held out.

``cost_model.json`` is an object: ``creator``, the synthesiser with its version; ``kinds``, for every kind of demand

- ``points`` that were measured and how many of them were ``held_out``;
- ``coefficients`` of ``LUT`` and ``FF``: by feature;
- ``errors`` of every resource: ``median`` and ``worst`` relative to what was measured, and ``worst_absolute``; of
  LUT and FF on the points held out, of BRAM36 and DSP, which are not fitted, on all.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from hls_projects.calibration.grid import Point
from hls_projects.calibration.table import Row
from hls_projects.cost import KINDS, Demand, weighted
from hls_projects.errors import InputError

FITTED = ("LUT", "FF")
# Every third point is held out.
HELD_OUT = 3
# So many LUTs or flip-flops weigh like a relative error of one where there are fewer.
SLACK = 20.0


@dataclass(frozen=True)
class Sample:
    """A measured point and what is known of it beforehand."""

    point: Point
    demand: Demand
    measured: Mapping[str, float]

    @classmethod
    def of(cls, row: Row, demand: Demand) -> Sample:
        found = row.measured
        return cls(row.point, demand, dict(zip(KINDS, (found.lut, found.ff, found.bram36, found.dsp), strict=True)))


def fit(samples: Iterable[Sample], creator: str) -> dict:
    """The model, see the module.

    Raises:
        InputError: a kind with too few points to hold any out.
    """
    by_kind: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_kind[sample.demand.kind].append(sample)
    return {"creator": creator, "kinds": {kind: _fit_kind(kind, by_kind[kind]) for kind in sorted(by_kind)}}


def split(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Points that are fitted and points that are held out, by chance, but always the same."""
    order = sorted(samples, key=lambda sample: zlib.crc32(repr(sorted(sample.point.items())).encode()))
    held = order[HELD_OUT - 1 :: HELD_OUT]
    return [sample for sample in order if sample not in held], held


def _fit_kind(kind: str, samples: list[Sample]) -> dict:
    if len(samples) < HELD_OUT:
        raise InputError(f"{kind} has {len(samples)} points; {HELD_OUT} are needed to hold one out")
    fitted, held = split(samples)
    coefficients = {name: _coefficients(fitted, name) for name in FITTED}
    predicted = {name: [weighted(coefficients[name], sample.demand.features) for sample in held] for name in FITTED}
    errors = {name: _errors(predicted[name], [sample.measured[name] for sample in held]) for name in FITTED}
    for name in ("BRAM36", "DSP"):
        counted = [getattr(sample.demand, name) for sample in samples]
        errors[name] = _errors(counted, [sample.measured[name] for sample in samples])
    return {"points": len(samples), "held_out": len(held), "coefficients": coefficients, "errors": errors}


def _coefficients(samples: Sequence[Sample], name: str) -> dict[str, float]:
    features = list(samples[0].demand.features)
    matrix = np.array([[sample.demand.features[feature] for feature in features] for sample in samples], dtype=float)
    measured = np.array([sample.measured[name] for sample in samples])
    weights = 1 / np.maximum(measured, SLACK)
    scale = np.maximum(matrix.max(axis=0), 1e-9)
    found, _ = nnls(matrix / scale * weights[:, None], measured * weights)
    return {feature: round(float(value), 5) for feature, value in zip(features, found / scale, strict=True)}


def _errors(predicted: Sequence[float], measured: Sequence[float]) -> dict[str, float]:
    """Relative to what was measured; to one where that is nothing."""
    absolute = np.abs(np.array(predicted) - np.array(measured))
    relative = absolute / np.maximum(measured, 1)
    figures = {"median": np.median(relative), "worst": relative.max(), "worst_absolute": absolute.max()}
    return {name: round(float(value), 4) for name, value in figures.items()}


def report(model: Mapping) -> str:
    """A table of the errors."""
    title = f"{'kind':24}{'points':>7}{'held':>5}" + "".join(f"{f'{name} median':>15}{'worst':>8}" for name in FITTED)
    lines = [title + f"{'BRAM36 worst':>14}{'DSP worst':>11}"]
    for kind, found in model["kinds"].items():
        errors = found["errors"]
        fitted = "".join(f"{errors[name]['median']:>15.1%}{errors[name]['worst']:>8.1%}" for name in FITTED)
        counted = f"{errors['BRAM36']['worst']:>14.1%}{errors['DSP']['worst']:>11.1%}"
        lines.append(f"{kind:24}{found['points']:>7}{found['held_out']:>5}{fitted}{counted}")
    return "\n".join(lines)

"""The figures of a vendor's report, with the tool that they are from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# The word for figures that the vendor's synthesis gave; see the report's schema.
MEASURED = "measured"
RESOURCES = ("LUT", "FF", "BRAM36", "DSP")

# LUT, FF, BRAM36, DSP, and URAM where the part has any. Half a BRAM36 is a block RAM of 18 Kibit.
Resources = Mapping[str, int | float]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What every report has.

    Args:
        file: where it was read.
        tool: program and version, ``Vivado 2023.2``.
        part: the device as the tool writes it; some reports leave out its speed grade.
    """

    file: Path
    tool: str
    part: str

    @property
    def evidence(self) -> str:
        return f"{MEASURED} by {self.tool}"


@dataclass(frozen=True, kw_only=True)
class Module:
    """One module with everything in it: modules do not add up to the design.

    Args:
        name: of the module (C synthesis), or the path of the instance (implementation).
        depth: 0 for the design itself.
        latency_cycles, interval_cycles: worst case; None where the tool does not know.
    """

    name: str
    depth: int
    resources: Resources
    latency_cycles: int | None = None
    interval_cycles: int | None = None


@dataclass(frozen=True, kw_only=True)
class CSynthesis(Report):
    """``csynth.xml``: what Vitis HLS says before logic synthesis, its own estimate of area and clock.

    Args:
        top: the top function.
        target_period_ns, estimated_period_ns: of the clock: asked for, and the longest path without uncertainty.
        latency_cycles, interval_cycles: worst case; None where the tool does not know.
        resources: of the design.
        modules: every function that became a module.
    """

    top: str
    target_period_ns: float
    estimated_period_ns: float
    latency_cycles: int | None
    interval_cycles: int | None
    resources: Resources
    modules: tuple[Module, ...]

    @property
    def clock_mhz(self) -> float:
        return 1000.0 / self.estimated_period_ns


@dataclass(frozen=True, kw_only=True)
class Utilization(Report):
    """``report_utilization`` of Vivado.

    Args:
        design: the top module.
        state: how far Vivado had come: Synthesized, Fully Placed, Routed; None where the report does not say.
        resources: of the design.
        modules: instances, where a hierarchical report was read.
    """

    design: str
    state: str | None
    resources: Resources
    modules: tuple[Module, ...] = ()


@dataclass(frozen=True)
class Clock:
    """A clock; ``wns_ns`` is the worst slack of the paths within it, None where it has none."""

    name: str
    period_ns: float
    wns_ns: float | None

    @property
    def achieved_mhz(self) -> float | None:
        """The clock at which the worst of its paths would have no slack left."""
        return None if self.wns_ns is None else 1000.0 / (self.period_ns - self.wns_ns)


@dataclass(frozen=True, kw_only=True)
class Timing(Report):
    """``report_timing_summary`` of Vivado.

    Args:
        design, state: as of :class:`Utilization`.
        wns_ns, tns_ns: worst and total negative slack of setup in the whole design; the first is positive where
            every constraint is met.
        clocks: of the design.
    """

    design: str
    state: str | None
    wns_ns: float
    tns_ns: float
    clocks: tuple[Clock, ...]

    @property
    def critical(self) -> Clock:
        """The clock with the least slack."""
        return min((clock for clock in self.clocks if clock.wns_ns is not None), key=lambda clock: clock.wns_ns or 0.0)


@dataclass(frozen=True, kw_only=True)
class VendorReports:
    """What a folder holds; at least one is there."""

    c_synthesis: CSynthesis | None = None
    utilization: Utilization | None = None
    timing: Timing | None = None

    @property
    def found(self) -> list[Report]:
        return [report for report in (self.c_synthesis, self.utilization, self.timing) if report is not None]

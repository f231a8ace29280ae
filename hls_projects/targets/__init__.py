"""Boards as data: one TOML file each, beside this module."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


class TargetError(ValueError):
    """An unknown board or a wrong board file."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A board.

    Args:
        name: as given to ``--target``.
        part: the vendor's name of the device.
        clock_mhz: clock of the accelerator.
        lut, ff, bram36, dsp: what the device has.
    """

    name: str
    part: str
    clock_mhz: float
    lut: int
    ff: int
    bram36: int
    dsp: int

    @property
    def clock_period_ns(self) -> float:
        return 1000.0 / self.clock_mhz


def target_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_target(name: str) -> Target:
    """The board called ``name``.

    Raises:
        TargetError: no such board (the message lists the known), or a wrong key in its file.
    """
    if name not in target_names():
        raise TargetError(f"unknown target {name!r}; known targets: {', '.join(target_names())}")
    try:
        fields = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    except ValueError as error:
        raise TargetError(f"targets/{name}.toml is not TOML: {error}") from error
    known = {field.name for field in dataclasses.fields(Target)} - {"name"}
    wrong = sorted(set(fields) ^ known)
    if wrong:
        raise TargetError(f"targets/{name}.toml: key {wrong[0]!r} is {'unknown' if wrong[0] in fields else 'missing'}")
    for key, value in fields.items():
        if not isinstance(value, str) if key == "part" else type(value) not in (int, float) or value <= 0:
            raise TargetError(f"targets/{name}.toml: key {key!r} must be {_kind(key)}, not {value!r}")
    return Target(name=name, **fields)


def _kind(key: str) -> str:
    return "a device name" if key == "part" else "a positive number"

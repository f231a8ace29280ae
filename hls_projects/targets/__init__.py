"""Boards as data: one TOML file each, beside this module or anywhere else, held to ``target.schema.json``."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hls_projects.errors import InputError
from hls_projects.files import parse_toml, read_text
from hls_projects.names import is_file_name, shown

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

FOLDER = Path(__file__).parent
SCHEMA = FOLDER / "target.schema.json"
SUFFIX = ".toml"
LARGEST_FILE = 1 << 20
TARGET_HELP = f"name of a board, or the path of its {SUFFIX} file"
# What is said where several things are wrong: a misspelled key is also a missing one.
ORDER = ("additionalProperties", "required")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A board.

    Args:
        name: as given to ``--target``, or of the file that was given.
        part, board_part: the vendor's names of the device and of the board.
        clock_mhz: clock of the accelerator.
        resources: what the device has: ``LUT``, ``FF``, ``BRAM36``, ``DSP``, and ``URAM`` if it has any.
        memory_width_bits: data pins of the board's DRAM.
        memory_megatransfers: millions of transfers a second on each of them, at most.
        stream_width_bits: of the widest port between that memory and the programmable logic.
    """

    name: str
    part: str
    board_part: str
    clock_mhz: float
    resources: Mapping[str, int] = field(hash=False)
    memory_width_bits: int
    memory_megatransfers: float
    stream_width_bits: int

    @property
    def clock_period_ns(self) -> float:
        return 1000.0 / self.clock_mhz

    @property
    def memory_bytes_per_second(self) -> float:
        """At most: the DRAM's peak."""
        return self.memory_width_bits / 8 * self.memory_megatransfers * 1e6


def target_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def target_file(name: str) -> Path:
    """The file of a board.

    Args:
        name: one of :func:`target_names`, or the path of a file that ends in ``.toml``.

    Raises:
        InputError: no such board (the message lists the known) or no such file, or another board than the known
            one of its name.
    """
    if name in target_names():
        return FOLDER / f"{name}{SUFFIX}"
    path = Path(name)
    if path.suffix != SUFFIX:
        raise InputError(
            f"unknown target {shown(name)!r}; known targets: {', '.join(target_names())}; "
            f"or give the path of a {SUFFIX} file"
        )
    if not path.is_file():
        raise InputError(f"target {name} does not exist; known targets: {', '.join(target_names())}")
    if path.stem in target_names() and not path.samefile(FOLDER / path.name):
        raise InputError(f"target {name} has the name of a known target; rename the file")
    return path


def load_target(name: str) -> Target:
    """The board called ``name``, or that of the file ``name``.

    Raises:
        InputError: as :func:`target_file` and :func:`read_target`.
    """
    path = target_file(name)
    return read_target(path, path.stem)


def read_target(path: Path, name: str) -> Target:
    """The board in the file ``path``, under the ``name``.

    Raises:
        InputError: the file is no TOML, or the key in it that is unknown, missing or of a wrong type.
    """
    file = f"targets/{path.name}" if path.parent == FOLDER else shown(str(path))
    if not is_file_name(name):
        raise InputError(f"{file}: a target is named with letters, digits, and . _ + = -; rename the file")
    try:
        facts = parse_toml(read_text(path, LARGEST_FILE))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{file} is not TOML: {error}") from error
    wrong = _complaint(facts)
    if wrong:
        raise InputError(f"{file}: key {wrong}")
    return Target(
        name=name,
        part=facts["part"],
        board_part=facts["board_part"],
        clock_mhz=float(facts["clock_mhz"]),
        resources={kind: int(count) for kind, count in facts["resources"].items()},
        memory_width_bits=int(facts["memory"]["width_bits"]),
        memory_megatransfers=float(facts["memory"]["megatransfers"]),
        stream_width_bits=int(facts["stream"]["width_bits"]),
    )


@cache
def _validator() -> Draft202012Validator:
    # Not at the top: parsers of commands need no more of this module than the names of the boards.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _complaint(facts: dict[str, Any]) -> str | None:
    """The first key that is wrong, and what is wrong with it."""
    for key, value in _numbers(facts):
        if not math.isfinite(value):
            return f"{key!r} must be a number, not {value}"
    errors = sorted(_validator().iter_errors(facts), key=_rank)
    return _explain(errors[0]) if errors else None


def _numbers(facts: dict[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[str, float]]:
    for key, value in facts.items():
        if isinstance(value, dict):
            yield from _numbers(value, (*place, key))
        elif isinstance(value, float):
            yield ".".join((*place, key)), value


def _rank(error: ValidationError) -> tuple[int, list[str]]:
    order = ORDER.index(error.validator) if error.validator in ORDER else len(ORDER)
    return order, list(map(str, error.absolute_path))


def _explain(error: ValidationError) -> str:
    place = list(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = min(set(error.instance) - set(known))
        near = {name.lower(): name for name in known}
        match = difflib.get_close_matches(unknown.lower(), near, n=1)
        hint = f"; did you mean {'.'.join([*place, near[match[0]]])!r}?" if match else f"; known are {', '.join(known)}"
        return f"{'.'.join([*place, unknown])!r} is unknown{hint}"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"{'.'.join([*place, missing])!r} is missing: {error.schema['properties'][missing]['description']}"
    return f"{'.'.join(place)!r}: {shown(error.message)}"

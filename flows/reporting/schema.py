"""Reading ``report.json`` and holding it to its published schema, ``report.schema.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from hls_projects.errors import InputError
from hls_projects.files import parse_json, read_text

SCHEMA_VERSION = 3
REPORT_FILE = "report.json"
LONGEST_REASON = 160


def check_report(report: dict[str, Any]) -> None:
    """Hold ``report`` to the schema.

    Raises:
        InputError: one line with the place in the document that is wrong, and why.
    """
    for place, value in _leaves(report, "report"):
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{place} is {value}, which JSON does not hold")
        if isinstance(value, str) and not _is_text(value):
            raise InputError(f"{place} is text that UTF-8 does not hold")
    error = best_match(_validator("report").iter_errors(report))
    if error is not None:
        raise InputError(_explain(error))
    _check_classes(report["classes"])


def read_report(path: Path) -> dict[str, Any]:
    """A checked report.

    Args:
        path: a ``report.json``, or the output folder of a build that holds one.

    Raises:
        InputError: in one line: no such file, damaged, of another schema version, no report.
    """
    file = path / REPORT_FILE if path.is_dir() else path
    report = _read_json(path, file)
    if not isinstance(report, dict):
        raise InputError(f"{file} is JSON but no report; flows/build.py writes {REPORT_FILE}")
    check_version(report, SCHEMA_VERSION, file, "build it again")
    try:
        check_report(report)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    return report


def check_version(document: dict[str, Any], wanted: int, file: Path, remedy: str) -> None:
    """Hold the schema version of ``document``, which was read from ``file``, to ``wanted``.

    Raises:
        InputError: one line with both versions and the ``remedy``.
    """
    version = document.get("schema_version")
    if type(version) is not int or version != wanted:
        found = "no schema version" if version is None else f"schema version {_brief(version)}"
        raise InputError(f"{file} has {found}, this program reads version {wanted}; {remedy}")


def load_schema(name: str) -> dict[str, Any]:
    """The schema ``<name>.schema.json`` beside this module."""
    return json.loads((Path(__file__).parent / f"{name}.schema.json").read_text(encoding="utf-8"))


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(load_schema(name))


def _read_json(path: Path, file: Path) -> Any:
    try:
        return parse_json(read_text(file))
    except FileNotFoundError as error:
        if path.is_dir():
            raise InputError(f"{path} holds no {REPORT_FILE}; run flows/build.py to its last step") from error
        raise InputError(f"{path} does not exist; give a {REPORT_FILE} or a build's output folder") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{file} is damaged or not JSON: {_cut(reason)}") from error


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Every key and every value that holds no others, with its place."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"a key of {place}", key
            yield from _leaves(item, f"{place}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{place}[{index}]")
    else:
        yield place, value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _explain(error: ValidationError) -> str:
    place = "report" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"{place}.{missing} is missing"
    if error.validator == "additionalProperties":
        unknown = next(key for key in error.instance if key not in error.schema["properties"])
        return f"{_cut(f'{place}.{unknown}')} is not in the schema"
    return f"{_cut(place)}: {_cut(' '.join(error.message.split()))}"


def _check_classes(classes: dict[str, Any] | None) -> None:
    """Every list of ``classes`` has one element a class."""
    if classes is None:
        return
    lists = {"images": classes["images"], "confusion": classes["confusion"]}
    lists |= {f"accuracy.{stage}": figures for stage, figures in classes["accuracy"].items()}
    lists |= {f"confusion[{index}]": row for index, row in enumerate(classes["confusion"] or [])}
    for name, figures in lists.items():
        if figures is not None and len(figures) != len(classes["names"]):
            found, expected = len(figures), len(classes["names"])
            raise InputError(f"report.classes.{name} has {found} elements, not one for each of {expected} names")


def _brief(value: Any) -> str:
    return _cut(json.dumps(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"

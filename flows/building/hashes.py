"""``hashes.json``: what a build must make again, byte for byte, from the same commit, checkpoint and options.

An object: ``schema_version``, 1, and ``files``, the SHA-256 of each file by its path in the folder. What tells
of one run, times, versions and the command, stays in ``report.*`` and ``build.json``; programs are of the
compiler and the processor, and what the vendor's tools make is theirs. Of the reports the figures of
``report.json`` count, as ``report.json#figures``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from flows.building.workspace import MARKER, read_marker
from hls_projects.errors import InputError
from hls_projects.files import parse_json, read_text, write_whole
from hls_projects.simulation import NATIVE, REFERENCE

HASHES = "hashes.json"
SCHEMA_VERSION = 1
FIGURES = "report.json#figures"
PROGRAMS = (NATIVE, REFERENCE)
# Of the vendor's tools: projects, logs and reports; bitstreams, which have their time in them.
OF_THE_TOOLS = ("vendor/*/*", "*.bit", "*.hwh")
OF_ONE_RUN = (HASHES, MARKER, "report.*", *(f"hls/{program.name}" for program in PROGRAMS), *OF_THE_TOOLS)
# Of report.json, and of each of its stages.
RUN_KEYS, RUN_STAGE_KEYS = ("seconds", "versions", "provenance"), ("seconds", "peak_memory_mib")


@dataclass(frozen=True)
class Difference:
    """Paths, sorted.

    Args:
        changed: on both sides, with other bytes. missing: only on the first. added: only on the second.
    """

    changed: list[str]
    missing: list[str]
    added: list[str]

    def __bool__(self) -> bool:
        return bool(self.changed or self.missing or self.added)


def sha256(path: Path) -> str:
    """Of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 of all that a build must make again, by path in its ``folder``, sorted.

    Raises:
        InputError: report.json is not JSON.
        OSError: a file that cannot be read.
    """
    paths = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    found = {name: sha256(path) for name, path in paths.items() if not _of_one_run(name)}
    if "report.json" in paths:
        found[FIGURES] = _figures(paths["report.json"])
    return dict(sorted(found.items()))


def write_hashes(folder: Path) -> None:
    """Write ``hashes.json`` into a build's ``folder``."""
    content = {"schema_version": SCHEMA_VERSION, "files": hash_files(folder)}
    write_whole(folder / HASHES, json.dumps(content, indent=2) + "\n")


def read_hashes(folder: Path) -> dict[str, str]:
    """What ``hashes.json`` in ``folder`` says, by path.

    Raises:
        InputError: no build wrote the folder, or its hashes are missing, damaged or of another version.
    """
    if read_marker(folder) is None:
        raise InputError(f"{folder} is not the output of a build; name the folder given to build.py --out")
    try:
        content = parse_json(read_text(folder / HASHES))
    except OSError as error:
        raise InputError(f"{folder / HASHES} cannot be read ({error.strerror}); build it again") from error
    except ValueError as error:
        raise InputError(f"{folder / HASHES} is not JSON: {error}; build it again") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(f"{folder / HASHES} has version {version}, this program reads version {SCHEMA_VERSION}")
    files = content.get("files")
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise InputError(f"{folder / HASHES} has no files; build it again")
    return files


def difference(first: Mapping[str, str], second: Mapping[str, str]) -> Difference:
    """What is not the same in the second."""
    common = first.keys() & second.keys()
    return Difference(
        sorted(name for name in common if first[name] != second[name]),
        sorted(first.keys() - common),
        sorted(second.keys() - common),
    )


def _of_one_run(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in OF_ONE_RUN)


def _figures(report: Path) -> str:
    """SHA-256 of a report without what tells of one run."""
    try:
        facts: Any = parse_json(read_text(report))
        kept = {key: value for key, value in facts.items() if key not in RUN_KEYS}
        kept["stages"] = [
            {key: value for key, value in stage.items() if key not in RUN_STAGE_KEYS} for stage in facts["stages"]
        ]
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{report} is not a report: {error!r}; build it again") from error
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()

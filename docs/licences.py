"""The licence of everything that the image's Python holds, as a page.

    python docs/licences.py > docs/licences.md

The packages are those of docker/requirements.lock, what they say of themselves is read from what is installed. A
package that is not installed here is an error.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "docker" / "requirements.lock"
HEAD = """# Licences

potstream is under the Apache License 2.0. What it depends on, in the versions of `docker/requirements.lock`, as the
packages say of themselves; `python docs/licences.py > docs/licences.md` makes this page.

| Package | Version | Licence |
|---|---|---|"""
TAIL = """
Beside Python's packages a build uses g++ (GPL-3.0 with the runtime library exception), and tests and calibration use
Verilator (LGPL-3.0 or Artistic-2.0) and Yosys (ISC). The generated project holds headers of hls4ml (Apache-2.0),
its `ap_types` (Apache-2.0) and of this project."""
# Texts of licences, by how they begin.
TEXTS = {"mit": "MIT", "apache": "Apache-2.0", "bsd": "BSD", "copyright": "see the package"}
LONGEST = 100


def locked(lock: Path = LOCK) -> dict[str, str]:
    """Version by name of a lock file's packages."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE))


def licence(package: str) -> str:
    """What an installed package says: SPDX expression, classifiers, or its field of free text."""
    facts = importlib.metadata.metadata(package)
    classifiers = [
        text.split(" :: ")[-1] for text in facts.get_all("Classifier") or () if text.startswith("License :: ")
    ]
    said = facts.get("License-Expression") or " or ".join(text for text in classifiers if text != "OSI Approved")
    said = said or (facts.get("License") or "").strip()
    if not said:
        return _of_file(package)
    if len(said) <= LONGEST and "\n" not in said:
        return said
    return next((name for begin, name in TEXTS.items() if said.lower().lstrip().startswith(begin)), "see the package")


def _of_file(package: str) -> str:
    """By the text in the package's own licence file; some say nothing else."""
    files = importlib.metadata.files(package) or ()
    if all(".dist-info" in str(file) for file in files):
        return "none: it has no files of its own"
    texts = (file.locate().read_text(errors="replace") for file in files if "licen" in file.name.lower())
    text = next(texts, "")
    if "Redistribution and use in source and binary forms" in text:
        return "BSD"
    return "see the package" if text else "not said"


def page() -> str:
    """The page's Markdown."""
    rows = [f"| {name} | {version} | {licence(name)} |" for name, version in locked().items()]
    return "\n".join([HEAD, *rows, TAIL, ""])


if __name__ == "__main__":
    sys.stdout.write(page())

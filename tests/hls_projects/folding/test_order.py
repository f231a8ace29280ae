"""The modules of the folding import each other in the order in which the package explains them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import hls_projects.folding as package

FOLDER = Path(package.__file__).parent
ORDER = re.findall(r"^\d\. ``(\w+)``", package.__doc__, flags=re.MULTILINE)


def test_every_module_is_explained():
    assert sorted(ORDER) == sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def test_each_imports_only_from_those_before_it():
    for index, name in enumerate(ORDER):
        text = (FOLDER / f"{name}.py").read_text()
        assert set(re.findall(r"hls_projects\.folding\.(\w+) import", text)) <= set(ORDER[:index]), name
        assert not re.search(r"^(from|import) flows", text, flags=re.MULTILINE)


def test_options_are_imported_without_the_algorithm():
    """A command's help needs them, and must not wait for scipy and hls4ml."""
    code = "import sys, hls_projects.folding.options; sys.exit(bool({'scipy', 'hls4ml', 'qonnx'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

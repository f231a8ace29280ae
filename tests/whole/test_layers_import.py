"""Who may know whom: the model knows nothing of the hardware, the hardware nothing of the commands.

The ground floor of ``hls_projects``, which is of no hardware, is open to all.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support import ROOT

GROUND = {"hls_projects", "hls_projects.errors", "hls_projects.files", "hls_projects.names"}
FORBIDDEN = {"brevitas_model": {"flows", "hls_projects"}, "hls_projects": {"flows", "brevitas_model"}}


def imported(path: Path) -> set[str]:
    """Top-level packages that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names - GROUND}


@pytest.mark.parametrize("package", FORBIDDEN)
def test_lower_layers_do_not_import_higher_ones(package: str):
    modules = [path for path in (ROOT / package).rglob("*.py") if not path.name.startswith("test_")]
    assert len(modules) > 5
    offenders = {
        str(path.relative_to(ROOT)): found for path in modules if (found := imported(path) & FORBIDDEN[package])
    }
    assert not offenders


def test_the_check_sees_imports(tmp_path: Path):
    (tmp_path / "x.py").write_text(
        "def f():\n    from flows.building.steps import load\nimport hls_projects.project.lint as y\n"
        "from hls_projects.files import write_whole\n"
    )
    assert imported(tmp_path / "x.py") == {"flows", "hls_projects"}
    (tmp_path / "x.py").write_text("from hls_projects.files import write_whole\n")
    assert not imported(tmp_path / "x.py")


def test_the_ground_floor_stands_alone():
    for name in GROUND:
        place = ROOT / name.replace(".", "/")
        path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        assert imported(path) & {"brevitas_model", "flows", "hls_projects"} == set()


def test_kernels_stand_without_python():
    headers = list((ROOT / "hls_projects").rglob("*.h"))
    assert len(headers) >= 10
    for header in headers:
        text = header.read_text().lower()
        assert not [word for word in ("python", "numpy") if word in text], header.name

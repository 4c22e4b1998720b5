"""The layering that the README draws: imports point one way, and `import sfwidgets` is light."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sfwidgets"
SERVER = ROOT / "server_ext"

ROWS = [
    {"settings", "errors", "models"},
    {"audio", "bundles", "logs"},
    {"separation", "analysis", "sources", "mixing"},
    {"library"},
    {"jobs"},
    {"workbench"},
    {"report", "examples"},
    {
        "widgets", "cli", "cli_backup", "cli_db", "cli_options", "cli_progress", "cli_sources", "cli_worker", "answers",
        "batch", "dashboard", "demo", "doctor", "launch", "server_ext",
    },
]  # fmt: skip
SIDEWAYS = {
    ("settings", "errors"), ("models", "errors"), ("cli", "batch"), ("cli", "doctor"), ("demo", "batch"),
    ("mixing", "analysis"),
    ("cli", "launch"), ("launch", "dashboard"), ("cli", "answers"), ("answers", "batch"),
    ("cli", "cli_options"), ("cli", "cli_sources"), ("cli_sources", "cli_options"), ("cli_sources", "cli_progress"),
    ("cli_sources", "answers"), ("cli", "cli_db"), ("cli_db", "cli_options"), ("cli_db", "answers"),
    ("cli", "cli_worker"), ("cli_worker", "cli_options"),
    ("cli", "cli_backup"), ("cli_backup", "cli_options"), ("cli_backup", "answers"),
}  # fmt: skip


def _row(part: str) -> int:
    return next(number for number, parts in enumerate(ROWS) if part in parts)


def _imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sfwidgets."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "sfwidgets":
            found |= {alias.name for alias in node.names if not alias.name.startswith("__")}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("sfwidgets.")}
    return found


def _part(file: Path) -> str:
    if SERVER in file.parents:
        return SERVER.name
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = [f for f in sorted([*PACKAGE.rglob("*.py"), *SERVER.rglob("*.py")]) if f != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_point_one_way(file: Path) -> None:
    mine = _part(file)
    for other in _imports(file) - {mine}:
        allowed = _row(other) < _row(mine) or (mine, other) in SIDEWAYS
        assert allowed, f"{mine} imports {other}, which is not below it"


@pytest.mark.parametrize("module", ["sfwidgets", "sfwidgets.workbench"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(' '.join(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(said.stdout.split())
    assert not loaded & {"torch", "librosa", "numba", "ipywidgets", "scipy", "matplotlib", "distributed"}


def test_environment_yml_asks_for_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    extras = project["optional-dependencies"]
    assert sorted(pip) == sorted(project["dependencies"] + extras["demo"] + extras["lab"])


def test_the_lock_file_pins_every_requirement() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [r for extra in project["optional-dependencies"].values() for r in extra]
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    names = {"".join(c if c.isalnum() or c in "-_" else " " for c in r).split()[0] for r in wanted}
    assert {n.lower().replace("_", "-") for n in names} <= pinned


def test_notebooks_are_stored_without_outputs() -> None:
    import nbformat

    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        assert not any(cell.get("outputs") for cell in notebook.cells), path.name

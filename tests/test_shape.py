"""The shape of the source: imports point down the list of rooms, functions stay short, and so do modules."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.toolbox import ROOT
from torchsel.commands import TABLE

PACKAGE = ROOT / "hook" / "torchsel"

ROOMS = (
    *("__main__", "cli", "records", "commands", "pipeline", "verify", "strategies", "routing", "selection"),
    *("files", "config", "hosts", "probes", "project", "catalog", "uv", "toml", "shells", "answer", "ray"),
    *("host", "backend", "vendors", "console", "errors", "torchsel"),
)
"""The packages, and the modules beside them. Each imports only from those after it, types included."""

SOURCES = sorted(PACKAGE.rglob("*.py"))
COMMANDS = {PACKAGE / "commands" / f"{row.module}.py" for row in TABLE}
MOST_BESIDE_THE_PACKAGES = 12
MOST_IN_A_FOLDER = 15
"""Besides the modules that each are a command."""
MOST_CODE_LINES = 200
MOST_FLOORS = 14
"""Imports for types count."""


def module_of(path: Path) -> str:
    """The dotted name; a package's own is that of its folder."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def room(module: str) -> str:
    """``torchsel.probes.nvidia.tools`` is in ``probes``, ``torchsel.cli`` is ``cli``."""
    return module.split(".")[1] if "." in module else module


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of everything imported: at the top, inside functions, and for type checkers alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            name = node.module or ""
            submodules = {f"{name}.{alias.name}" for alias in node.names} & MODULES.keys()
            yield from submodules or {name}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def uses(module: str) -> set[str]:
    """The package's modules that one imports."""
    return (set(imported(parsed(MODULES[module]))) & MODULES.keys()) - {module}


def functions() -> dict[str, int]:
    """Lines of each function, decorators and docstring included."""
    return {
        f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def code_lines(path: Path) -> int:
    """Lines of a module that are not blank, a comment or a docstring."""
    texts = {
        line
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return sum(bool(text.strip()) and at not in texts for at, text in lines if text.lstrip()[:1] != "#")


def test_every_room_is_listed_once() -> None:
    assert {room(module) for module in MODULES} == set(ROOMS)
    assert len(set(ROOMS)) == len(ROOMS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down_the_list(module: str) -> None:
    here = ROOMS.index(room(module))
    wrong = {name for name in uses(module) if ROOMS.index(room(name)) < here}
    assert not wrong, f"{module} may not import {sorted(wrong)}, which are of rooms above it"


def test_no_imports_in_a_circle_and_few_floors() -> None:
    graph = {module: uses(module) for module in MODULES}
    floors: dict[str, int] = {}
    for module in TopologicalSorter(graph).static_order():
        floors[module] = 1 + max((floors[name] for name in graph[module]), default=0)
    assert max(floors.values()) <= MOST_FLOORS


def test_few_modules_in_a_folder() -> None:
    folders: dict[Path, int] = {}
    for path in SOURCES:
        is_counted = path.name != "__init__.py" and path not in COMMANDS
        folders[path.parent] = folders.get(path.parent, 0) + is_counted
    assert folders[PACKAGE] <= MOST_BESIDE_THE_PACKAGES
    assert max(folders.values()) <= MOST_IN_A_FOLDER


def test_modules_are_short() -> None:
    assert not {
        name: lines for name, path in MODULES.items() if (lines := code_lines(path)) > MOST_CODE_LINES
    }


@pytest.mark.parametrize("module", MODULES)
def test_nothing_reaches_into_tests_or_scripts(module: str) -> None:
    own = {"tests", "scripts", *(script.stem for script in (ROOT / "scripts").rglob("*.py"))}
    assert not own & {name.split(".")[0] for name in imported(parsed(MODULES[module]))}


def test_functions_are_short() -> None:
    lines = functions()
    assert len(lines) > 300
    assert not {name: count for name, count in lines.items() if count > 60}
    assert statistics.median(lines.values()) <= 12
    assert sum(count > 25 for count in lines.values()) <= len(lines) * 0.05, "nearly all are under 25"


def test_what_counts_as_imported() -> None:
    source = (
        "import os\nfrom torchsel import files, __version__\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from torchsel.cli import main\n"
        "def f():\n    try:\n        from torchsel.probes.nvidia import tools\n"
        "    finally:\n        import json.decoder\n"
    )
    names = set(imported(ast.parse(source)))
    assert names == {
        "os",
        "torchsel.files",
        "typing",
        "torchsel.cli",
        "torchsel.probes.nvidia.tools",
        "json.decoder",
    }
    assert room("torchsel.probes.nvidia.tools") == "probes"
